"""Linkage day after day on a real database: ids that last, questions that are asked once, changes alone compared."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import psycopg
import pytest

from identity.link import Linked, link
from tests.integration.review_queue import add_record, make_records
from warehouse.database import Database

NUMBER, OTHER = "310115196001010017", "440524188001010014"
PHONE = "13912340001"
REGISTER = {"system": "civil_affairs", "table_name": "residents"}
SEEDS = [1, 2]
RESIDENT: dict[str, Any] = {"name": "王小明", "phone": PHONE, "birth_on": "1960-01-01", "sex_code": "male"}


class City:
    """A hub whose records come and go."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database, self.home, self._run = database, home, 0
        make_records(database)

    def put(self, key: str, **values: Any) -> None:
        self.drop(key)
        add_record(self.database, key, **values)

    def drop(self, key: str) -> None:
        self.do("delete from identity.int_person_records where record_key = %s", key)

    def link(self, **options: Any) -> Linked:
        self._run += 1
        return link(self.database, run_id=f"run {self._run}", home=self.home, **options)["resident"]

    def do(self, statement: str, *values: Any) -> None:
        with self.database.psycopg("pipeline") as connection:
            connection.execute(statement, values)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.psycopg("pipeline") as connection:
            return connection.execute(query).fetchall()

    def ids(self) -> dict[str, str]:
        return dict(
            self.rows(
                "select l.record_key, l.subject_id from identity.current_links as l"
                " join identity.int_person_records as r using (system, table_name, record_key)"
            )
        )

    def said(self) -> list[list[tuple[Any, ...]]]:
        """Questions, loose groups and links in force, as far as a second look must find the same."""
        return [
            self.rows(
                "select left_key, right_key, reason, conflict, probability, state from identity.review_items"
                " order by 1, 2"
            ),
            self.rows("select subject_id, loose_id, probability from identity.loose_groups order by 1"),
            self.rows(
                "select l.record_key, l.method, l.probability from identity.current_links as l"
                " join identity.int_person_records as r using (system, table_name, record_key) order by 1"
            ),
        ]

    def pairs(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "select left_key, right_key, probability, waterfall from identity.pairs order by left_key, right_key"
        )


@pytest.fixture
def city(database: Database, tmp_path: Path) -> City:
    return City(database, tmp_path)


def decide(
    city: City, left: tuple[str, str, str], right: tuple[str, str, str], verdict: str, kind: str = "resident"
) -> None:
    with city.database.psycopg("owner") as connection:
        connection.execute(
            "insert into identity.decisions (subject_kind, left_system, left_table, left_key, right_system,"
            " right_table, right_key, verdict, decided_by)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, '{one,two}')",
            [kind, *left, *right, verdict],
        )


def test_a_caller_joins_the_registered_resident_and_says_by_what(city: City) -> None:
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    city.put("b", name="王小明", phone=PHONE)
    result = city.link()
    assert city.ids()["a"] == city.ids()["b"]
    method, probability, version = city.rows(
        "select method, probability, model_version from identity.current_links where record_key = 'b'"
    )[0]
    assert (method, version) == ("model", result.model_version)
    assert 0.95 < probability < 1
    (_, _, _, waterfall) = city.pairs()[0]
    assert [step["comparison"] for step in waterfall][:2] == ["prior", "name"]


def test_nothing_changed_nothing_done(city: City) -> None:
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    city.put("b", name="王小明", phone=PHONE)
    city.link()
    before = city.rows("select count(*), max(link_id) from identity.links")
    assert city.link().mode == "unchanged"
    assert city.link(full=True).resolved.linked == 0
    assert city.rows("select count(*), max(link_id) from identity.links") == before


def test_an_id_survives_the_number_that_arrives_later(city: City) -> None:
    city.put("b", name="王小明", phone=PHONE)
    city.put("c", name="王小明", phone=PHONE)
    city.link()
    first = city.ids()
    assert first["b"] == first["c"]
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    assert city.link().mode == "incremental"
    assert set(city.ids().values()) == {first["b"]}
    assert city.rows("select event from identity.events order by event_id")[-1] == ("adopted",)


def test_a_merge_keeps_the_older_id_and_leaves_a_redirect(city: City) -> None:
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    city.link()
    city.put("b", name="王小明")
    city.link()
    old = city.ids()
    assert old["a"] != old["b"]
    city.put("b", name="王小明", phone=PHONE)
    city.link()
    assert set(city.ids().values()) == {old["a"]}
    last = city.rows("select event, subject_id, other_subject_id from identity.events order by event_id")[-1]
    assert last == ("merged", old["b"], old["a"])


