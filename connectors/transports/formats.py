"""Readers of file formats: a binary stream in, rows as received out, each with its line. No folders, no manifests.

Every reader streams: the first item is the header, then `(line, values)` in the header's order, or blocks of rows where
the format is split by more than one row at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from connectors.transports.csv_file import Block, read_csv
from connectors.transports.inspection import codec_of, looks_like
from connectors.transports.source import Source, wrong_encoding
from warehouse.errors import ContractError

Row = tuple[int, list[Any]]


def read_xlsx(source: Source) -> Iterator[list[str] | Row]:
    """The first sheet of a workbook; its first row is the header. Whole numbers come without a decimal point."""
    try:
        sheet = CalamineWorkbook.from_filelike(source.stream).get_sheet_by_index(0)
    except (CalamineError, OSError):
        raise source.held("The workbook cannot be opened.", expected="a complete XLSX file") from None
    rows = sheet.iter_rows()
    # calamine leaves out empty leading rows; positions count as the sheet does.
    first = (sheet.start or (0, 0))[0] + 1
    header = next(rows, None)
    if header is None:
        raise source.held("The first sheet is empty.", expected="a header row with the contract's columns")
    yield [str(name).strip() for name in header]
    for line, values in enumerate(rows, first + 1):
        if any(value != "" for value in values):
            yield line, [_cell(value) for value in values]


def _cell(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return None if value == "" else value


def read_jsonl(source: Source) -> Iterator[list[str] | Row]:
    """One JSON object per line. The header is the union of names in the first thousand lines."""
    table = source.table
    # The first line may carry a BOM. Line feeds are one byte in every encoding a contract may name.
    codec = codec_of(table.encoding)
    names: list[str] | None = None
    waiting: list[tuple[int, dict[str, Any]]] = []
    for line, raw in enumerate(source.stream, 1):
        if not raw.strip():
            continue
        try:
            text = raw.decode(codec if line == 1 else codec.removesuffix("-sig"))
        except UnicodeDecodeError:
            raise wrong_encoding(source, looks_like(raw), line - 1) from None
        try:
            item = json.loads(text.removeprefix("\ufeff"), parse_float=str)
        except ValueError:
            item = None
        if not isinstance(item, dict):
            raise source.held(f"Line {line} is not a JSON object.", expected="one complete JSON object per line")
        if names is not None:
            yield line, [item.get(name) for name in names]
            continue
        waiting.append((line, item))
        if len(waiting) == 1000:
            names = _names(waiting)
            yield names
            yield from ((at, [row.get(name) for name in names]) for at, row in waiting)
    if names is None:
        # An empty file is a day without events, not a file without columns.
        names = _names(waiting) or list(table.column_names)
        yield names
        yield from ((at, [row.get(name) for name in names]) for at, row in waiting)


def _names(rows: list[tuple[int, dict[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(name for _, row in rows for name in row))


def read_parquet(source: Source) -> Iterator[list[str] | Row]:
    """Parquet; the line is the row's number in the file, from 1."""
    try:
        file = pq.ParquetFile(source.stream)
        yield list(file.schema_arrow.names)
        line = 1
        for batch in file.iter_batches():
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield line, list(values)
                line += 1
    except (pa.ArrowInvalid, OSError):
        raise source.held("The Parquet file cannot be read.", expected="a complete Parquet file") from None


READERS: dict[str, Callable[[Source], Iterator[Any]]] = {
    "csv": read_csv,
    "xlsx": read_xlsx,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


def open_reader(source: Source) -> Iterator[list[str] | Row | Block]:
    """The reader of the table's format.

    Raises:
        ContractError: the contract names no format that can be read.
    """
    reader = READERS.get(source.table.source_format or "")
    if reader is None:
        raise ContractError(
            "The contract names no readable file format.",
            where=f"{source.table.system}.{source.table.name}, sourceFormat",
            expected=", ".join(READERS),
            do="set sourceFormat in the contract",
        )
    return reader(source)
