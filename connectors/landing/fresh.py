"""The first rows of a table: the stage takes the place of a raw table that is empty.

Writing the rows a second time costs more than everything else a first load does. Raw's bookkeeping is the same for all
rows of one batch, so its columns are added with a default, which Postgres notes once and writes into no row.
"""

from __future__ import annotations

from typing import Any

import psycopg

from connectors.contract import TableContract
from connectors.contract.ddl import BOOKKEEPING, quote, quote_qualified, raw_table_ddl
from connectors.landing.names import key_list

Connection = psycopg.Connection[tuple[Any, ...]]

# What names raw by its identity would be left with the old table: views, keys of other tables, publications. The stage
# is made by the same role under the same default rights; rights somebody gave to raw alone would be lost.
_IS_REPLACEABLE = """
select raw.relowner = stage.relowner and raw.relacl is not distinct from stage.relacl
    and not exists (
        select 1 from pg_depend as d
        where d.refclassid = 'pg_class'::regclass and d.refobjid = raw.oid and d.deptype = 'n'
    )
    and not exists (select 1 from pg_publication_rel as p where p.prrelid = raw.oid)
    and not exists (select 1 from pg_trigger as t where t.tgrelid = raw.oid and not t.tgisinternal)
    and not raw.relrowsecurity
from pg_class as raw, pg_class as stage
where raw.oid = %s::regclass and stage.oid = %s::regclass
"""


def is_empty(connection: Connection, table: TableContract) -> bool:
    """Whether raw holds no row, not even one that is marked deleted."""
    row = connection.execute(
        f"select not exists (select 1 from {quote_qualified(table.qualified_name)})".encode()
    ).fetchone()
    return row is not None and bool(row[0])


def can_become_raw(connection: Connection, table: TableContract, stage: str) -> bool:
    """Whether nothing depends on which table raw is."""
    names = [quote_qualified(table.qualified_name), quote_qualified(stage)]
    row = connection.execute(_IS_REPLACEABLE, names).fetchone()
    return row is not None and bool(row[0]) and is_empty(connection, table)


def add_key(connection: Connection, table: TableContract, stage: str) -> bool:
    """Give the stage raw's primary key; False, and nothing done, where a key is repeated."""
    statement = f"alter table {quote_qualified(stage)} add constraint {_key(table)} primary key ({key_list(table)})"
    try:
        with connection.transaction():
            connection.execute(statement.encode())
    except psycopg.errors.UniqueViolation:
        return False
    return True


def drop_key(connection: Connection, table: TableContract, stage: str) -> None:
    """Take the key off again, in the caller's transaction."""
    connection.execute(f"alter table {quote_qualified(stage)} drop constraint if exists {_key(table)}".encode())


def become_raw(connection: Connection, table: TableContract, stage: str, batch_id: int) -> None:
    """Put the stage, which has its key, in raw's place, in the caller's transaction."""
    raw, staged = quote_qualified(table.qualified_name), quote_qualified(stage)
    (key,) = connection.execute(
        "select conname from pg_constraint where conrelid = %s::regclass and contype = 'p'", [raw]
    ).fetchone() or (f"{table.name}_pkey",)
    defaults = {"_batch_id": str(batch_id), "_first_batch_id": str(batch_id), "_changed_at": "now()"}
    changes = ["drop column _arrival"]
    changes += [
        f"add column {name} {kind}" + (f" default {defaults[name]}" if name in defaults else "")
        for name, kind in BOOKKEEPING
        if name != "_row_hash"
    ]
    statements = [
        f"drop table {raw}",
        f"alter table {staged} {', '.join(changes)}",
        f"alter table {staged} {', '.join(f'alter column {name} drop default' for name in defaults)}",
        f"alter table {staged} rename constraint {_key(table)} to {quote(key)}",
        f"alter table {staged} rename to {quote(table.name)}",
        *raw_table_ddl(table),
    ]
    for statement in statements:
        connection.execute(statement.encode())


def _key(table: TableContract) -> str:
    return quote(f"_stage_{table.name}_key")