def test_a_record_that_is_gone_keeps_no_subject_from_being_merged(city: City) -> None:
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    for key in "bc":
        city.put(key, name="李红", phone="13912340002")
    city.link()
    old = city.ids()
    assert old["b"] == old["c"] != old["a"]
    city.drop("c")
    city.link()
    city.put("b", name="李红", phone="13912340002", citizen_no=NUMBER)
    city.link()
    last = city.rows("select event, subject_id, other_subject_id from identity.events order by event_id")[-1]
    assert last == ("merged", old["b"], old["a"])


def test_two_people_may_undo_a_link_and_it_stays_undone(city: City) -> None:
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    city.put("b", name="王小明", phone=PHONE)
    city.link()
    joined = city.ids()
    decide(city, ("civil_affairs", "residents", "a"), ("s", "t", "b"), "cannot_link")
    city.link()
    apart = city.ids()
    assert apart["a"] == joined["a"] != apart["b"]
    assert city.rows("select event from identity.events order by event_id")[-1] == ("split",)
    city.link(full=True)
    assert city.ids() == apart


def test_a_decision_against_certified_numbers_moves_nobody(city: City) -> None:
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    city.put("o", name="李红", citizen_no=OTHER)
    city.link()
    before = city.ids()
    decide(city, ("civil_affairs", "residents", "a"), ("s", "t", "o"), "must_link")
    city.link()
    assert city.ids() == before
    # Nor does one that came before the number: the number counts.
    city.put("b", name="王小明")
    decide(city, ("civil_affairs", "residents", "a"), ("s", "t", "b"), "cannot_link")
    city.link()
    assert city.ids()["b"] != before["a"]
    city.put("b", name="王小明", citizen_no=NUMBER)
    city.link()
    assert city.ids() == before | {"b": before["a"]}


def test_a_question_is_asked_once_and_withdrawn_when_it_is_settled(city: City) -> None:
    twin = {**RESIDENT, "phone": None}
    city.put("a", **REGISTER, **twin, citizen_no=NUMBER)
    city.put("n", **REGISTER, **twin, citizen_no="310224196001010011")
    city.put("b", name="王小明", birth_on="1960-01-01", sex_code="male")
    assert city.link().asked == 2
    state = "select item_id, reason, state, opened_run_id from identity.review_items order by item_id"
    asked = city.rows(state)
    city.link(full=True)
    assert city.rows(state) == asked
    city.put("b", name="王小明", birth_on="1960-01-01", sex_code="male", citizen_no=NUMBER)
    city.link()
    assert {row[2] for row in city.rows(state)} == {"superseded"}


def test_a_decided_question_is_never_opened_again(city: City) -> None:
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    city.put("b", **REGISTER, **RESIDENT)
    assert city.link().asked == 1
    with city.database.psycopg("owner") as connection:
        connection.execute("update identity.review_items set state = 'decided'")
    city.link(full=True)
    assert city.rows("select state from identity.review_items") == [("decided",)]


def test_losing_a_number_keeps_the_id(city: City) -> None:
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    city.put("o", name="李红", citizen_no=NUMBER)
    city.link()
    before = city.ids()
    city.put("o", name="李红")
    city.link()
    assert city.ids() == before


OLD_NUMBER, CODE = "310115000123456", "91310115MA00187E3W"
FIRM: dict[str, Any] = {"name": "上海香凯鼎美发有限公司", "legal_rep_key": "token", "established_on": "2009-03-02"}


def firm_links(city: City) -> dict[str, str]:
    return dict(
        city.rows("select record_key, subject_id from identity.current_links where subject_kind = 'enterprise'")
    )


def put_entry(city: City, number: str, **values: Any) -> None:
    """An entry of the register of enterprises."""
    city.do("delete from identity.int_enterprise_records where record_key = %s", number)
    key = number if len(number) == 18 else f"REG{number}"
    at = {"system": "market_supervision", "table_name": "enterprises"}
    add_record(city.database, number, kind="enterprise", **at, enterprise_key=key, code_written=number, **values)


