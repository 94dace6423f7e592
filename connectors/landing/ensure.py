"""Keeps the raw tables as their contracts describe them.

What is missing is created and what only grew is migrated: an optional column, a wider type, a column that may now be
empty. Anything else is refused until the contract's major version is raised; then the landing sets the table aside
(`set_aside`, in the transaction that merges the first batch of the new version) and pulls everything anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

from connectors.contract import SystemContract, TableContract
from connectors.contract.ddl import quote, quote_qualified, raw_table_ddl, typed_columns
from connectors.contract.drift import (
    FIRST_VERSION,
    STAGING,
    Difference,
    Drift,
    RawColumn,
    RawShape,
    catalogue_type,
    compare,
    foreign,
)
from warehouse.database import Database
from warehouse.errors import ContractError

# Two loaders of one system would create its schema at the same time; held until the end of the transaction.
ENSURE_LOCK = 724_310_117

_CATALOGUE = """
select n.nspname || '.' || c.relname, obj_description(c.oid, 'pg_class'),
    a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
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
# Views that read a column, and views that read those views.
_READERS = """
with recursive reader as (
    select a.attname::text as name, w.ev_class as view
    from pg_attribute as a
    inner join pg_depend as d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid
        and d.refobjsubid = a.attnum and d.classid = 'pg_rewrite'::regclass
    inner join pg_rewrite as w on w.oid = d.objid and w.ev_class <> a.attrelid
    where a.attrelid = to_regclass(%s)
    union
    select r.name, w.ev_class
    from reader as r
    inner join pg_depend as d on d.refclassid = 'pg_class'::regclass and d.refobjid = r.view
        and d.classid = 'pg_rewrite'::regclass
    inner join pg_rewrite as w on w.oid = d.objid and w.ev_class <> r.view
)
select r.name, array_agg(n.nspname || '.' || c.relname order by 1)
from reader as r
inner join pg_class as c on c.oid = r.view
inner join pg_namespace as n on n.oid = c.relnamespace
group by 1
"""
_VERSION = re.compile(r" · contract (\d+\.\d+\.\d+)$")

Connection = psycopg.Connection[tuple[Any, ...]]


def ensure_raw(db: Database, contracts: Mapping[str, SystemContract]) -> None:
    """Create and migrate the raw schemas, tables, keys and comments; run again, it changes nothing.

    Raises:
        ContractError: a raw table differs from its contract in a way that could lose or alter rows.
    """
    with db.psycopg("pipeline") as connection:
        ensure_tables(connection, [table for contract in contracts.values() for table in contract.tables])


def ensure_tables(connection: Connection, tables: Iterable[TableContract]) -> list[TableContract]:
    """`ensure_raw` over a connection of the pipeline role; two look-ups in one round trip when nothing is to do.

    Returns:
        The tables to be set aside and pulled anew, for which the contract's major version was raised. They are as
        they were: `set_aside` belongs into the transaction that merges what was pulled.
    """
    wanted = list(tables)
    drifts = read_drifts(connection, wanted)
    if any(_statements(drift) for drift in drifts):
        connection.execute("select pg_advisory_xact_lock(%s)", [ENSURE_LOCK])
        # Looked at again: another loader may have done it while this one waited.
        drifts = read_drifts(connection, wanted)
        for drift in drifts:
            for statement in _statements(drift):
                connection.execute(statement.encode())
        connection.commit()
    return [drift.table for drift in drifts if drift.verdict == "replace"]


def ensure_followed(connection: Connection, table: TableContract) -> None:
    """`ensure_tables` for who has no pull to fill a new table with.

    Raises:
        ContractError: raw is not as the contract says, and cannot be before the next pull.
    """
    if ensure_tables(connection, [table]):
        raise ContractError(
            "The raw table still follows the major version before this one.",
            where=f"file {table.system}.yaml, table {table.name}",
            expected=f"{table.qualified_name} pulled anew under version {table.version}",
            do="let a run pull the table first (`cityhub run`), then repeat this",
        )


def read_drifts(connection: Connection, tables: Iterable[TableContract]) -> list[Drift]:
    """How the raw tables differ from their contracts, in the order given."""
    wanted = list(tables)
    names = [[table.raw_schema for table in wanted], [table.name for table in wanted]]
    with connection.pipeline():
        columns = connection.execute(_CATALOGUE, names)
        keys = connection.execute(_KEYS, names)
    shapes: dict[str, dict[str, RawColumn]] = {}
    versions: dict[str, str] = {}
    for name, comment, column, kind, not_null in columns:
        shapes.setdefault(name, {})[column] = RawColumn(kind, not_null)
        found = _VERSION.search(comment or "")
        versions[name] = found[1] if found else FIRST_VERSION
    primary = {name: tuple(key) for name, key in keys}
    drifts = []
    for table in wanted:
        name = table.qualified_name
        if name not in shapes:
            drifts.append(compare(table, None))
            continue
        shape = RawShape(_with_readers(connection, table, shapes[name]), primary.get(name, ()), versions[name])
        drifts.append(compare(table, shape))
    return drifts


