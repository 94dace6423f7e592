"""The first load of a hub: fast because the constraints come last, and they do come."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from identity.link import link
from tests.integration.review_queue import add_record, make_records
from warehouse.database import Database

CONSTRAINTS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated from pg_constraint
where connamespace = 'identity'::regnamespace
union all
select tablename, indexname, indexdef, true from pg_indexes where schemaname = 'identity'
order by 1, 2
"""


def constraints(database: Database) -> list[tuple[object, ...]]:
    with database.psycopg("owner") as connection:
        return [row for row in connection.execute(CONSTRAINTS).fetchall() if "int_" not in str(row[0])]


def test_a_first_load_leaves_every_constraint_and_index_as_it_was(database: Database, tmp_path: Path) -> None:
    before = constraints(database)
    make_records(database)
    add_record(database, "a", name="王小明", citizen_no="310115196001010017")
    add_record(database, "b", name="王小明", citizen_no="310115196001010017")
    add_record(database, "c", name="李红")
    result = link(database, run_id="first", home=tmp_path)["resident"].resolved
    assert (result.records, result.minted, result.linked) == (3, 2, 3)
    assert constraints(database) == before
    with database.psycopg("owner") as connection:
        assert connection.execute("select count(*) from identity.first_load").fetchone() == (0,)


def test_no_transaction_ends_with_the_constraints_off(database: Database) -> None:
    before = constraints(database)
    connection = database.psycopg("pipeline")
    connection.execute("select identity.begin_first_load()")
    # What is complete may come back before the rest: the rest still has to.
    connection.execute("select identity.end_first_load(array['identity.subjects', 'identity.events']::regclass[])")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="without their constraints"):
        connection.commit()
    connection.close()
    assert constraints(database) == before


def test_what_breaks_a_constraint_is_found_when_they_come_back(database: Database) -> None:
    with database.psycopg("pipeline") as connection:
        connection.execute("select identity.begin_first_load()")
        connection.execute(
            "insert into identity.identifiers (subject_kind, identifier, subject_id, since_run_id)"
            " values ('resident', 'n', 'nobody', 'run')"
        )
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("select identity.end_first_load()")


def test_ledgers_that_hold_anything_keep_their_constraints(database: Database) -> None:
    with database.psycopg("pipeline") as connection:
        connection.execute(
            "insert into identity.subjects (subject_id, subject_kind, minted_system, minted_table, minted_key,"
            " minted_run_id) values ('R1', 'resident', 's', 't', 'k', 'run')"
        )
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not empty"):
            connection.execute("select identity.begin_first_load()")
