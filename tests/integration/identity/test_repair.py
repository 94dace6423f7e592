"""Repair proposals on a real database: what is supported is proposed, nothing else is, and nothing is applied."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.identifiers import citizen_birth_on, citizen_sex, identify_citizen_no
from identity.candidates import candidates
from identity.link import link
from identity.queue import PAIR, write_queue
from identity.repair import Proposed, list_proposals, propose_repairs
from sharing import review
from tests.integration.review_queue import OTHER_VALID, TRANSPOSED, VALID, add_item, add_record, make_records
from tests.unit.identity.test_candidates import slips
from warehouse.database import Database
from warehouse.tokens import citizen_token

NOTHING = Proposed(0, 0, 0, 0)
BORN = date(1949, 12, 31)


@pytest.fixture
def hub(database: Database) -> Database:
    make_records(database)
    return database


def certified(hub: Database, key: str, number: str = VALID, **values: Any) -> None:
    add_record(hub, key, citizen_no=number, citizen_no_key=citizen_token(number), **{"name": "王小明"} | values)


def mistyped(hub: Database, key: str, written: str = TRANSPOSED, **values: Any) -> None:
    grade = identify_citizen_no(written).grade
    add_record(hub, key, citizen_no_written=written, citizen_no_grade=grade, **{"name": "王小明"} | values)


def look(hub: Database) -> Proposed:
    return propose_repairs(hub, run_id="run")


def change(hub: Database, statement: str, *values: Any) -> None:
    with hub.psycopg("pipeline") as connection:
        connection.execute(statement, values)


def told(hub: Database) -> list[tuple[str, str, int, str, str]]:
    found = list_proposals(hub)
    return sorted((one.record_key, one.kind, one.position, one.other_key, one.state) for one in found)


def test_a_certified_number_one_slip_away_is_proposed_and_asked_about(hub: Database) -> None:
    certified(hub, "a", birth_on=BORN, phone="1")
    mistyped(hub, "b", birth_on=BORN, phone="2", sex_code="female")
    assert look(hub) == Proposed(examined=1, proposed=1, superseded=0, opened=1)
    assert told(hub) == [("b", "transposition", 12, "a", "open")]
    assert list_proposals(hub)[0].evidence == {"agrees": ["citizen_no", "name", "birth_on"], "differs": ["phone"]}
    (item,), total = review.queue(hub)
    assert (total, item.reason, item.left_key, item.right_key) == (1, "repair", "a", "b")
    assert item.proposals[0]["side"] == "right"


def test_a_second_look_does_nothing(hub: Database) -> None:
    certified(hub, "a")
    mistyped(hub, "b")
    look(hub)
    before = list_proposals(hub)
    assert look(hub) == NOTHING
    assert list_proposals(hub) == before


def test_nothing_is_applied_and_no_number_is_kept(hub: Database) -> None:
    certified(hub, "a")
    mistyped(hub, "b")
    look(hub)
    with hub.psycopg("owner") as connection:
        kept = str(connection.execute("select * from identity.repair_proposals").fetchall())
        kept += str(connection.execute("select * from identity.repair_candidates").fetchall())
        links = connection.execute("select count(*) from identity.links").fetchone()
    assert VALID not in kept
    assert VALID[:17] not in kept
    assert links == (0,)


def test_two_people_accept_it_and_linkage_is_told(hub: Database) -> None:
    certified(hub, "a")
    mistyped(hub, "b")
    look(hub)
    item = review.queue(hub)[0][0].item_id
    for clerk in "AB":
        review.give_opinion(hub, item, verdict="same", clerk=clerk, why="same file")
    assert told(hub)[0][-1] == "accepted"
    with hub.psycopg("pipeline") as connection:
        decided = connection.execute("select verdict, left_key, right_key from identity.decisions_in_force").fetchall()
    assert decided == [("must_link", "a", "b")]
    assert look(hub) == NOTHING


@pytest.mark.parametrize(
    "other",
    [
        {"name": "李小明"},
        {"name": "王小亮"},
        {"name": None},
        {"birth_on": date(1950, 1, 1)},
        {"number": OTHER_VALID},
    ],
)
def test_without_support_nothing_is_proposed(hub: Database, other: dict[str, Any]) -> None:
    certified(hub, "a", **other)
    mistyped(hub, "b")
    assert look(hub).proposed == 0
    assert review.queue(hub)[1] == 0


@pytest.mark.parametrize("own", [{"birth_on": date(1949, 11, 30)}, {"sex_code": "male"}])
def test_what_the_record_says_itself_must_fit(hub: Database, own: dict[str, Any]) -> None:
    certified(hub, "a")
    mistyped(hub, "b", **own)
    assert look(hub).proposed == 0


@pytest.mark.parametrize("name", ["王曉明", "王晓明", "王女士", "王小鸣", "王＊"])
def test_names_may_differ_in_script_sound_or_what_they_tell(hub: Database, name: str) -> None:
    certified(hub, "a", name="王晓明")
    mistyped(hub, "b", name=name)
    assert look(hub).proposed == 1


def test_support_that_comes_later_is_found(hub: Database) -> None:
    mistyped(hub, "b")
    assert look(hub) == Proposed(1, 0, 0, 0)
    certified(hub, "a")
    assert look(hub) == Proposed(0, 1, 0, 1)


def test_a_name_and_a_birth_date_single_a_number_out(hub: Database) -> None:
    # A slip in the birth date (12-31 written 12-13): the register's date leaves one number.
    add_record(hub, "a", name="王小明", birth_on=BORN)
    mistyped(hub, "b", VALID[:12] + "13" + VALID[14:])
    assert look(hub).proposed == 1
    assert told(hub) == [("b", "transposition", 13, "a", "open")]
    assert list_proposals(hub)[0].evidence["agrees"] == ["name", "birth_on"]


def test_a_name_and_a_birth_date_that_leave_many_numbers_propose_none(hub: Database) -> None:
    add_record(hub, "a", name="王小明", birth_on=BORN)
    mistyped(hub, "b", VALID[:2] + "9" + VALID[3:])
    assert look(hub) == Proposed(1, 0, 0, 0)


def test_a_date_that_forms_fill_in_vouches_for_nobody(hub: Database) -> None:
    add_record(hub, "a", name="王小明", birth_on=BORN)
    mistyped(hub, "b", VALID[:12] + "13" + VALID[14:])
    change(
        hub,
        "insert into identity.int_person_records (system, table_name, record_key, name, birth_on, citizen_no_grade)"
        " select 's', 't', 'd' || n, '王小明', %s, 'missing' from generate_series(1, 500) as n",
        BORN,
    )
    assert look(hub) == Proposed(1, 0, 0, 0)


def test_nobody_and_nothing_but_nulls_give_nothing(hub: Database) -> None:
    assert look(hub) == NOTHING
    for key in "ab":
        add_record(hub, key, citizen_no_grade=None, changed_at=None)
    assert look(hub) == NOTHING


def test_one_mistyped_number_in_many_records_is_one_question_each(hub: Database) -> None:
    certified(hub, "a")
    change(
        hub,
        "insert into identity.int_person_records (system, table_name, record_key, name, citizen_no_written,"
        " citizen_no_grade) select 's', 't', 'm' || n, case when n <= 3 then '王小明' else '无名氏' end, %s,"
        " 'repairable' from generate_series(1, 1000) as n",
        TRANSPOSED,
    )
    assert look(hub) == Proposed(examined=1000, proposed=3, superseded=0, opened=3)


def test_a_certified_record_of_that_name_and_date_says_nothing_about_another_number(hub: Database) -> None:
    certified(hub, "a", OTHER_VALID, birth_on=BORN)
    mistyped(hub, "b", VALID[:12] + "13" + VALID[14:])
    assert look(hub).proposed == 0


def test_a_number_corrected_at_the_source_closes_the_question(hub: Database) -> None:
    certified(hub, "a")
    mistyped(hub, "b")
    look(hub)
    change(
        hub,
        "update identity.int_person_records set citizen_no = %s, citizen_no_key = %s, citizen_no_grade = 'certified',"
        " citizen_no_written = null, changed_at = now() where record_key = 'b'",
        *(VALID, citizen_token(VALID)),
    )
    assert look(hub) == Proposed(examined=0, proposed=0, superseded=1, opened=0)
    assert (told(hub)[0][-1], review.queue(hub)[1]) == ("superseded", 0)


@pytest.mark.parametrize("other", [None, "c"])
def test_support_that_goes_takes_the_proposal_unless_another_stands_in(hub: Database, other: str | None) -> None:
    certified(hub, "a", birth_on=BORN)
    mistyped(hub, "b")
    if other:
        certified(hub, other)
    look(hub)
    change(hub, "delete from identity.int_person_records where record_key = 'a'")
    look(hub)
    assert told(hub)[0][3:] == (other or "a", "open" if other else "superseded")
    assert [item.state for item in review.queue(hub)[0]] == (["open"] if other else [])


def test_records_that_are_one_subject_already_are_not_asked_about(hub: Database) -> None:
    certified(hub, "a")
    mistyped(hub, "b")
    link = (
        "with s as (insert into identity.subjects (subject_id, subject_kind, minted_system, minted_table, minted_key,"
        " minted_run_id) values ('R1', 'resident', 's', 't', 'a', 'r') returning subject_id)"
        " insert into identity.links (subject_kind, system, table_name, record_key, subject_id, method, run_id)"
        " select 'resident', 's', 't', key, 'R1', 'certified', 'r' from s, unnest(array['a', 'b']) as key"
    )
    look(hub)
    assert review.queue(hub)[1] == 1
    change(hub, link)
    look(hub)
    assert (review.queue(hub)[1], told(hub)[0][-1]) == (0, "open")


def test_an_item_of_the_linkage_is_used_and_not_doubled(hub: Database) -> None:
    certified(hub, "a")
    mistyped(hub, "b")
    change(
        hub,
        "insert into identity.review_items (subject_kind, left_system, left_table, left_key, right_system, right_table,"
        " right_key, reason, opened_run_id) values ('resident', 's', 't', 'a', 's', 't', 'b', 'between', 'r')",
    )
    assert look(hub).opened == 0
    (item,), _ = review.queue(hub)
    assert (item.reason, len(item.proposals)) == ("between", 1)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(slips(), st.booleans(), st.booleans())
def test_every_planted_slip_with_support_is_proposed(
    hub: Database, slip: tuple[str, str, str, int], tells_birth: bool, tells_sex: bool
) -> None:
    number, written, kind, position = slip
    change(hub, "truncate identity.int_person_records")
    certified(hub, "a", number)
    own = {"birth_on": citizen_birth_on(number)} if tells_birth else {}
    mistyped(hub, "b", written, **own, **({"sex_code": citizen_sex(number)} if tells_sex else {}))
    look(hub)
    assert [("b", kind, position, "a", "open")] == [one for one in told(hub) if one[-1] == "open"]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(slips(), slips())
def test_a_number_that_no_single_slip_explains_is_never_proposed(
    hub: Database, slip: tuple[str, str, str, int], other: tuple[str, str, str, int]
) -> None:
    written, certified_number = slip[1], other[0]
    change(hub, "truncate identity.int_person_records")
    certified(hub, "a", certified_number)
    mistyped(hub, "b", written)
    look(hub)
    one_slip_away = certified_number in candidates(pl.Series([written])).get_column("number")
    assert any(one[-1] == "open" for one in told(hub)) == one_slip_away


# Two people, each with a certified record, slips of both numbers, a namesake, and a record without a number.
POOL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("a", {"number": VALID, "birth_on": BORN}),
    ("a2", {"number": VALID, "phone": "1"}),
    ("b", {"number": OTHER_VALID, "name": "李芳"}),
    ("x", {"written": TRANSPOSED, "phone": "1"}),
    ("y", {"written": VALID[:12] + "13" + VALID[14:]}),
    ("z", {"written": OTHER_VALID[:17] + "5", "name": "李方"}),
    ("n", {"birth_on": BORN}),
)


def deliver(hub: Database, keys: Sequence[str]) -> None:
    for key, values in POOL:
        if key in keys:
            given = dict(values)
            if "number" in given:
                certified(hub, key, given.pop("number"), **given)
            elif "written" in given:
                mistyped(hub, key, given.pop("written"), **given)
            else:
                add_record(hub, key, name="王小明", **given)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from([key for key, _ in POOL])))
def test_who_comes_first_changes_nothing(hub: Database, first: set[str]) -> None:
    ledgers = ("repair_proposals", "repair_candidates", "repair_records", "repair_progress")

    def proposed(*days: list[str]) -> list[tuple[Any, ...]]:
        with hub.psycopg("owner") as connection:
            connection.execute(f"truncate {', '.join(f'identity.{name}' for name in ledgers)}")
        change(hub, "truncate identity.int_person_records")
        for keys in days:
            deliver(hub, keys)
            look(hub)
        return sorted((one.record_key, one.position, one.other_key, str(one.evidence)) for one in list_proposals(hub))

    at_once = proposed([key for key, _ in POOL])
    assert {one[0] for one in at_once} == {"x", "y", "z"}
    assert proposed(sorted(first), [key for key, _ in POOL if key not in first]) == at_once


def subjects(hub: Database) -> dict[str, str]:
    with hub.psycopg("pipeline") as connection:
        return dict(connection.execute("select record_key, subject_id from identity.current_links").fetchall())


def agree(hub: Database, verdict: review.Verdict) -> None:
    (item,), _ = review.queue(hub, states=("open", "disputed", "decided"))
    for clerk in "AB":
        review.give_opinion(hub, item.item_id, verdict=verdict, clerk=clerk, why="both files seen")


def test_once_two_people_agree_linkage_attaches_the_record_and_lets_it_go_again(hub: Database, tmp_path: Path) -> None:
    # Nothing but the number and a surname speaks for the pair: too little for the model.
    certified(hub, "a", birth_on=BORN, phone="13800000001", sex_code="female")
    mistyped(hub, "b", name="王女士", phone="13900000002")
    link(hub, run_id="one", home=tmp_path)
    assert look(hub).opened == 1
    before = subjects(hub)
    assert before["a"] != before["b"]
    agree(hub, "same")
    link(hub, run_id="two", home=tmp_path)
    assert look(hub) == NOTHING
    assert subjects(hub) == {"a": before["a"], "b": before["a"]}
    agree(hub, "different")
    link(hub, run_id="three", home=tmp_path)
    after = subjects(hub)
    assert after["a"] == before["a"] != after["b"]


@pytest.mark.parametrize(("state", "asked"), [("open", "repair"), ("superseded", "between")])
def test_linkage_may_ask_about_a_pair_again_once_its_repair_is_closed(hub: Database, state: str, asked: str) -> None:
    add_record(hub, "a")
    add_record(hub, "b")
    add_item(hub, "a", "b", reason="repair", state=state)
    pair = dict(zip(PAIR, ("s", "t", "a", "s", "t", "b"), strict=True))
    items = pl.DataFrame([pair | {"reason": "between", "conflict": None, "probability": 0.7, "match_weight": 1.2}])
    with hub.psycopg("pipeline") as connection:
        write_queue(connection, "resident", "run", items)
    assert [(item.state, item.reason) for item in review.queue(hub)[0]] == [("open", asked)]
