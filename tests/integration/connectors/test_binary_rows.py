"""Rows in COPY's binary form: Postgres reads from them what they say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.binary.rows import binary_rows
from connectors.checks.values import polars_type
from connectors.contract import ColumnContract, TableContract
from connectors.contract.ddl import typed_columns
from warehouse.database import Database

KINDS = {
    "key": "text", "note": "text", "born_on": "date", "seen_at": "timestamptz",
    "fee": "numeric(10,2)", "level": "integer", "is_ok": "boolean", "last": "text", "small": "smallint",
    "big": "bigint", "rate": "numeric(18,16)", "whole": "numeric(7,0)", "huge": "numeric(38,5)",
}  # fmt: skip
TEXTS = st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
TEXTS |= st.sampled_from(
    [
        "",
        "eight ch",
        "nine char",
        "x" * 5000,
        "\\N",
        "\\.",
        "\\",
        "\t",
        "a\nb",
        "\r\n",
        "\x02",
        "a\x02",
        "键\x02\t",
        "N",
    ]
)
ROWS = st.tuples(
    st.just("k"),
    TEXTS,
    st.none() | st.dates(date(1000, 1, 1), date(9999, 12, 31)),
    st.none() | st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC)),
    st.none() | st.decimals(-99_999_999, 99_999_999, places=2),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.booleans(),
    TEXTS,
    st.none() | st.integers(-(2**15), 2**15 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.decimals(Decimal("-99.9999999999999999"), Decimal("99.9999999999999999"), places=16),
    st.none() | st.decimals(-9_999_999, 9_999_999, places=0),
    st.none() | st.decimals(-(10**32), 10**32, places=5),
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
        connection.commit()
        yield connection


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=6))
def test_postgres_reads_the_values(session: Any, rows: list[tuple[Any, ...]]) -> None:
    frame = good(contract(*KINDS), rows)
    hashes = np.arange(16 * len(rows), dtype=np.uint8).reshape(-1, 16)
    session.rollback()
    session.execute("truncate rows")
    block = binary_rows(frame, KINDS, hashes, pl.Series(range(1, len(rows) + 1)))
    with session.cursor().copy(
        f"copy rows ({', '.join(KINDS)}, _row_hash, _arrival) from stdin (format binary)"
    ) as copy:
        copy.write(block.tobytes())
    assert session.execute(f"select {', '.join(KINDS)} from rows order by _arrival".encode()).fetchall() == rows
    kept = session.execute("select _row_hash from rows order by _arrival").fetchall()
    assert [uuid.bytes for (uuid,) in kept] == [own.tobytes() for own in hashes]
