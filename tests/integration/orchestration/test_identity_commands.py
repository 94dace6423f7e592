"""`cityhub identity`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.identity import identity_app
from orchestration.identity_evaluation import evaluate_file
from warehouse.errors import ConfigurationError

PEOPLE = """system,table_name,record_key,name,citizen_no,birth_on,phone,true_id
civil_affairs,residents,1,王小明,310115196001010017,1960-01-01,13912340001,a
hospital,visits,7,王小明,,1960-01-01,13912340001,a
hospital,visits,8,王小明,310115********0017,,,a
hospital,visits,9,李红,440524188001010014,,,b
"""
FIRMS = """system,table_name,record_key,name,code,true_id
market_supervision,enterprises,1,上海香凯鼎美发有限公司,91310115MA00187E3W,a
tax,payers,1,香凯鼎美发公司,,a
"""


def test_the_model_is_shown() -> None:
    done = CliRunner().invoke(identity_app, ["model", "--json"])
    assert done.exit_code == 0
    shown = json.loads(done.stdout)
    assert shown["thresholds"].keys() == {"strict", "normal", "loose"}
    assert shown["models"]["resident"]["comparisons"]["phone"][0]["weight"] > 10


def test_a_labelled_file_is_linked_and_judged(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE, "utf-8")
    done = CliRunner().invoke(identity_app, ["evaluate", "--records", str(path), "--json"])
    assert done.exit_code == 0, done.output
    normal = json.loads(done.stdout)["residents"]["normal"]
    assert (normal["precision"], normal["recall"], normal["true_pairs"]) == (1.0, 1.0, 3)


def test_a_file_with_codes_is_of_enterprises_and_truth_may_stand_apart(tmp_path: Path) -> None:
    records, truth = tmp_path / "firms.csv", tmp_path / "truth.csv"
    records.write_text(FIRMS.replace(",true_id", "").replace(",a\n", "\n"), "utf-8")
    truth.write_text(FIRMS, "utf-8")
    assert evaluate_file(records, truth)["enterprises"]["normal"]["recall"] == 1.0


def test_what_is_not_labelled_is_not_judged_and_no_secret_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYHUB_TOKEN_KEY", raising=False)
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE + "hospital,visits,10,赵六,,,,\nhospital,visits,11,钱七,,,,\n", "utf-8")
    judged = evaluate_file(path, None)["residents"]
    assert (judged["records"], judged["records_without_truth"], judged["normal"]["true_pairs"]) == (4, 2, 3)


def test_a_record_named_twice_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    twice, broken = tmp_path / "twice.csv", tmp_path / "truth.parquet"
    twice.write_text(PEOPLE + PEOPLE.splitlines()[-1] + "\n,,,钱七,,,,\n", "utf-8")
    with pytest.raises(ConfigurationError, match="1 records more than once and leaves 1 without a key"):
        evaluate_file(twice, None)
    twice.write_text(PEOPLE, "utf-8")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="cannot be read as Parquet"):
            evaluate_file(twice, broken)
        broken.write_text("no Parquet", "utf-8")


@pytest.mark.parametrize("content", ["name\n王小明\n", "", "system,table_name,record_key,name\ns,t,1,王\n"])
def test_a_file_that_lacks_columns_is_refused_with_their_names(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError) as refused:
        evaluate_file(path, None)
    assert refused.value.where == str(path)
