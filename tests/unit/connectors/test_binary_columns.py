"""Rows of a binary COPY read as columns: what Postgres sends, without a server."""

from __future__ import annotations

import struct
from datetime import date, datetime
from decimal import Context, Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.binary.columns import read_block
from connectors.binary.layout import WORD, ends_of

DAYS_TO_2000 = 10_957


def block_of(kind: str, payloads: list[bytes | None]) -> pl.Series:
    rows = [
        struct.pack(">h", 1) + (struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value)
        for value in payloads
    ]
    starts = ends_of(np.array([len(row) for row in rows], np.int64))[:-1]
    block = np.frombuffer(b"".join(rows) + bytes(WORD), np.uint8)
    return read_block(block, starts, ["value"], [kind]).get_column("value")


def test_texts_of_every_length_come_as_they_are() -> None:
    texts = [None if n % 7 == 3 else "字a" * (n % 40) for n in range(200)]
    read = block_of("text", [None if text is None else text.encode() for text in texts])
    assert read.to_list() == texts


@pytest.mark.parametrize(
    ("kind", "form", "values"),
    [("smallint", ">h", [-(2**15), 0, None, 2**15 - 1]), ("bigint", ">q", [-(2**63), None, 2**63 - 1])],
)
def test_whole_numbers_keep_their_edges(kind: str, form: str, values: list[int | None]) -> None:
    read = block_of(kind, [None if value is None else struct.pack(form, value) for value in values])
    assert read.to_list() == values


def test_days_and_times_that_python_has_no_name_for_are_written_as_postgres_writes_them() -> None:
    days = [date(2024, 2, 29).toordinal() - date(1970, 1, 1).toordinal() - DAYS_TO_2000, 2**31 - 1, -(2**31), None]
    # 44 BC-03-15 and 12024-02-29, as Postgres counts them.
    days += [-746_117, 3_661_250]
    read = block_of("date", [None if day is None else struct.pack(">i", day) for day in days])
    assert read.to_list() == ["2024-02-29", "infinity", "-infinity", None, "0044-03-15 BC", "12024-02-29"]
    times = [1_500_000, 2**63 - 1, -746_117 * 86_400_000_000 + 3_600_000_000]
    read = block_of("timestamp", [struct.pack(">q", time) for time in times])
    assert read.to_list() == ["2000-01-01 00:00:01.5", "infinity", "0044-03-15 01:00:00 BC"]


def test_days_and_times_of_our_calendar_come_typed() -> None:
    read = block_of("timestamp", [struct.pack(">q", 1), None])
    assert read.to_list() == [datetime(2000, 1, 1, 0, 0, 0, 1), None]
    assert block_of("date", [struct.pack(">i", -1)]).to_list() == [date(1999, 12, 31)]


def numeric(value: str) -> bytes:
    """As Postgres sends it: no zero digit in front or behind."""
    number = Decimal(value)
    if not number.is_finite():
        return struct.pack(">hhHh", 0, 0, {"NaN": 0xC000, "Infinity": 0xD000, "-Infinity": 0xF000}[value], 0)
    scale = -int(number.as_tuple().exponent)
    whole, _, part = value.lstrip("-").partition(".")
    whole, part = whole.zfill(-(-len(whole) // 4) * 4), part.ljust(-(-len(part) // 4) * 4, "0")
    digits = [int((whole + part)[n : n + 4]) for n in range(0, len(whole + part), 4)]
    weight = len(whole) // 4 - 1
    while digits and digits[0] == 0:
        digits, weight = digits[1:], weight - 1
    while digits and digits[-1] == 0:
        digits.pop()
    sign = 0x4000 if number < 0 else 0
    return struct.pack(f">hhHh{len(digits)}h", len(digits), weight if digits else 0, sign, scale, *digits)


@given(
    st.lists(st.none() | st.integers(-(10**18) + 1, 10**18 - 1), min_size=1, max_size=20),
    st.sampled_from([0, 1, 2, 4, 5, 9, 16]),
)
def test_decimals_keep_every_digit(unscaled: list[int | None], scale: int) -> None:
    values = [None if number is None else Decimal(number).scaleb(-scale, Context(prec=30)) for number in unscaled]
    read = block_of(f"numeric(18,{scale})", [None if value is None else numeric(f"{value:f}") for value in values])
    assert read.to_list() == values


def test_numbers_that_are_none_make_their_column_text_as_postgres_writes_it() -> None:
    texts = ["NaN", None, "-0.50", "0.00", "Infinity", "-Infinity", "1234567.89"]
    read = block_of("numeric(14,2)", [None if text is None else numeric(text) for text in texts])
    assert read.to_list() == texts
