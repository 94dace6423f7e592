"""A hub with records and a review queue in it, as dbt and the linkage would leave them."""

from __future__ import annotations

from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse.database import Database

PERSON_COLUMNS = (
    "system text, table_name text, record_key text, role text, name text, citizen_no text, citizen_no_written text,"
    " citizen_no_key text, citizen_no_grade text, birth_on date, sex_code text, phone text, home_address text,"
    " town_code text, near_committee_code text, updated_at timestamptz, changed_at timestamptz default now()"
)
ENTERPRISE_COLUMNS = (
    "system text, table_name text, record_key text, role text, name text, enterprise_key text, enterprise_grade text,"
    " code_written text, legal_rep_name text, legal_rep_key text, established_on date, town_code text, address text,"
    " updated_at timestamptz, changed_at timestamptz default now()"
)
# GB 11643's own example, a transposition of it, and a third valid number.
VALID = "11010519491231002X"
TRANSPOSED = "11010519491321002X"
OTHER_VALID = "440524188001010014"
WATERFALL = [
    {"comparison": "prior", "level": "prior", "weight": -20.1},
    {"comparison": "name", "level": "same", "weight": 9.2},
    {"comparison": "birth", "level": "near", "weight": 3.0},
]
# What a weight of -7.9 bits comes to.
PROBABILITY = 1 / (1 + 2**7.9)


def make_records(db: Database) -> None:
    """The two tables of records, empty."""
    with db.psycopg("pipeline") as connection:
        connection.execute(f"create table identity.int_person_records ({PERSON_COLUMNS})")
        connection.execute(f"create table identity.int_enterprise_records ({ENTERPRISE_COLUMNS})")


def add_record(db: Database, key: str, *, kind: str = "resident", **values: Any) -> None:
    """One record; a resident's number given as `citizen_no` is certified, as `citizen_no_written` repairable."""
    row = {"system": "s", "table_name": "t", "record_key": key} | values
    if kind == "resident":
        certified = row.get("citizen_no")
        row.setdefault("citizen_no_key", certified and f"token-{certified}")
        written = row.get("citizen_no_written")
        row.setdefault("citizen_no_grade", "certified" if certified else "repairable" if written else "missing")
    relation = "int_person_records" if kind == "resident" else "int_enterprise_records"
    statement = sql.SQL("insert into identity.{} ({}) values ({})").format(
        sql.Identifier(relation),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    with db.psycopg("pipeline") as connection:
        connection.execute(statement, list(row.values()))


def add_item(
    db: Database, left: str, right: str, *, kind: str = "resident", reason: str = "between", **values: Any
) -> int:
    """One item of the queue on records (s, t, left) and (s, t, right)."""
    with db.psycopg("pipeline") as connection:
        row = connection.execute(
            "insert into identity.review_items (subject_kind, left_system, left_table, left_key, right_system,"
            " right_table, right_key, reason, probability, match_weight, waterfall, state, opened_run_id)"
            " values (%s, 's', 't', %s, 's', 't', %s, %s, %s, %s, %s, %s, 'run') returning item_id",
            [
                *(kind, left, right, reason, values.get("probability", PROBABILITY), values.get("match_weight", -7.9)),
                *(Jsonb(values.get("waterfall", WATERFALL)), values.get("state", "open")),
            ],
        ).fetchone()
    assert row is not None
    return int(row[0])


def add_pair(db: Database, **values: Any) -> int:
    """Two records of one person, one with a transposed number, and the item that asks about them."""
    same = {"name": "王小明", "birth_on": "1949-12-31", "sex_code": "female"}
    add_record(
        db,
        "a",
        **same,
        citizen_no=VALID,
        phone="13812345678",
        home_address="上海市浦东新区张杨路500号",
        near_committee_code="310115004001",
        role="resident",
    )
    add_record(
        db,
        "b",
        **same,
        citizen_no_written=TRANSPOSED,
        phone="13812345679",
        near_committee_code="310115004002",
        role="elder",
    )
    return add_item(db, "a", "b", **values)
