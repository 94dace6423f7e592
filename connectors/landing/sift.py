"""Of a complete pull only what differs from raw is staged.

The pull lists its good rows by key and hash, a sixth of their bytes; one join with raw says which are new or changed,
and which raw rows did not come. Repeated keys need no look of their own: where every key comes once, as many listed
rows as raw rows find each other, and no new key comes twice.
"""

from __future__ import annotations

import io
from typing import Any

import polars as pl
import psycopg

from connectors.contract import TableContract
from connectors.contract.ddl import quote, quote_qualified
from connectors.landing import ledger
from connectors.landing.names import DIFFERENCES, VANISHED, key_list, same_key

Connection = psycopg.Connection[tuple[Any, ...]]


def can_sift(connection: Connection, table: TableContract) -> bool:
    """Whether the gate may judge a batch by the rows that differ from raw.

    The others were judged under the same contract when they came. A share of missing values speaks of all rows.
    """
    if any(rule.kind == "missing_share" for rule in table.all_rules):
        return False
    return ledger.last_admitted_version(connection, table) == table.version


def note_differences(connection: Connection, table: TableContract, roll: str) -> bool:
    """Note the listed rows that raw does not hold as they are and the raw rows that are not listed.

    Returns:
        Whether each key is listed once. Where not, the repeats are to be settled, and this is to be called again.
    """
    first = quote(table.key[0])
    raw, listed = quote_qualified(table.qualified_name), quote_qualified(roll)
    keys = ", ".join(f"coalesce(s.{quote(name)}, r.{quote(name)}) as {quote(name)}" for name in table.key)
    connection.execute(f"drop table if exists pg_temp.{DIFFERENCES}".encode())
    connection.execute(
        f"""
create temp table {DIFFERENCES} as
select
    s._arrival, r.{first} is not null as is_in_raw, r._deleted_at is not null as is_deleted, {keys}
from {listed} as s
full join (select {key_list(table)}, _row_hash, _deleted_at from {raw}) as r on {same_key(table, "s", "r")}
where s._arrival is null or r.{first} is null or r._deleted_at is not null or r._row_hash <> s._row_hash""".encode()
    )
    row = connection.execute(
        f"""
select
    (select count(*) from {listed}) - count(*) filter (where not is_in_raw)
    = (select count(*) from {raw}) - count(*) filter (where _arrival is null)
    and count(*) filter (where not is_in_raw)
    = (select count(*) from (select distinct {key_list(table)} from {DIFFERENCES} where not is_in_raw) as d)
from {DIFFERENCES}""".encode()
    ).fetchone()
    return row is not None and bool(row[0])


def differing_arrivals(connection: Connection) -> pl.Series:
    """Numbers of the rows to be staged, rising."""
    buffer = io.BytesIO()
    query = f"copy (select _arrival from {DIFFERENCES} where _arrival is not null order by 1) to stdout"
    with connection.cursor().copy(query.encode()) as lines:
        buffer.writelines(lines)
    if not buffer.tell():
        return pl.Series([], dtype=pl.Int64)
    buffer.seek(0)
    return pl.read_csv(buffer, has_header=False, schema={"arrival": pl.Int64}).to_series()


def note_vanished(connection: Connection, table: TableContract) -> None:
    """The raw rows, not marked deleted, that are not listed."""
    connection.execute(
        f"create temp table {VANISHED} as select {key_list(table)} from {DIFFERENCES}"
        " where _arrival is null and not is_deleted".encode()
    )
