"""Keeps the raw tables as their contracts describe them. It adds, and refuses to change or drop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

from connectors.contract import SystemContract, TableContract
from connectors.contract.ddl import BOOKKEEPING, quote, quote_qualified, raw_table_ddl, typed_columns
from warehouse.database import Database
from warehouse.errors import ContractError

# Two loaders of one system would create its schema at the same time; held until the end of the transaction.
ENSURE_LOCK = 724_310_117

_CATALOGUE = """
select n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
from pg_class as c
inner join pg_namespace as n on n.oid = c.relnamespace
inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = any(%s) and c.relname = any(%s) and c.relkind = 'r'
"""
_KEYS = """
select n.nspname || '.' || c.relname, array_agg(a.attname::text order by k.place)
from pg_index as i
inner join pg_class as c on c.oid = i.indrelid
inner join pg_namespace as n on n.oid = c.relnamespace
cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
inner join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
where i.indisprimary and n.nspname = any(%s) and c.relname = any(%s)
group by 1
"""

Connection = psycopg.Connection[tuple[Any, ...]]
Shape = dict[str, tuple[str, bool]]


def ensure_raw(db: Database, contracts: Mapping[str, SystemContract]) -> None:
    """Create what is missing of the raw schemas, tables, keys and comments; run again, it changes nothing.

    A nullable column that the contract gained is added. Everything else that differs is for a person to decide.

    Raises:
        ContractError: a raw table differs from its contract in a way that could lose or alter rows.
    """
    with db.psycopg("pipeline") as connection:
        ensure_tables(connection, [table for contract in contracts.values() for table in contract.tables])


def ensure_tables(connection: Connection, tables: Iterable[TableContract]) -> None:
    """`ensure_raw` over a connection of the pipeline role; two look-ups in one round trip when nothing is to do."""
    wanted = list(tables)
    if not _statements(connection, wanted):
        return
    connection.execute("select pg_advisory_xact_lock(%s)", [ENSURE_LOCK])
    # Looked at again: another loader may have done it while this one waited.
    for statement in _statements(connection, wanted):
        connection.execute(statement.encode())
    connection.commit()


def _statements(connection: Connection, tables: list[TableContract]) -> list[str]:
    names = [[table.raw_schema for table in tables], [table.name for table in tables]]
    with connection.pipeline():
        columns = connection.execute(_CATALOGUE, names)
        keys = connection.execute(_KEYS, names)
    shapes: dict[str, Shape] = {}
    for name, column, kind, not_null in columns:
        shapes.setdefault(name, {})[column] = (kind, not_null)
    primary = {name: tuple(key) for name, key in keys}
    statements: list[str] = []
    for table in tables:
        shape = shapes.get(table.qualified_name)
        if shape is None:
            statements += raw_table_ddl(table)
        else:
            statements += _additions(table, shape, primary.get(table.qualified_name, ()))
    return statements


def _additions(table: TableContract, shape: Shape, key: tuple[str, ...]) -> list[str]:
    """Columns to add to a table that is there."""
    required = {column.name for column in table.columns if column.required}
    name = quote_qualified(table.qualified_name)
    if key != table.key:
        raise _drift(table, f"its key is ({', '.join(key)})", f"the key ({', '.join(table.key)})")
    known = {column for column, _ in typed_columns(table)} | {column for column, _ in BOOKKEEPING}
    if unknown := sorted(set(shape) - known):
        raise _drift(table, f"it has columns the contract lost: {', '.join(unknown)}", "the contract's columns")
    added = []
    for column, kind in typed_columns(table):
        if column not in shape:
            if column in required:
                raise _drift(table, f"the required column {column} is new", f"{column} to be optional at first")
            added.append(f"alter table {name} add column {quote(column)} {kind}")
            continue
        present, not_null = shape[column]
        if present != _catalogue_type(kind):
            raise _drift(table, f"{column} is {present}", f"{column} as {kind}")
        if not_null and column not in required:
            added.append(f"alter table {name} alter column {quote(column)} drop not null")
        if not not_null and column in required:
            raise _drift(table, f"{column} may be empty", f"{column} to be required")
    return [*added, *_comments(table)] if added else []


def _comments(table: TableContract) -> list[str]:
    return [statement for statement in raw_table_ddl(table) if statement.startswith("comment on ")]


def _catalogue_type(kind: str) -> str:
    return "timestamp with time zone" if kind == "timestamptz" else kind


def _drift(table: TableContract, found: str, expected: str) -> ContractError:
    return ContractError(
        f"The raw table is not as its contract says: {found}.",
        where=table.qualified_name,
        expected=f"{expected} (contract {table.system} {table.version})",
        do="migrate the raw table by hand, or restore the contract; nothing was pulled",
    )
