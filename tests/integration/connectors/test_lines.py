"""A row's line: Postgres reads from it what it says, and hashes it alike."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.checks.values import polars_type
from connectors.contract import ColumnContract, TableContract
from connectors.contract.ddl import typed_columns
from connectors.landing.lines import LineWriter, copy_options, row_hash
from warehouse.database import Database

KINDS = {
    "key": "text", "note": "text", "born_on": "date", "seen_at": "timestamptz",
    "fee": "numeric(10,2)", "level": "integer", "is_ok": "boolean", "last": "text",
}  # fmt: skip
TEXTS = st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
TEXTS |= st.sampled_from(["", "\\N", "\\.", "\\", "\t", "a\nb", "\r\n", "\x02", "a\x02", "键\x02\t", "N"])
ROWS = st.tuples(
    st.just("k"),
    TEXTS,
    st.none() | st.dates(date(1000, 1, 1), date(9999, 12, 31)),
    st.none() | st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC)),
    st.none() | st.decimals(-99_999_999, 99_999_999, places=2),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.booleans(),
    TEXTS,
)


def contract(*kinds: str) -> TableContract:
    columns = tuple(ColumnContract(name, KINDS[name], name == "key", "", "", "internal") for name in kinds)
    return TableContract(
        "s", "rows", "1", "", "", "snapshot", columns, ("key",), None, "p", "csv", None, (), 0, 9,
        0.2, 0.05, 24, 0, None, "Asia/Shanghai", "raw_s",
    )  # fmt: skip


def good(table: TableContract, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    schema = {name: polars_type(kind) for name, kind in typed_columns(table)}
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.fixture
def session(database: Database) -> Any:
    with database.psycopg("pipeline") as connection:
        connection.execute("set datestyle = 'ISO, YMD'")
        columns = ", ".join(f"{name} {kind}" for name, kind in KINDS.items())
        connection.execute(f"create temp table rows ({columns}, _row_hash uuid, _arrival integer)".encode())
        yield connection


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=6))
def test_postgres_reads_the_values_and_hashes_them_alike(session: Any, rows: list[tuple[Any, ...]]) -> None:
    table = contract(*KINDS)
    writer = LineWriter(table)
    session.execute("truncate rows")
    block = writer.write(good(table, rows), writer.names, pl.Series(range(1, len(rows) + 1)))
    names = (*writer.names, "_row_hash", "_arrival")
    with session.cursor().copy(f"copy rows ({', '.join(names)}) from stdin {copy_options()}".encode()) as copy:
        copy.write(block)
    shown = ", ".join(KINDS)
    assert session.execute(f"select {shown} from rows order by _arrival".encode()).fetchall() == rows
    other = f"select count(*) from rows as r where _row_hash <> {row_hash(table, 'r')}"
    assert session.execute(other.encode()).fetchone() == (0,)


def test_a_hash_lasts_and_ignores_columns_added_at_the_end() -> None:
    values = ("k", "滨江路", date(2024, 1, 2), datetime(2024, 1, 2, 3, tzinfo=UTC), Decimal("1.50"), 7, True)
    texts = []
    for names, row in (([*KINDS][:-1], values), ([*KINDS], (*values, None))):
        writer = LineWriter(contract(*names))
        block = writer.write(good(contract(*names), [row]), (), pl.Series([1]))
        texts.append(block)
    # Another value here means that every row of every raw table would look changed.
    assert texts == [b"440c2a781a3e8298ec22a5a493c51e4b\t1\n"] * 2


def test_null_is_told_from_the_character_that_stands_for_it(session: psycopg.Connection[Any]) -> None:
    table = contract("key", "note")
    writer = LineWriter(table)
    block = writer.write(good(table, [("k", "\x02"), ("k", None)]), writer.names, pl.Series([1, 2]))
    with session.cursor().copy(f"copy rows (key, note, _row_hash, _arrival) from stdin {copy_options()}") as copy:
        copy.write(block)
    assert session.execute("select note from rows order by _arrival").fetchall() == [("\x02",), (None,)]
