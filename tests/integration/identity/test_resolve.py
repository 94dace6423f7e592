"""Ids for ever: every rule of the resolution on a real database, day after day."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.resolve import resolve
from warehouse.database import Database

Record = tuple[str, str | None]  # key, certified number


@pytest.fixture
def hub(database: Database) -> Iterator[Database]:
    with database.psycopg("pipeline") as connection:
        for relation, key in (("int_person_records", "citizen_no_key"), ("int_enterprise_records", "enterprise_key")):
            connection.execute(
                f"create table identity.{relation} (system text, table_name text, record_key text, {key} text)"
            )
    return database


def day(hub: Database, *records: Record, run: str = "run") -> dict[str, str]:
    """Deliver these person records, resolve, and return key → resident id."""
    with hub.psycopg("pipeline") as connection:
        connection.execute("truncate identity.int_person_records")
        with connection.cursor() as cursor:
            cursor.executemany("insert into identity.int_person_records values ('s', 't', %s, %s)", records)
    resolve(hub, run_id=run)
    with hub.psycopg("pipeline") as connection:
        rows = connection.execute(
            "select l.record_key, l.subject_id from identity.current_links as l"
            " join identity.int_person_records as r using (system, table_name, record_key)"
        ).fetchall()
    return dict(rows)


def events(hub: Database) -> list[tuple[str, str, str | None]]:
    with hub.psycopg("pipeline") as connection:
        return connection.execute(
            "select event, subject_id, other_subject_id from identity.events order by event_id"
        ).fetchall()  # type: ignore[return-value]


def test_records_with_one_number_are_one_subject_and_the_rest_have_their_own(hub: Database) -> None:
    ids = day(hub, ("a", "N1"), ("b", "N1"), ("c", None), ("d", None))
    assert ids["a"] == ids["b"]
    assert len(set(ids.values())) == 3
    assert all(len(value) == 17 and value.startswith("R") for value in ids.values())


def test_a_second_resolution_appends_nothing(hub: Database) -> None:
    day(hub, ("a", "N1"), ("b", None))
    before = events(hub)
    result = resolve(hub, run_id="again")["resident"]
    assert not result.changed
    assert events(hub) == before


def test_a_number_arriving_later_adopts_the_id(hub: Database) -> None:
    first = day(hub, ("a", None))
    second = day(hub, ("a", "N1"), ("b", "N1"))
    assert second["a"] == first["a"] == second["b"]
    assert events(hub)[-1][0] == "adopted"


def test_a_number_that_belongs_to_another_merges_with_a_redirect(hub: Database) -> None:
    first = day(hub, ("a", "N1"), ("b", None))
    second = day(hub, ("a", "N1"), ("b", "N1"))
    assert second["b"] == first["a"]
    assert events(hub)[-1] == ("merged", first["b"], first["a"])


def test_a_corrected_number_leaves_the_first_persons_id_alone(hub: Database) -> None:
    first = day(hub, ("a", "N1"), ("b", "N1"))
    second = day(hub, ("a", "N2"), ("b", "N1"))
    assert second["b"] == first["b"]
    assert second["a"] != first["a"]
    assert events(hub)[-1] == ("split", first["a"], second["a"])


def test_records_that_part_are_told_one_by_one(hub: Database) -> None:
    first = day(hub, ("a", "N1"), ("b", "N1"))
    second = day(hub, ("a", "N2"), ("b", "N3"))
    left = first["a"]
    assert events(hub)[-3:] == [("split", left, second["a"]), ("split", left, second["b"]), ("retired", left, None)]


def test_an_id_nobody_speaks_of_is_retired_and_restored_with_its_record(hub: Database) -> None:
    first = day(hub, ("a", "N1"), ("b", None))
    day(hub, ("a", "N1"))
    assert events(hub)[-1] == ("retired", first["b"], None)
    before = events(hub)
    assert day(hub, ("a", "N1"), run="again") == {"a": first["a"]}
    assert events(hub) == before
    assert day(hub, ("a", "N1"), ("b", None)) == first
    assert events(hub)[-1] == ("restored", first["b"], None)


def test_losing_the_number_keeps_the_id(hub: Database) -> None:
    first = day(hub, ("a", "N1"), ("b", "N1"))
    assert day(hub, ("a", None), ("b", "N1")) == first


def test_two_subjects_that_receive_one_number_keep_the_older_id(hub: Database) -> None:
    first = day(hub, ("a", None))
    first |= day(hub, ("a", None), ("b", None))
    second = day(hub, ("a", "N1"), ("b", "N1"))
    assert set(second.values()) == {first["a"]}
    assert events(hub)[-1] == ("merged", first["b"], first["a"])


def test_a_record_that_comes_back_finds_its_id(hub: Database) -> None:
    first = day(hub, ("a", "N1"), ("b", None))
    day(hub, ("c", None))
    assert day(hub, ("a", "N1"), ("b", None)) == first


numbers = st.one_of(st.none(), st.sampled_from(["N1", "N2", "N3"]))
days = st.lists(st.dictionaries(st.sampled_from("abcde"), numbers, min_size=1), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=days)
def test_whatever_happens_two_numbers_never_share_an_id(hub: Database, history: list[dict[str, str | None]]) -> None:
    with hub.psycopg("owner") as connection:
        connection.execute(
            "delete from identity.links; delete from identity.events; delete from identity.identifiers;"
            " delete from identity.subjects"
        )
    before: dict[str, str] = {}
    for records in history:
        known = len(events(hub))
        ids = day(hub, *records.items())
        assert ids.keys() == records.keys()
        for one, number in records.items():
            for other, other_number in records.items():
                if number is not None and other_number is not None:
                    assert (ids[one] == ids[other]) == (number == other_number)
        told = events(hub)[known:]
        went = {(old, new) for event, old, new in told if event in ("merged", "split")}
        assert {(before[key], ids[key]) for key in before.keys() & ids.keys() if before[key] != ids[key]} <= went
        ended = {subject for event, subject, _ in told if event in ("merged", "retired")}
        assert set(before.values()) - set(ids.values()) == ended & set(before.values())
        assert day(hub, *reversed(records.items())) == ids
        assert events(hub)[known:] == told
        before = ids