def refusal(drift: Drift) -> ContractError:
    """Why the next run refuses the table, and the ways out."""
    table, shape = drift.table, drift.shape
    assert shape is not None
    first = drift.unsafe[0] if drift.unsafe else drift.retyped[0]
    place = [f"file {table.system}.yaml", f"table {table.name}", f"column {first.column}" if first.column else ""]
    where = ", ".join([*filter(None, place), f"rule {first.change}"])
    if not drift.unsafe:
        return ContractError(
            f"The column {first.column} cannot become {first.contract}: {', '.join(drift.in_the_way)} reads it.",
            where=where,
            expected=f"no view but dbt's own (schema {STAGING}) reading {table.qualified_name}",
            do="drop the view, run again, and create it anew; nothing was pulled",
        )
    return ContractError(
        f"The raw table {table.qualified_name} is not as its contract says: {'; '.join(map(str, drift.unsafe))}.",
        where=where,
        expected=f"the shape raw was given under version {shape.version}, or a contract of version {drift.next_major}",
        do=f"restore the contract, or raise its version to {drift.next_major}: the next run then keeps the table "
        f"beside as {aside_name(table, shape.version)} and pulls everything anew; nothing was pulled",
    )


def aside_name(table: TableContract, version: str) -> str:
    """The name a raw table is kept under once a new major version has taken its place."""
    return f"{table.qualified_name}__v{version.replace('.', '_')}"


def set_aside(connection: Connection, table: TableContract) -> str:
    """Keep the raw table beside under the version it was made under and make a new one, in the caller's transaction.

    Staging views that read it would follow it under its new name, so they go: dbt builds them anew.

    Returns:
        The name it is kept under.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", [ENSURE_LOCK])
    (drift,) = read_drifts(connection, [table])
    shape = drift.shape
    assert shape is not None
    views = {view for found in _readers(connection, table).values() for view in found}
    aside = aside_name(table, shape.version)
    taken = connection.execute("select to_regclass(%s) is not null", [quote_qualified(aside)]).fetchone()
    if (taken and taken[0]) or foreign(views):
        found = f"the views {', '.join(foreign(views))} read it" if foreign(views) else f"{aside} is there already"
        raise ContractError(
            f"The raw table cannot be set aside: {found}.",
            where=table.qualified_name,
            expected=f"the name {aside} free, and no view but dbt's own reading the table",
            do="rename or drop what stands in the way; raw keeps its last state",
        )
    old_index, name = f"{table.name}__changed_at", aside.partition(".")[2]
    schema = quote(table.raw_schema)
    statements = [
        *_drop_views(views),
        f"alter table {quote_qualified(table.qualified_name)} rename to {quote(name)}",
        f"alter index if exists {schema}.{quote(old_index)} rename to {quote(name + '__at')}",
        *_rename_key(connection, table, name),
        *raw_table_ddl(table),
    ]
    for statement in statements:
        connection.execute(statement.encode())
    return aside


def _rename_key(connection: Connection, table: TableContract, name: str) -> list[str]:
    """Give the key's constraint the name of its table, so that the new table's own can have the old one."""
    row = connection.execute(
        "select conname from pg_constraint where conrelid = to_regclass(%s) and contype = 'p'",
        [quote_qualified(table.qualified_name)],
    ).fetchone()
    renamed = quote_qualified(f"{table.raw_schema}.{name}")
    return [f"alter table {renamed} rename constraint {quote(row[0])} to {quote(name + '__key')}"] if row else []


def _statements(drift: Drift) -> list[str]:
    """What brings a raw table to its contract; nothing where it is there, or waits to be replaced.

    Raises:
        ContractError: the table differs in a way that could lose or alter rows.
    """
    table, shape = drift.table, drift.shape
    if shape is None:
        return raw_table_ddl(table)
    if drift.verdict == "refuse":
        raise refusal(drift)
    if drift.verdict == "replace":
        return []
    statements = [statement for item in drift.differences for statement in _migration(table, item)]
    if drift.retyped:
        # What is built from the table follows its types, so the next run has something to build.
        state = f"where system = '{table.system}' and table_name = '{table.name}'"
        moved = f"update ops.source_states set content_version = content_version + 1 {state}"
        statements = [*_drop_views(drift.readers), *statements, moved]
    if statements or shape.version != table.version:
        statements += [statement for statement in raw_table_ddl(table) if statement.startswith("comment on ")]
    return statements


def _migration(table: TableContract, item: Difference) -> list[str]:
    name, column = quote_qualified(table.qualified_name), quote(item.column or "")
    kind = dict(typed_columns(table))[item.column or ""]
    if item.change == "column":
        return [f"alter table {name} add column {column} {kind}"]
    if item.change == "required":
        return [f"alter table {name} alter column {column} drop not null"]
    # A date's text form depends on the session; the landing's own sessions speak ISO.
    return [
        "set local datestyle = 'ISO, YMD'",
        f"alter table {name} alter column {column} type {kind} using {column}::{kind}",
    ]


def _with_readers(
    connection: Connection, table: TableContract, columns: Mapping[str, RawColumn]
) -> Mapping[str, RawColumn]:
    """The columns with the views that read them, looked up only where a type differs."""
    wanted = {name: catalogue_type(kind) for name, kind in typed_columns(table)}
    if all(column.pg_type == wanted.get(name, column.pg_type) for name, column in columns.items()):
        return columns
    readers = _readers(connection, table)
    return {
        name: RawColumn(column.pg_type, column.required, tuple(readers.get(name, ())))
        for name, column in columns.items()
    }


def _readers(connection: Connection, table: TableContract) -> dict[str, list[str]]:
    """Views by the column they read, directly or through other views."""
    return dict(connection.execute(_READERS, [quote_qualified(table.qualified_name)]).fetchall())


def _drop_views(views: Iterable[str]) -> list[str]:
    names = ", ".join(quote_qualified(view) for view in sorted(views))
    return [f"drop view {names}"] if names else []
