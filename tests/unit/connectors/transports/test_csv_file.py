"""Blocks of comma-separated values hold what Python's own reader finds, on the same lines, however they are cut."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.transports import csv_file
from connectors.transports.csv_file import Block, read_csv
from connectors.transports.source import Source
from warehouse.errors import HeldBatch

LINES = st.lists(
    st.sampled_from(
        ["a,b", "江,路", "a,", ",", "", '"a",b', '"a,c",""', '"a""b",c', 'a,"两', '行"', '5",6', 'a,"x"y', "a", "a,b,c"]
    ),
    max_size=8,
)


def reference(text: str) -> list[tuple[int, list[str | None]]] | str:
    """Rows and their lines, or where the text cannot be taken."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, line = [], 2
    try:
        next(reader)
        for values in reader:
            if len(values) == 2:
                rows.append((line, [value or None for value in values]))
            elif values:
                return f"Line {line} has {len(values)} fields"
            line = reader.line_num + 1
    except csv.Error:
        return f"(after line {reader.line_num})"
    return rows


def read(data: bytes, contract: Any) -> list[tuple[int, list[str | None]]] | str:
    table = contract("files", source_name="c.csv", source_format="csv", encoding="gb18030").tables[0]
    try:
        header, *blocks = list(read_csv(Source(io.BytesIO(data), "c.csv", table)))
    except HeldBatch as error:
        return str(error)
    assert header == ["one", "two"]
    found = []
    for block in blocks:
        assert isinstance(block, Block)
        found += [(line, list(row)) for line, row in zip(block.lines, block.frame.rows(), strict=True)]
    return found


@pytest.mark.parametrize("size", [3, 17, 1 << 21])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, ending=st.sampled_from(["\n", "\r\n", "\r"]), is_ended=st.booleans())
def test_blocks_are_what_python_reads(
    contract: Any, size: int, lines: list[str], ending: str, *, is_ended: bool
) -> None:
    text = ending.join(["one,two", *lines]) + (ending if is_ended else "")
    expected = reference(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BLOCK_BYTES", size)
        found = read(text.encode("gb18030"), contract)
    if isinstance(expected, str):
        assert isinstance(found, str)
        assert expected in found
    else:
        assert found == expected
