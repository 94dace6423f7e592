"""What market supervision keeps behind its REST service: one SQLite table per resource, each row with its JSON body.

The service itself is `market_server`. Planted failures of the service live in the same file, so that a running server
meets them at the next request.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from demo.city.draw import chance, end_of, stream
from demo.city.state import City
from demo.city.tables import Table, tables_of
from demo.city.truth import row_key
from demo.systems.rows import as_json, changed

SYSTEM = "market_supervision"
SHANGHAI = dt.timezone(dt.timedelta(hours=8))


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that commits on success and is closed at the end."""
    connection = sqlite3.connect(path, timeout=30)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def build(path: Path, city: City) -> None:
    """Write the store anew."""
    for leftover in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        leftover.unlink(missing_ok=True)
    with opened(path) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table meta (name text primary key, value text)")
        connection.execute(
            "create table faults (fault text, resource text, page integer, primary key (fault, resource, page))"
        )
        for table in tables_of(SYSTEM):
            connection.execute(
                f"create table {table.name} (position integer primary key, key text, changed integer, body text)"
            )
            rows = _with_repeats(city, table)
            connection.executemany(f"insert into {table.name} (key, changed, body) values (?, ?, ?)", rows)
            connection.execute(f"create index {table.name}_key on {table.name} (key)")
            connection.execute(f"create index {table.name}_changed on {table.name} (changed, position)")
        _stamp(connection, city)


def update(path: Path, before: City, after: City) -> None:
    """Write the rows that changed between two days; new ones come last."""
    with opened(path) as connection:
        for table in tables_of(SYSTEM):
            rows = changed(before.shown[table.full_name], after.shown[table.full_name], table.full_name)
            known = {key for (key,) in connection.execute(f"select distinct key from {table.name}")}
            values = _values(rows, table, after)
            connection.executemany(
                f"update {table.name} set changed = ?, body = ? where key = ?",
                [(moment, body, key) for key, moment, body in values if key in known],
            )
            connection.executemany(
                f"insert into {table.name} (key, changed, body) values (?, ?, ?)",
                [value for value in values if value[0] not in known],
            )
        _stamp(connection, after)


def _stamp(connection: sqlite3.Connection, city: City) -> None:
    as_of = end_of(city.clock).replace(tzinfo=SHANGHAI).isoformat()
    connection.execute("insert or replace into meta values ('as_of', ?)", [as_of])


def _values(rows: pl.DataFrame, table: Table, city: City) -> list[tuple[str, int | None, str]]:
    keys = rows.select(row_key(table.key)).to_series().to_list()
    if "updated_at" in table.columns:
        local = rows["updated_at"].dt.replace_time_zone("Asia/Shanghai")
        moments = local.dt.epoch("s").to_list()
    else:
        moments = [None] * rows.height
    return list(zip(keys, moments, as_json(rows, table, city.breaks), strict=True))


def _with_repeats(city: City, table: Table) -> list[tuple[str, int | None, str]]:
    """Some rows stand in the store twice, as overlapping exports leave them."""
    values = _values(city.shown[table.full_name], table, city)
    rng = stream(city.seed, f"stored twice {table.name}")
    twice = np.flatnonzero(chance(rng, city.rates.duplicated_rows, len(values)))
    return values + [values[i] for i in twice]
