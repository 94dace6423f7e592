"""Who is joined with whom, and above all who is not: small worlds, linked without a database."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from identity.faces import hot_values
from identity.features.records import DATES, FIRM_INPUT, KEY, PERSON_INPUT, features_of
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
    schema = dict.fromkeys(columns, pl.String) | {name: pl.Date for name in DATES if name in columns}
    records = pl.DataFrame(list(rows), schema=schema)
    model = load_model(kind)
    faces = faces_of(model, features_of(kind, records), list(decisions))
    settled = settle(model, faces, compare(model, faces), list(decisions), list(earlier))
    key = "citizen_no_key" if kind == "resident" else "enterprise_key"
    joined = records.select(*KEY, own=key).join(settled.clustered, on=KEY, how="left")
    cluster = pl.coalesce("own", "identifier", "cluster", pl.concat_str(KEY, separator="|"))
    return dict(joined.select("record_key", cluster.alias("cluster")).iter_rows()), settled


def weight_of(*rows: dict[str, Any]) -> float:
    """The match weight of records `a` and `b`."""
    records = pl.DataFrame(list(rows), schema=dict.fromkeys(PERSON_INPUT, pl.String) | {"birth_on": pl.Date})
    model = load_model("resident")
    pairs = compare(model, faces_of(model, features_of("resident", records), []))
    both = pairs.filter((pl.col("left_key") == "a") & (pl.col("right_key") == "b"))
    return float(both.get_column("match_weight").item())


NUMBER, PHONE = "310115196001010017", "13912340001"
A = person("a", "王小明", at=REGISTER, citizen_no=NUMBER, birth_on=BORN, sex_code="male", phone=PHONE)


def test_a_caller_with_the_registered_name_and_phone_is_that_resident() -> None:
    assert link(A, person("b", "王小明", phone="139-1234-0001"))[0]["b"] == NUMBER


OWN, OTHER, TOWN = "310115131001", "310115004002", "310115131002"
RARE = person("a", "仉喆犇", at=REGISTER, citizen_no=NUMBER, birth_on=BORN, phone=PHONE, near_committee_code=OWN)
SECOND = "310224196001010011"


def test_a_caller_of_the_neighbourhood_with_a_telling_name_is_that_resident() -> None:
    callers = [
        person(key, "仉喆犇", near_committee_code=about) for key, about in zip("bcd", (OWN, OTHER, TOWN), strict=True)
    ]
    clusters, _ = link(RARE, *callers)
    assert (clusters["b"], clusters["c"] == NUMBER, clusters["d"] == NUMBER) == (NUMBER, False, False)


def test_a_common_name_of_the_neighbourhood_is_nobody() -> None:
    assert link(RARE | {"name": "王丽"}, person("b", "王丽", near_committee_code=OWN))[0]["b"] != NUMBER


def test_namesakes_of_one_neighbourhood_are_not_decided_by_a_coin() -> None:
    other = person("n", "仉喆犇", at=REGISTER, citizen_no=SECOND, near_committee_code=OWN)
    clusters, settled = link(RARE, other, person("b", "仉喆犇", near_committee_code=OWN))
    assert clusters["b"] not in (NUMBER, SECOND)
    assert settled.review.height == 2


def test_a_telephone_of_the_family_speaks_against_nobody() -> None:
    # The register has his mother's telephone for him; he calls from his own.
    caller = person("b", "仉喆犇", near_committee_code=OWN, phone="18655501237")
    mother = person("c", "李红", at=REGISTER, citizen_no=SECOND, phone=PHONE)
    assert weight_of(RARE, caller, mother) > weight_of(RARE, caller) + 3


def test_a_call_from_the_telephone_of_somebody_at_home_is_known() -> None:
    home = {"home_address": "上海市浦东新区张杨路500弄3号201室"}
    wife = person("w", "李红", at=REGISTER, citizen_no=SECOND, phone="13912340002", **home)
    clusters, _ = link(RARE | home, wife, person("b", "仉喆犇", phone="13912340002", near_committee_code=OTHER))
    assert clusters["b"] == NUMBER


def test_calls_about_many_places_are_one_caller_of_the_usual_one() -> None:
    calls = [
        person(f"b{place}", "仉喆犇", phone="13912340009", near_committee_code=about)
        for place, about in enumerate((OTHER, OWN, OWN, TOWN))
    ]
    records = pl.DataFrame(calls, schema=dict.fromkeys(PERSON_INPUT, pl.String) | {"birth_on": pl.Date})
    faces = faces_of(load_model("resident"), features_of("resident", records), [])
    assert faces.table.select("committee", "size").rows() == [(OWN, 4)]


def test_a_surname_and_the_registered_telephone_are_that_resident() -> None:
    callers = [person("b", "仉女士", phone=PHONE, near_committee_code=OTHER), person("c", "仉先生", phone=PHONE)]
    clusters, _ = link(RARE | {"sex_code": "male"}, *callers)
    assert (clusters["b"] == NUMBER, clusters["c"] == NUMBER) == (False, True)


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


def test_a_birthday_that_everybody_has_is_nobodys() -> None:
    told = pl.DataFrame({"phone": [None] * 300, "sound": ["wang"] * 300, "birth": ["19850505"] * 300})
    assert hot_values("resident", told.cast(pl.String)).births.to_list() == ["19850505"]
    assert hot_values("resident", told.cast(pl.String).head(200)).births.to_list() == []


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
    assert not settled.review.height, "what people have decided is no question"
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


ENTRIES = ("market_supervision", "enterprises")
OLD_NUMBER, CODE, FIRM = "310115000123456", "91310115MA00187E3W", "上海香凯鼎美发有限公司"


def entry(number: str, **more: Any) -> dict[str, Any]:
    """An entry of the register of enterprises, by default of one firm, under an old number or a code."""
    code = number if len(number) == 18 else f"REG{number}"
    said = {"code_written": number, "legal_rep_key": NUMBER, "established_on": date(2009, 3, 2)} | more
    row = firm(number, said.pop("name", FIRM), code, **said)
    return row | {"system": ENTRIES[0], "table_name": ENTRIES[1]}


def test_a_firm_whose_number_was_replaced_is_one() -> None:
    cases = (firm("case", None, code_written=OLD_NUMBER), firm("by name", FIRM))
    clusters, settled = link(entry(OLD_NUMBER), entry(CODE), *cases, kind="enterprise")
    assert {clusters["case"], clusters["by name"]} == {CODE}
    assert settled.clustered.filter(record_key=OLD_NUMBER)["identifier"].item() == CODE
    assert not settled.review.height


@pytest.mark.parametrize(
    "other",
    [
        {"name": "上海香凯鼎美容有限公司"},
        {"established_on": date(2009, 3, 3)},
        {"legal_rep_key": None},
        {"legal_rep_key": SECOND},
        {"established_on": None},
    ],
)
def test_less_than_name_day_and_representative_make_no_firm_one(other: dict[str, Any]) -> None:
    _, settled = link(entry(OLD_NUMBER, **other), entry(CODE), kind="enterprise")
    assert CODE not in settled.clustered.get_column("identifier").to_list()


def test_a_firm_that_might_be_either_of_two_is_asked_about() -> None:
    third = entry("310115000765432")
    _, settled = link(entry(OLD_NUMBER), third, entry(CODE), kind="enterprise")
    assert CODE not in settled.clustered.get_column("identifier").to_list()
    assert set(settled.review.get_column("conflict")) == {"register"}


def test_a_shop_of_one_name_in_two_places_is_two() -> None:
    places = ({"address": "上海市浦东新区张杨路500号"}, {"address": "上海市浦东新区张杨路501号"}, {"address": None})
    for here, there in ((0, 1), (0, 2), (2, 2)):
        shop = [entry(number, name="香凯鼎美发店", **places[at]) for number, at in ((OLD_NUMBER, here), (CODE, there))]
        assert CODE not in link(*shop, kind="enterprise")[1].clustered.get_column("identifier").to_list()
    one = [entry(number, name="香凯鼎美发店", **places[0]) for number in (OLD_NUMBER, CODE)]
    assert CODE in link(*one, kind="enterprise")[1].clustered.get_column("identifier").to_list()


def test_a_firm_stays_one_when_only_its_new_entry_is_kept_up() -> None:
    before = EarlierLink((*ENTRIES, OLD_NUMBER), CODE, 1.0)
    rows = (entry(OLD_NUMBER), entry(CODE, legal_rep_key=SECOND, legal_rep_name="李红"))
    _, settled = link(*rows, kind="enterprise", earlier=(before,))
    assert settled.clustered.filter(record_key=OLD_NUMBER)["identifier"].to_list() == [CODE]


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
