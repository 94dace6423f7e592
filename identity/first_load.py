"""The first linkage of a hub: millions of certified records into empty ledgers, checked all together at the end.

Row by row, each of them would be looked up in every index and foreign key of the ledgers, which takes ten times as
long as the rest. So the constraints are off while they are written (only where every ledger is empty, only until the
same transaction ends: `identity.begin_first_load` in the warehouse sees to both). The certified records, which need no
model to be told apart, are written and checked while the others are still being compared; of these few ids are new,
but each has a link: only the constraints of the links wait for the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from identity.model import KINDS, Kind
from identity.resolve import KINDS as RECORDS
from identity.resolve import Resolved, configure

_SQL = Path(__file__).with_name("first_load.sql").read_text(encoding="utf-8")
# What the certified records complete but for a few rows.
_COMPLETE = "array['identity.subjects', 'identity.identifiers', 'identity.events']::regclass[]"
# One sort of a city's identifiers (0.9 GB at 6 million), one sort of an index. Limits, not claims.
_MEMORY = {"work_mem": "1GB", "maintenance_work_mem": "1GB"}


def begin_first_load(connection: psycopg.Connection[Any]) -> bool:
    """Take the constraints off, if nobody has ever been linked here; says whether that is so."""
    there = connection.execute(
        "select exists (select 1 from identity.subjects) or exists (select 1 from identity.links)"
    ).fetchone()
    assert there is not None
    if there[0]:
        return False
    connection.execute("select identity.begin_first_load()")
    for name, value in _MEMORY.items():
        connection.execute("select set_config(%s, %s, true)", [name, value])
    return True


def end_first_load(connection: psycopg.Connection[Any]) -> None:
    """Put the constraints that are off on again: every row of the ledgers is checked against them."""
    connection.execute("select identity.end_first_load()")


def link_certified(connection: psycopg.Connection[Any], run_id: str) -> dict[Kind, Resolved]:
    """Mint and link all records that hold a certified identifier. What is left is for `resolve_kind`."""
    linked: dict[Kind, Resolved] = {}
    for kind in KINDS:
        relation, key, _ = RECORDS[kind]
        configure(connection, kind, run_id, is_first_load=True)
        connection.execute(_SQL.format(relation=relation, key=key).encode())
        row = connection.execute("select count(*) filter (where place = 1), count(*) from certified").fetchone()
        assert row is not None
        connection.execute("drop table certified")
        linked[kind] = Resolved(records=row[1], minted=row[0], adopted=0, merged=0, split=0, linked=row[1])
    connection.execute(f"select identity.end_first_load({_COMPLETE})")
    return linked
