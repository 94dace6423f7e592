"""Readers of file formats: a binary stream in, rows as received out, each with its line. No folders, no manifests.

Every reader streams: the first item is the header, then `(line, values)` in the header's order.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from connectors.contract import TableContract
from connectors.transports.inspection import codec_of, looks_like
from warehouse.errors import ContractError, HeldBatch

# A single field of a department's table is never longer; the csv module's own limit is 131,072 characters.
LONGEST_FIELD = 10_000_000

Row = tuple[int, list[Any]]


@dataclass(frozen=True)
class Source:
    """A file being read: its bytes, its printable name and the table it should hold."""

    stream: IO[bytes]
    name: str
    table: TableContract

    def held(self, what: str, expected: str, do: str = "") -> HeldBatch:
        """The error of a file that must not be admitted."""
        # An append table takes every drop: a new one does not replace the one that cannot be taken.
        where = "in its place" if self.table.load_mode == "append" else "in a new drop"
        return HeldBatch(
            what,
            where=f"{self.table.system}.{self.table.name} ({self.name})",
            expected=expected,
            do=do or f"ask the owner to deliver the file again, {where}; raw keeps its last state",
        )


def wrong_encoding(source: Source, found: str | None, line: int | None = None) -> HeldBatch:
    """The error of a file in another encoding than its contract's."""
    encoding = source.table.encoding or "utf-8"
    after = f" (after line {line})" if line else ""
    return source.held(
        f"The file is not in the encoding {encoding}{after}: it looks like {found or 'no encoding known here'}.",
        expected=f"{encoding}, as the contract declares",
        do="ask the owner to export it in that encoding, or change the contract's encoding",
    )


def read_csv(source: Source) -> Iterator[list[str] | Row]:
    """Comma-separated values with a header, strictly decoded. An empty field is no value."""
    csv.field_size_limit(LONGEST_FIELD)
    text = io.TextIOWrapper(source.stream, encoding=codec_of(source.table.encoding), errors="strict", newline="")
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise source.held("The file is empty.", expected="a header line with the contract's columns")
        # GB18030 has a BOM too, and no codec that knows it.
        yield [name.removeprefix("\ufeff") for name in header]
        width = len(header)
        line = reader.line_num + 1
        for values in reader:
            if len(values) != width:
                if not values:
                    line = reader.line_num + 1
                    continue
                raise source.held(
                    f"Line {line} has {len(values)} fields, the header has {width}.",
                    expected="as many fields on every line as the header names",
                )
            yield line, [value or None for value in values]
            line = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise wrong_encoding(source, looks_like(error.object), reader.line_num) from None
    except csv.Error:
        raise source.held(
            f"The file breaks off or its quotes do not close (after line {reader.line_num}).",
            expected="complete comma-separated values",
        ) from None
    finally:
        # A reader that is dropped half-way may outlive its file.
        if not text.closed:
            text.detach()


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


READERS: dict[str, Callable[[Source], Iterator[list[str] | Row]]] = {
    "csv": read_csv,
    "xlsx": read_xlsx,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


def open_reader(source: Source) -> Iterator[list[str] | Row]:
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
