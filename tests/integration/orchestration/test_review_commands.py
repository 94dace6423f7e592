"""`cityhub identity review` as two clerks use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from identity.link import link
from identity.repair import propose_repairs
from orchestration import hub
from orchestration.cli.main import app
from orchestration.ledger import fingerprint
from tests.integration.review_queue import TRANSPOSED, VALID, add_item, add_pair, add_record, make_records
from warehouse.database import Database
from warehouse.errors import ConfigurationError, PermanentError
from warehouse.settings import get_settings
from warehouse.tokens import citizen_token

Review = Callable[..., Result]


@pytest.fixture
def review(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Review]:
    """`cityhub identity review …` on this database."""
    make_records(database)
    hub.hub_database.cache_clear()
    monkeypatch.setattr(hub, "hub_database", lambda: database)

    def call(*arguments: str) -> Result:
        return CliRunner(env={"COLUMNS": "160"}).invoke(app, ["identity", "review", *arguments])

    return call


def decide(review: Review, item: int, by: str, verdict: str = "--same") -> Result:
    return review("decide", str(item), verdict, "--by", by, "--why", "both files seen")


def test_an_empty_queue_says_so(review: Review) -> None:
    assert review("list").output == "Nothing is in review.\n"
    assert json.loads(review("list", "--json").output) == {"total": 0, "items": []}


def test_two_clerks_decide(review: Review, database: Database) -> None:
    item = add_pair(database)
    assert "between" in review("list").output
    assert "A second person has to agree." in decide(review, item, "Li Fang").output
    assert "A second person has to agree." in decide(review, item, "li fang ").output
    assert "Decided by li fang, Chen Qiang: must_link." in decide(review, item, "Chen Qiang").output
    assert review("list").output == "Nothing is in review.\n"
    listed = json.loads(review("list", "--state", "decided", "--json").output)
    assert [(one["item_id"], one["decision"]) for one in listed["items"]] == [(item, "must_link")]


def test_a_decision_gives_the_next_run_something_to_build(review: Review, database: Database) -> None:
    item, day = add_pair(database), date(2026, 6, 30)
    before = fingerprint(database, day)
    decide(review, item, "Li Fang")
    assert fingerprint(database, day) == before
    decide(review, item, "Chen Qiang")
    assert fingerprint(database, day) != before


def test_differing_opinions_are_said_to_differ(review: Review, database: Database) -> None:
    item = add_pair(database)
    decide(review, item, "Li Fang")
    assert "disputed" in decide(review, item, "Chen Qiang", "--different").output


def test_a_pair_is_shown_side_by_side_with_its_waterfall(review: Review, database: Database) -> None:
    item = add_pair(database)
    decide(review, item, "Li Fang")
    shown = review("show", str(item), "--by", "Chen Qiang").output
    for text in (
        "记录甲 s · s.t a",
        "记录乙 s · s.t b",
        "110105********002X",
        "第 12、13 位",
        "起点",
        "−20.1",
        "姓名（名称）：相同",
        "+9.2",
        "合计",
        "−7.9",
    ):
        assert text in shown
    assert "本人表态后可见" in shown
    for value in (VALID, TRANSPOSED, "王小明", "1949-12-31"):
        assert value not in shown
    machine = json.loads(review("show", str(item), "--by", "Chen Qiang", "--json").output)
    assert [round(step["after"], 1) for step in machine["steps"]] == [-20.1, -10.9, -7.9]
    assert machine["opinions"][0]["verdict"] is None


def test_a_pair_the_model_never_saw_and_the_start_it_left_out(review: Review, database: Database) -> None:
    add_record(database, "a")
    add_record(database, "b")
    unseen = add_item(database, "a", "b", waterfall=[])
    assert "这一对未经模型比较" in review("show", str(unseen)).output
    add_record(database, "c")
    part = add_item(
        database,
        "a",
        "c",
        waterfall=[{"comparison": "name", "level": "same", "weight": 9.0}],
        match_weight=0.0,
        probability=0.5,
    )
    assert json.loads(review("show", str(part), "--json").output)["steps"][0]["weight"] == -9.0


def test_records_as_alike_are_told_in_the_waterfall(review: Review, database: Database) -> None:
    add_record(database, "a")
    add_record(database, "b")
    item = add_item(database, "a", "b", match_weight=-7.9, probability=1 / (1 + 2**8.9))
    shown = review("show", str(item)).output
    assert "另有同样相像的记录" in shown
    assert "−8.9" in shown


def test_what_is_typed_wrongly_is_explained(review: Review, database: Database) -> None:
    item = add_pair(database)
    for arguments in ((), ("--same", "--different")):
        wrong = review("decide", str(item), *arguments, "--by", "A", "--why", "w").exception
        assert isinstance(wrong, ConfigurationError)
        assert "exactly one" in wrong.expected
    missing = review("show", "99").exception
    assert isinstance(missing, PermanentError)
    assert "99" in missing.what


def test_where_clerks_log_in_commands_take_no_opinion(
    review: Review, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = add_pair(database)
    monkeypatch.setenv("CITYHUB_REVIEW", "login")
    get_settings.cache_clear()
    for said in (decide(review, item, "Li Fang"), review("raise", "s.t:a", "--by", "Li Fang", "--why", "w")):
        assert isinstance(said.exception, ConfigurationError)
        assert "log in on the page" in said.exception.do
    assert review("list").exit_code == 0


def test_proposed_repairs_are_listed_without_a_number(review: Review, database: Database) -> None:
    add_record(database, "a", name="王小明", citizen_no=VALID, citizen_no_key=citizen_token(VALID))
    add_record(database, "b", name="王小明", citizen_no_written=TRANSPOSED)
    assert "No proposed repairs." in CliRunner().invoke(app, ["identity", "repairs", "list"]).output
    propose_repairs(database, run_id="run")
    listed = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["identity", "repairs", "list"]).output
    assert "transposition" in listed
    (proposal,) = json.loads(CliRunner().invoke(app, ["identity", "repairs", "list", "--json"]).output)
    assert (proposal["position"], proposal["record_key"], proposal["other_key"]) == (12, "b", "a")
    shown = review("show", str(proposal["item_id"])).output
    told = "更正建议：记录乙的公民身份号码相邻两位颠倒（第12、13位）；依据：公民身份号码、姓名（名称）"
    assert told in "".join(shown.split()), "wherever the line breaks"
    for value in (VALID, TRANSPOSED, citizen_token(VALID)):
        assert value not in listed + shown + str(proposal)


def test_a_question_is_raised_and_shown(review: Review, database: Database, tmp_path: Path) -> None:
    for key in "ab":
        add_record(database, key, name="王小明", phone="13912340001")
    link(database, run_id="run", home=tmp_path)
    raised = review("raise", "s.t:b", "--by", "Li Fang", "--why", "another man").output
    assert raised == (
        "Item 1: Is s.t:b another resident than s.t:a? Two people decide: cityhub identity review show 1\n"
    )
    assert "raised" in review("list").output
    assert "Li Fang提出：这两条记录被归为同一主体，但并非同一主体。理由：another man" in review("show", "1").output
    again = review("raise", "s.t:a", "s.t:b", "--by", "Li Fang", "--why", "w").exception
    assert isinstance(again, PermanentError)
    assert (again.what, again.do) == (
        "Review item 1 already asks about these two records.",
        "give an opinion on item 1",
    )
    add_record(database, "c", name="李红")
    link(database, run_id="next run", home=tmp_path)
    together = json.loads(review("raise", "s.t:c", "s.t:a", "--by", "A", "--why", "w", "--json").output)
    assert (together["item_id"], together["asks"], together["about"]["record_key"]) == (2, "together", "c")
