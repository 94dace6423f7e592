"""Evaluation: figures of a linkage whose pairs can be counted on the fingers."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from identity.evaluate import evaluate, figures, judge, one_slip
from identity.features.records import KEY, PERSON_FEATURES


def records(*rows: dict[str, Any]) -> pl.DataFrame:
    base: dict[str, Any] = dict.fromkeys(PERSON_FEATURES) | {
        "system": "s",
        "table_name": "t",
        "town": "310115004",
        "is_register": False,
    }
    schema = dict.fromkeys((*KEY, *PERSON_FEATURES, "town"), pl.String)
    schema |= {"is_surname_only": pl.Boolean, "is_register": pl.Boolean}
    return pl.DataFrame([base | row for row in rows], schema=schema)


def links(**subjects: tuple[str, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [("s", "t", key, subject, subject, "model", probability) for key, (subject, probability) in subjects.items()],
        schema=dict.fromkeys((*KEY, "subject", "loose", "method"), pl.String) | {"probability": pl.Float64},
        orient="row",
    )


def truth(**true_ids: str) -> pl.DataFrame:
    rows = [("s", "t", key, true_id) for key, true_id in true_ids.items()]
    return pl.DataFrame(rows, schema=dict.fromkeys((*KEY, "true_id"), pl.String), orient="row")


PHONE = {"surname": "王", "phone": "1"}


def test_pairs_are_counted_by_threshold() -> None:
    found = evaluate(
        judge(
            "resident",
            records(
                {"record_key": "a", **PHONE},
                {"record_key": "b", **PHONE},
                {"record_key": "c", "surname": "王"},
                {"record_key": "x", "surname": "李", "birth": "19600101", "sex": "male"},
            ),
            links(a=("A", 1.0), b=("A", 0.97), c=("A", 1.0), x=("C", 1.0)),
            truth(a="1", b="1", c="2", x="1", gone="3"),
        )
    )
    normal, strict = found["normal"], found["strict"]
    # Three of A's records make three pairs, one of them right; of 1's three pairs only a–b is told by the records.
    assert (normal["found_pairs"], normal["wrong_pairs"], normal["precision"]) == (3, 2, pytest.approx(1 / 3, abs=1e-6))
    assert (normal["true_pairs"], normal["tellable_pairs"], normal["recall_of_tellable"]) == (3, 1, 1.0)
    assert normal["recall"] == pytest.approx(1 / 3, abs=1e-6)
    assert (normal["over_merged"], normal["under_merged"]) == (1, 1)
    assert (strict["found_pairs"], strict["recall_of_tellable"], strict["missed_tellable_pairs"]) == (1, 0.0, 1)
    assert (found["records_without_truth"], found["truth_without_record"]) == (0, 1)
    assert found["by_method"] == {"model": {"records": 4, "right": 3, "precision": 0.75}}
    assert found["by_group"]["registration"] == {
        "unregistered": {"subjects": 2, "tellable_pairs": 1, "match_rate": 1.0}
    }
    rates = [group["match_rate"] for group in found["by_group"]["sex"].values() if not group["tellable_pairs"]]
    assert rates == [None], "nothing to find is no rate"


def test_two_certified_people_in_one_subject_are_counted() -> None:
    found = judge(
        "resident",
        records({"record_key": "a", "identifier": "N1"}, {"record_key": "b", "identifier": "N2"}),
        links(a=("A", 1.0), b=("A", 1.0)),
        truth(a="1", b="2"),
    )
    assert evaluate(found)["two_certified_in_one_subject"] == 1


def test_whole_subjects_are_judged_too() -> None:
    frame = pl.DataFrame({"true_id": list("112233"), "found": list("aabbbc"), "told": [0, 0, 1, 1, 2, 2]})
    result = figures(frame)
    assert (result["cluster_precision"], result["cluster_recall"]) == (0.5, pytest.approx(1 / 3, abs=1e-6))


def test_nothing_to_find_is_nothing_missed() -> None:
    result = evaluate(judge("resident", records(), links(), truth()))["normal"]
    assert (result["precision"], result["recall"], result["f1"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("one", "other", "is_slip"),
    [("1234", "1294", True), ("1234", "1324", True), ("1234", "1432", False), ("12", "1", False)],
)
def test_a_slip_is_one_character_or_two_neighbours(one: str, other: str, is_slip: bool) -> None:
    assert one_slip(one, other) is is_slip
