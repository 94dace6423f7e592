"""The history of a released table: its shape, the differences a run brings, and how they are written.

A row of `release.<table>` is in force from release `_from_release` until before `_to_release`; the current one has no
`_to_release`. Rows are closed and added, never changed or removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from sharing.tables import ReleasedTable
from warehouse.errors import PermanentError

Connection = psycopg.Connection[tuple[Any, ...]]

# A first load or a wide change leaves the planner's statistics behind; a few rows do not.
ANALYZE_SHARE = 0.1

_SHAPE = """
select a.attname, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum)
from pg_attribute as a
where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""


@dataclass(frozen=True)
class Column:
    """A column as built. `comment` is bilingual, from the dbt project."""

    name: str
    pg_type: str
    comment: str | None


@dataclass(frozen=True)
class Difference:
    """What a built table holds and how it differs from the current release.

    Attributes:
        is_first: nothing of it was ever released, so that everything is new and nothing had to be compared.
    """

    rows: int
    inserted: int
    updated: int
    deleted: int
    is_first: bool = False

    @property
    def moves(self) -> bool:
        """Whether any row has to be written."""
        return bool(self.inserted or self.updated or self.deleted)

    def counts(self) -> dict[str, int]:
        """As `release.releases.tables` keeps it."""
        return {"rows": self.rows, "inserted": self.inserted, "updated": self.updated, "deleted": self.deleted}


@dataclass(frozen=True)
class Extent:
    """Which rows of a table may differ from the current release.

    Attributes:
        condition: over the table's own columns.
        rows: how many rows the current release has.
    """

    condition: str
    rows: int


def quote(name: str) -> str:
    """A name as a quoted SQL identifier; `at` is a column of the timeline."""
    return '"' + name.replace('"', '""') + '"'


