"""Who is joined with whom, and above all who is not: small worlds, linked without a database."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from identity.features.records import FIRM_INPUT, KEY, PERSON_INPUT, features_of
from identity.linkage import Decision, EarlierLink, Settled, compare, faces_of, settle
from identity.model import Kind, load_model

BORN = date(1960, 1, 1)
REGISTER = ("civil_affairs", "residents")


def person(key: str, name: str | None, *, at: tuple[str, str] = ("s", "t"), **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(PERSON_INPUT) | {"system": at[0], "table_name": at[1], "record_key": key, "name": name} | more
    # The token of a certified number is its own stand-in here.
    return row | {"citizen_no_key": row["citizen_no"]}


def firm(key: str, name: str | None, code: str | None = None, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(FIRM_INPUT) | {"system": "s", "table_name": "t", "record_key": key, "name": name} | more
    return row | {"enterprise_key": code}


def link(
    *rows: dict[str, Any],
    kind: Kind = "resident",
    decisions: tuple[Decision, ...] = (),
    earlier: tuple[EarlierLink, ...] = (),
) -> tuple[dict[str, str], Settled]:
    """Record key → cluster (the identifier of the certified subject, else the first record's key)."""
    columns = PERSON_INPUT if kind == "resident" else FIRM_INPUT
    schema = dict.fromkeys(columns, pl.String) | ({"birth_on": pl.Date} if kind == "resident" else {})
    records = pl.DataFrame(list(rows), schema=schema)
    model = load_model(kind)
    faces = faces_of(model, features_of(kind, records), list(decisions))
    settled = settle(model, faces, compare(model, faces), list(decisions), list(earlier))
    key = "citizen_no_key" if kind == "resident" else "enterprise_key"
    joined = records.select(*KEY, own=key).join(settled.clustered, on=KEY, how="left")
    cluster = pl.coalesce("own", "identifier", "cluster", pl.concat_str(KEY, separator="|"))
    return dict(joined.select("record_key", cluster.alias("cluster")).iter_rows()), settled


NUMBER, PHONE = "310115196001010017", "13912340001"
A = person("a", "王小明", at=REGISTER, citizen_no=NUMBER, birth_on=BORN, sex_code="male", phone=PHONE)


def test_a_caller_with_the_registered_name_and_phone_is_that_resident() -> None:
    assert link(A, person("b", "王小明", phone="139-1234-0001"))[0]["b"] == NUMBER


def test_a_name_alone_is_nobody() -> None:
    clusters, settled = link(A, person("b", "王小明"), person("c", "王小明"))
    assert len({clusters["a"], clusters["b"], clusters["c"]}) == 3
    assert not settled.review.height


@pytest.mark.parametrize("written", ["310115196001010O17", "310115196001010071", "310115199001010017"])
def test_a_mistyped_number_under_the_same_name_is_near_enough(written: str) -> None:
    assert link(A, person("b", "王小明", citizen_no_written=written, birth_on=BORN, sex_code="male"))[0]["b"] == NUMBER


def test_a_masked_number_under_the_same_name_is_near_enough() -> None:
    assert link(A, person("b", "王小明", citizen_no_written="310115********0017"))[0]["b"] == NUMBER


def test_namesakes_born_on_one_day_are_not_decided_by_a_coin() -> None:
    other = person("n", "王小明", at=REGISTER, citizen_no="310224196001010011", birth_on=BORN, sex_code="male")
    clusters, settled = link(A, other, person("b", "王小明", birth_on=BORN, sex_code="male"))
    assert clusters["b"] not in (NUMBER, other["citizen_no"])
    assert sorted(settled.review.get_column("reason")) == ["between", "between"]
    assert settled.review.get_column("probability").max() == pytest.approx(0.5, abs=0.01)


def test_twins_are_two() -> None:
    twin = person("t", "王小亮", at=REGISTER, birth_on=BORN, sex_code="male", phone=PHONE)
    assert link(A, twin)[0]["t"] != NUMBER


def test_two_entries_of_the_register_are_two_and_asked_about() -> None:
    again = person("b", "王小明", at=REGISTER, birth_on=BORN, sex_code="male", phone=PHONE)
    clusters, settled = link(A, again)
    assert clusters["b"] != NUMBER
    assert settled.review.get_column("conflict").to_list() == ["register"]


def test_a_family_on_one_phone_stays_a_family() -> None:
    family = [person(key, name, phone=PHONE) for key, name in zip("bcd", ("李红", "王大明", "王丽"), strict=True)]
    assert len(set(link(A, *family)[0].values())) == 4


def test_a_phone_that_everybody_gives_links_nobody() -> None:
    letters = "伟芳娜敏静丽强磊军洋勇艳杰涛超明华霞平刚桂英"
    many = [person(f"m{place}", f"王{letter}{letter}", phone=PHONE) for place, letter in enumerate(letters)]
    clusters, settled = link(A, person("b", "王小明", phone=PHONE), *many)
    assert clusters["b"] != NUMBER
    assert not settled.review.height


def test_a_record_between_two_certified_people_joins_neither_chain() -> None:
    other = person("o", "王小明", at=REGISTER, citizen_no="310224196001010011", phone="13912340002", birth_on=BORN)
    one, two = person("x", "王小明", phone=PHONE), person("y", "王小明", phone="13912340002")
    clusters, _ = link(A, other, one, two)
    assert clusters["x"] == NUMBER
    assert clusters["y"] == other["citizen_no"]


def test_a_decision_overrides_the_model_both_ways() -> None:
    caller = person("b", "王小明", phone=PHONE)
    stranger = person("c", "李红")
    key = {row["record_key"]: (row["system"], row["table_name"], row["record_key"]) for row in (A, caller, stranger)}
    clusters, settled = link(
        A,
        caller,
        stranger,
        decisions=(Decision(key["a"], key["b"], "cannot_link"), Decision(key["a"], key["c"], "must_link")),
    )
    assert (clusters["b"] == NUMBER, clusters["c"] == NUMBER) == (False, True)
    assert settled.review.get_column("conflict").to_list() == ["cannot_link"]
    assert "reviewed" in settled.clustered.get_column("method").to_list()


def test_no_decision_joins_two_certified_people() -> None:
    other = person("o", "李红", citizen_no="310224196001010011")
    same = Decision(("civil_affairs", "residents", "a"), ("s", "t", "o"), "must_link")
    clusters, settled = link(A, other, person("b", "王小明", phone=PHONE), decisions=(same,))
    assert (clusters["a"], clusters["o"]) == (NUMBER, other["citizen_no"])
    assert settled.review.get_column("conflict").to_list() == ["certified"]


def test_an_earlier_link_is_kept_until_a_better_one_is_found() -> None:
    lost = EarlierLink(("s", "t", "b"), "an earlier number", 1.0)
    assert link(A, person("b", "李红"), earlier=(lost,))[0]["b"] == "an earlier number"
    assert link(A, person("b", "王小明", phone=PHONE), earlier=(lost,))[0]["b"] == NUMBER


def test_the_order_of_records_changes_nothing() -> None:
    rows = [A, *(person(f"k{place}", "王小明", phone=PHONE, birth_on=BORN) for place in range(5))]
    rows += [person("z", "王女士", phone=PHONE), person("y", "王小鸣", phone=PHONE)]
    one, first = link(*rows)
    other, second = link(*reversed(rows))
    assert one == other
    assert first.clustered.sort(KEY).equals(second.clustered.sort(KEY))


def test_spellings_of_a_firm_are_one_and_its_branch_is_another() -> None:
    code, name = "91310115MA00187E3W", "上海香凯鼎美发有限公司"
    clusters, _ = link(
        firm("a", name, code),
        firm("b", "香凯鼎美发公司"),
        firm("c", "上海香凯鼎美发有限公司浦东三林分公司"),
        firm("d", name, code_written="91310115MA00187E8W"),
        firm("e", None, code_written="91310115MA00187E8W"),
        kind="enterprise",
    )
    assert (clusters["b"], clusters["d"]) == (code, code)
    assert clusters["c"] != code
    # A code alone, one character off, may as well be its neighbour's.
    assert clusters["e"] != code


def test_a_firm_in_a_thousand_cases_is_compared_like_any_other() -> None:
    code, name = "91310115MA00187E3W", "上海香凯鼎美发有限公司"
    many = [firm(f"m{place:04d}", name, code) for place in range(1000)]
    assert link(*many, firm("z", "香凯鼎美发公司"), kind="enterprise")[0]["z"] == code


def test_a_sign_that_names_a_trade_is_no_firm() -> None:
    assert len(set(link(firm("a", "便利店"), firm("b", "便利店"), kind="enterprise")[0].values())) == 2


def test_nothing_at_all_is_no_failure() -> None:
    assert link()[0] == {}
    assert link(person("a", None), person("b", None))[0].keys() == {"a", "b"}


def test_a_hundred_thousand_nobodies_stay_apart_and_cost_little() -> None:
    rows = pl.DataFrame(
        {"system": "s", "table_name": "t", "record_key": [f"{place:06d}" for place in range(100_000)], "name": "无名氏"}
    ).with_columns(pl.lit(None, pl.String).alias(name) for name in PERSON_INPUT if name not in (*KEY, "name"))
    rows = rows.with_columns(pl.col("birth_on").cast(pl.Date), phone=pl.lit("13900001111"))
    model = load_model("resident")
    faces = faces_of(model, features_of("resident", rows), [])
    settled = settle(model, faces, compare(model, faces), [], [])
    assert not settled.review.height
    assert "model" not in settled.clustered.get_column("method").to_list()