def test_a_firm_keeps_its_id_when_its_number_is_replaced_and_its_new_entry_moves_on(city: City) -> None:
    put_entry(city, OLD_NUMBER, **FIRM)
    add_record(city.database, "case", kind="enterprise", name=FIRM["name"])
    city.link()
    first = firm_links(city)
    assert first["case"] == first[OLD_NUMBER]
    put_entry(city, CODE, **FIRM)
    city.link()
    assert firm_links(city) == first | {CODE: first[OLD_NUMBER]}
    assert city.rows("select event from identity.events order by event_id")[-1] == ("adopted",)
    put_entry(city, CODE, **FIRM | {"legal_rep_key": "another"})
    city.link()
    city.link(full=True)
    assert len(set(firm_links(city).values())) == 1
    assert city.rows("select * from identity.review_items where state = 'open'") == []
    at = ("market_supervision", "enterprises")
    decide(city, (*at, OLD_NUMBER), (*at, CODE), "cannot_link", kind="enterprise")
    city.link()
    apart = firm_links(city)
    assert apart[CODE] == first[OLD_NUMBER] != apart[OLD_NUMBER]


def random_record(rng: random.Random) -> dict[str, Any]:
    certified = rng.choice([None, None, NUMBER, OTHER])
    return {
        "name": rng.choice(["王小明", "王晓明", "王女士", "李红", None]),
        "phone": rng.choice([PHONE, "13912340002", None]),
        "birth_on": rng.choice(["1960-01-01", None]),
        "sex_code": rng.choice(["male", None]),
        "citizen_no": certified,
        "citizen_no_written": None if certified else rng.choice([None, "310115196001010071"]),
        **(REGISTER if rng.random() < 0.2 else {}),
    }


def decide_by_chance(city: City, rng: random.Random) -> None:
    """Two people agree on some two records."""
    records = city.rows("select system, table_name, record_key from identity.int_person_records order by 1, 2, 3")
    left, right = sorted(rng.sample(records, 2))
    decide(city, left, right, rng.choice(["must_link", "cannot_link"]))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_alone_give_what_everything_gives(city: City, seed: int) -> None:
    """Days of arrivals, changes, departures and decisions: pairs, links and questions of a comparison of everything."""
    rng = random.Random(seed)
    for key in range(20):
        city.put(f"k{key:02d}", **random_record(rng))
    city.link()
    said = city.said()
    assert city.link(full=True).resolved.linked == 0
    assert city.said() == said
    for _ in range(3):
        for key in rng.sample(range(24), 4):
            city.put(f"k{key:02d}", **random_record(rng))
        city.drop(f"k{rng.randrange(24):02d}")
        if rng.random() < 0.5:
            decide_by_chance(city, rng)
        assert city.link().mode == "incremental"
        pairs, ids, said = city.pairs(), city.ids(), city.said()
        assert city.link(full=True).resolved.linked == 0
        assert city.pairs() == pairs
        assert city.ids() == ids
        assert city.said() == said
        subjects: dict[str, set[str]] = {}
        for key, number in city.rows("select record_key, citizen_no from identity.int_person_records"):
            if number:
                subjects.setdefault(ids[key], set()).add(number)
        assert all(len(numbers) == 1 for numbers in subjects.values())


def test_a_telephone_that_becomes_everybodys_is_taken_out_of_pairs_that_did_not_change(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity.faces.PHONE_NAMES", 2)
    city.put("a", **REGISTER, **RESIDENT, citizen_no=NUMBER)
    city.put("b", name="王小明", phone=PHONE)
    city.put("c", name="李红", phone=PHONE)
    city.link()
    joined = city.ids()
    assert joined["a"] == joined["b"]
    for arrives in (True, False):
        city.drop("d")
        if arrives:
            city.put("d", name="张国建", phone=PHONE)
        assert city.link().mode == "incremental"
        assert len(city.pairs()) == (0 if arrives else 1)
        pairs, ids, said = city.pairs(), city.ids(), city.said()
        assert city.link(full=True).resolved.linked == 0
        assert (city.pairs(), city.ids(), city.said()) == (pairs, ids, said)
    # Whoever belonged to a certified resident stays there while nothing better is found.
    assert city.ids() == joined


def test_an_empty_hub_is_linked_without_a_word(city: City) -> None:
    result = city.link()
    assert (result.pairs, result.asked, result.resolved.linked) == (0, 0, 0)


def test_ledgers_of_linkage_are_append_only_for_the_pipeline(city: City) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        city.do("update identity.links set method = 'model'")