def quoted(names: tuple[str, ...] | list[str], alias: str = "") -> str:
    """Names as a quoted list."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + quote(name) for name in names)


def shape(connection: Connection, relation: str) -> list[Column]:
    """Columns of a table or view in order; empty when it does not exist."""
    return [Column(*row) for row in connection.execute(_SHAPE, [relation]).fetchall()]


def built_shape(connection: Connection, table: ReleasedTable) -> list[Column]:
    """Columns of the built table.

    Raises:
        PermanentError: it is not built, or lacks a key column.
    """
    columns = shape(connection, table.built)
    missing = set(table.key) - {column.name for column in columns}
    if missing:
        raise PermanentError(
            "A table that has to be released is not there." if not columns else "A released table lacks its key.",
            where=table.built,
            expected=f"a table with {', '.join(table.key)}",
            do="build the dbt project, then publish again",
        )
    return columns


def ensure_history(
    connection: Connection,
    table: ReleasedTable,
    built: list[Column],
    *,
    before_retype: Callable[[Connection], None],
) -> None:
    """Make `release.<table>` able to hold the built columns. Needs the owner role.

    A column that disappears from the built table stays in the history, empty from then on. Where a column changes its
    type the readers' views go (`before_retype` takes away those over more than this table), since they pin the types
    of their columns; they are missing from then on, so publishing makes them again in the same transaction.
    """
    there = {column.name: column.pg_type for column in shape(connection, table.history)}
    if not there:
        columns = [f"{quote(c.name)} {c.pg_type}{' not null' if c.name in table.key else ''}" for c in built]
        columns += ["_row_hash uuid not null", "_from_release bigint not null", "_to_release bigint"]
        _run(connection, f"create table {table.history} ({', '.join(columns)})")
        _run(connection, f"grant select, insert, update on {table.history} to cityhub_pipeline")
        return
    added = [column for column in built if column.name not in there]
    retyped = [column for column in built if column.name in there and there[column.name] != column.pg_type]
    if retyped:
        before_retype(connection)
        _run(connection, f"drop view if exists {table.view}")
    changes = [f"add column {quote(c.name)} {c.pg_type}" for c in added]
    changes += [f"alter column {quote(c.name)} type {c.pg_type} using {quote(c.name)}::{c.pg_type}" for c in retyped]
    if changes:
        _run(connection, f"alter table {table.history} {', '.join(changes)}")


def find_difference(
    connection: Connection, table: ReleasedTable, built: list[Column], extent: Extent | None = None
) -> Difference:
    """Compare the built table with the current release by key and row hash; the result waits in `pg_temp`.

    With an extent only the rows within it are compared: the others are those of the current release.
    """
    if not _holds(connection, f"select exists (select from {table.history})"):
        rows = _holds(connection, f"select count(*) from {table.built}")
        return Difference(rows, rows, 0, 0, is_first=True)
    keys = quoted(table.key)
    within = extent.condition if extent else "true"
    _run(
        connection,
        f"""
        create temp table {_temp(table)} on commit drop as
        select {keys}, built._row_hash, live._row_hash is not null as is_live
        from (select {keys}, {_row_hash(built)} as _row_hash from {table.built} where {within}) as built
        full join (select {keys}, _row_hash from {table.history} where _to_release is null and {within}) as live
            using ({keys})
        where built._row_hash is distinct from live._row_hash
        """,
    )
    row = _run(
        connection,
        f"""
        select
            {f"{extent.rows}::bigint" if extent else f"(select count(*) from {table.built})"},
            count(*) filter (where not is_live),
            count(*) filter (where is_live and _row_hash is not null),
            count(*) filter (where _row_hash is null)
        from {_temp(table)}
        """,
    ).fetchone()
    assert row is not None
    rows, inserted, updated, deleted = row
    return Difference(rows + inserted - deleted if extent else rows, inserted, updated, deleted)


def write_difference(
    connection: Connection, table: ReleasedTable, built: list[Column], difference: Difference, release_id: int
) -> None:
    """Close what is no longer so and add what is new, as of `release_id`."""
    names = [column.name for column in built]
    if difference.is_first:
        _run(
            connection,
            f"insert into {table.history} ({quoted(names)}, _row_hash, _from_release)"
            f" select {quoted(names)}, {_row_hash(built)}, {release_id} from {table.built}",
        )
        return
    _run(connection, f"analyze {_temp(table)}")
    _run(
        connection,
        f"""
        update {table.history} as live set _to_release = {release_id}
        from {_temp(table)} as diff
        where live._to_release is null and diff.is_live and {_same_key(table, "live")}
        """,
    )
    _run(
        connection,
        f"""
        insert into {table.history} ({quoted(names)}, _row_hash, _from_release)
        select {quoted(names, "built")}, diff._row_hash, {release_id}
        from {table.built} as built inner join {_temp(table)} as diff on {_same_key(table, "built")}
        where diff._row_hash is not null
        """,
    )


def ensure_indexes(connection: Connection, table: ReleasedTable, difference: Difference) -> None:
    """Create what is missing of the indexes over current rows, after the first load rather than before it (a third of
    the time), and refresh statistics where much changed. Needs the owner role."""
    _run(
        connection,
        f"create unique index if not exists {table.name}__current on {table.history} ({quoted(table.key)})"
        " where _to_release is null",
    )
    if table.has_subject_history:
        _run(
            connection,
            f"create index if not exists {table.name}__closed on {table.history} ({quoted(table.key)})"
            " where _to_release is not null",
        )
    for position, columns in enumerate(table.indexes, start=1):
        _run(
            connection,
            f"create index if not exists {table.name}__current_{position} on {table.history} ({columns})"
            " where _to_release is null",
        )
    if difference.inserted + difference.updated + difference.deleted > ANALYZE_SHARE * difference.rows:
        _run(connection, f"analyze {table.history}")


def _row_hash(built: list[Column]) -> str:
    return f"md5(row({quoted([column.name for column in built])})::text)::uuid"


def _holds(connection: Connection, query: str) -> Any:
    """The one value that a query gives."""
    row = _run(connection, query).fetchone()
    assert row is not None
    return row[0]


def _temp(table: ReleasedTable) -> str:
    return f"pg_temp.difference_{table.name}"


def _same_key(table: ReleasedTable, side: str) -> str:
    return " and ".join(f"{side}.{quote(name)} = diff.{quote(name)}" for name in table.key)


def _run(connection: Connection, statement: str) -> psycopg.Cursor[tuple[Any, ...]]:
    return connection.execute(statement.encode())
