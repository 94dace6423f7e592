"""Reads comma-separated values in blocks of about a megabyte, each with the lines its rows begin on.

Where every line of a block is a row, Polars splits those without a quotation mark, once it is seen that they have as
many fields as the header, and Python's reader the others. Any other block is read by Python's reader, several times
slower, which knows every form and says where it breaks off.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from connectors.transports.base import text_column
from connectors.transports.inspection import codec_of, looks_like
from connectors.transports.source import Source, wrong_encoding

# A single field of a department's table is never longer; the csv module's own limit is 131,072 characters.
LONGEST_FIELD = 10_000_000
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Block:
    """Rows in the header's columns, as text, and the line each begins on."""

    frame: pl.DataFrame
    lines: range | list[int]


def read_csv(source: Source) -> Iterator[list[str] | Block]:
    """The header, then its rows, strictly decoded. An empty field is no value."""
    csv.field_size_limit(LONGEST_FIELD)
    text = _Text(source)
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise source.held("The file is empty.", expected="a header line with the contract's columns")
        # GB18030 has a BOM too, and no codec that knows it.
        header = [name.removeprefix("\ufeff") for name in header]
        yield header
        names = [str(number) for number in range(len(header))]
        while text.fetch():
            block = _split(text, names) or _read(text, reader, source, names)
            if block.frame.height:
                yield block
    except UnicodeDecodeError as error:
        line = text.taken + text.waiting + error.object[: error.start].count(b"\n")
        raise wrong_encoding(source, looks_like(error.object), line) from None
    except csv.Error:
        raise source.held(
            f"The file breaks off or its quotes do not close (after line {text.taken}).",
            expected="complete comma-separated values",
        ) from None


class _Text:
    """The decoded file, handed out by whole lines: one by one to Python's reader, or a block at once.

    Attributes:
        taken: lines handed out.
    """

    def __init__(self, source: Source) -> None:
        self.taken = 0
        self._stream = source.stream
        self._decoder = codecs.getincrementaldecoder(codec_of(source.table.encoding))("strict")
        self._block = ""
        self._rest: list[str] = []
        self._open: io.StringIO | None = None
        self._length = 0
        self._has_ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line, of the next block where this one is used up: a row may go on there."""
        if not self.is_open:
            if not self.fetch():
                raise StopIteration
            # Lines may end in any of the three ways.
            self._open, self._length, self._block = io.StringIO(self._block, newline=""), len(self._block), ""
        assert self._open is not None
        self.taken += 1
        return self._open.readline()

    @property
    def is_open(self) -> bool:
        """Whether lines are left of a block that is handed out line by line."""
        return self._open is not None and self._open.tell() < self._length

    @property
    def waiting(self) -> int:
        """Lines decoded that wait for the rest of theirs."""
        return sum(part.count("\n") for part in self._rest)

    def fetch(self) -> bool:
        """See that there is a block to hand out; False at the end."""
        if self.is_open:
            assert self._open is not None
            self._block = self._open.read()
        self._open = None
        while not self._block and not self._has_ended:
            data = self._stream.read(BLOCK_BYTES)
            self._has_ended = not data
            text = self._decoder.decode(data, final=self._has_ended)
            end = len(text) if self._has_ended else text.rfind("\n") + 1
            if end or self._has_ended:
                self._block = "".join([*self._rest, text[:end]])
                self._rest = [text[end:]] if end < len(text) else []
            else:
                self._rest.append(text)
        return bool(self._block)

    def take_block(self) -> str | None:
        """The fetched block, where every line of it is a row."""
        block = self._block.replace("\r\n", "\n") if "\r" in self._block else self._block
        return None if "\r" in block or block.startswith("\n") or "\n\n" in block else block

    def drop_block(self, lines: int) -> None:
        """Count the fetched block as handed out."""
        self._block = ""
        self.taken += lines


def _split(text: _Text, names: list[str]) -> Block | None:
    """The fetched block where every line of it is a row; None where that takes a closer look."""
    taken = text.take_block()
    if taken is None:
        return None
    data = taken.encode() if taken.endswith("\n") else taken.encode() + b"\n"
    marks = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(marks == ord("\n"))
    quotes = np.bincount(np.searchsorted(ends, np.flatnonzero(marks == ord('"'))), minlength=len(ends))
    if (quotes % 2).any():
        return None
    commas = np.bincount(np.searchsorted(ends, np.flatnonzero(marks == ord(","))), minlength=len(ends))
    is_plain = quotes == 0
    if (commas[is_plain] != len(names) - 1).any():
        return None
    frame = _plain(data, names) if is_plain.all() else _mixed(data, ends, is_plain, names)
    if frame is None or frame.height != len(ends):
        return None
    first = text.taken + 1
    text.drop_block(len(ends))
    return Block(frame, range(first, first + len(ends)))


def _plain(data: bytes, names: list[str]) -> pl.DataFrame:
    if not data:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String()))
    return pl.read_csv(data, has_header=False, new_columns=names, infer_schema=False, quote_char=None)


def _mixed(
    data: bytes, ends: npt.NDArray[np.int64], is_plain: npt.NDArray[np.bool_], names: list[str]
) -> pl.DataFrame | None:
    """Lines with quotation marks are read by Python's reader, those between them by Polars."""
    starts = np.concatenate(([0], ends[:-1] + 1))
    quoted = np.flatnonzero(~is_plain)
    spans = [(int(starts[n]), int(ends[n]) + 1) for n in quoted]
    rows = []
    reader = csv.reader([data[start:end].decode() for start, end in spans], strict=True)
    try:
        for values in reader:
            rows.append([value or None for value in values])
            # A row that goes on over the end of its line.
            if reader.line_num != len(rows) or len(values) != len(names):
                return None
    except csv.Error:
        return None
    bounds = [0, *(place for span in spans for place in span), len(data)]
    between = b"".join(data[start:end] for start, end in zip(bounds[::2], bounds[1::2], strict=True))
    columns = [pl.Series(n, v, dtype=pl.String) for n, v in zip(names, zip(*rows, strict=True), strict=True)]
    both = pl.concat([_plain(between, names), pl.DataFrame(columns)])
    order = np.concatenate((np.flatnonzero(is_plain), quoted))
    return both[np.argsort(order)]


def _read(text: _Text, reader: Iterator[list[str]], source: Source, names: list[str]) -> Block:
    """The fetched block by Python's reader, and what a row of it goes on with."""
    rows: list[list[str]] = []
    lines: list[int] = []
    while True:
        line = text.taken + 1
        values = next(reader, None)
        if values is not None and len(values) == len(names):
            rows.append(values)
            lines.append(line)
        elif values:
            raise source.held(
                f"Line {line} has {len(values)} fields, the header has {len(names)}.",
                expected="as many fields on every line as the header names",
            )
        if not text.is_open:
            break
    columns = zip(*rows, strict=True) if rows else [() for _ in names]
    texts = [text_column(name, [v or None for v in values]) for name, values in zip(names, columns, strict=True)]
    return Block(pl.DataFrame(texts), lines)
