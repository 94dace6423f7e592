"""Rows kept as received, found again by their number; keys of refused rows in raw's own form."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from connectors.contract import ColumnContract, TableContract
from connectors.landing.ahead import ReadAhead
from connectors.landing.spool import Spool
from connectors.landing.stage import match_key
from connectors.transports.received import Columns, positions


def received(start: int, rows: int) -> Columns:
    numbers = range(start, start + rows)
    place = positions(file='街"道.csv', line=numbers)
    return Columns(pl.DataFrame([pl.Series("name", [f"n{number}" for number in numbers]), place]))


def test_rows_are_found_in_whatever_frame_they_came() -> None:
    spool = Spool()
    for start in (1, 4, 7):
        spool.add(received(start, 3))
    found = spool.find(pl.Series([2, 3, 9], dtype=pl.Int64))
    assert [(rows.frame.get_column("name").to_list(), numbers.to_list()) for rows, numbers in found] == [
        (["n2", "n3"], [2, 3]),
        (["n9"], [9]),
    ]
    spool.close()


def test_key_of_a_refused_row_is_read_as_raw_would_write_it() -> None:
    columns = (
        ColumnContract("home_no", "text", True, "", "", "internal"),
        ColumnContract("filed_on", "date", True, "", "", "internal"),
    )
    table = TableContract(
        "s", "prices", "1", "", "", "snapshot", columns, ("home_no", "filed_on"), None, "p", "csv", None, (), 0, 9,
        0.2, 0.05, 24, 0, None, "Asia/Shanghai", "raw_s",
    )  # fmt: skip
    payloads = [
        '{"home_no": " H1 ", "filed_on": "2026/6/3"}',
        '{"home_no": "H1", "filed_on": "soon"}',
        '{"home_no": null, "filed_on": "2026-06-03"}',
    ]
    assert match_key(table, pl.DataFrame({"payload": payloads})).to_list() == ["H1|2026-06-03", None, None]


def test_reading_ahead_keeps_order_errors_and_the_end() -> None:
    ended: list[str] = []

    def source() -> Iterator[int]:
        try:
            yield from (1, 2)
            raise ValueError("broken off")
        finally:
            ended.append("closed")

    frames = ReadAhead(source())
    assert [next(frames), next(frames)] == [1, 2]
    with pytest.raises(ValueError, match="broken off"):
        next(frames)
    assert ended == ["closed"]

    frames = ReadAhead(source())
    assert next(frames) == 1
    frames.close()
    assert ended == ["closed", "closed"]
