"""The first linkage of a hub: millions of certified records into empty ledgers, checked all together at the end.

Row by row, each of them would be looked up in every index and foreign key of the ledgers, which takes ten times as
long as the rest. So the constraints are off while they are written (only where every ledger is empty, only until the
same transaction ends: `identity.begin_first_load` in the warehouse sees to both), and the certified records, which
need no model to be told apart, are written while the others are still being compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from identity.model import Kind
from identity.resolve import KINDS, Resolved, configure

_SQL = Path(__file__).with_name("first_load.sql").read_text(encoding="utf-8")
# One hash table of a city's identifiers (1 GB at 6 million), one sort of an index. Limits, not claims.
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
    """Put the constraints on again: every row of the ledgers is checked against them."""
    connection.execute("select identity.end_first_load()")


def link_certified(connection: psycopg.Connection[Any], kind: Kind, run_id: str) -> Resolved:
    """Mint and link all records that hold a certified identifier. What is left is for `resolve_kind`."""
    relation, key, _ = KINDS[kind]
    configure(connection, kind, run_id, is_first_load=True)
    connection.execute(_SQL.format(relation=relation, key=key).encode())
    row = connection.execute("select count(*), coalesce(sum(records_count), 0)::bigint from certified").fetchone()
    assert row is not None
    connection.execute("drop table certified")
    return Resolved(records=row[1], minted=row[0], adopted=0, merged=0, split=0, linked=row[1])
