"""Rows of Postgres's `COPY … TO STDOUT (format binary)`, kept as the bytes that came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import IO, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from connectors.binary.columns import read_block
from connectors.binary.layout import WORD, Bytes, Places, ends_of, move
from connectors.transports.received import Received, positions


@dataclass(frozen=True)
class CopyForm:
    """What the fields of a row are: their names, the kinds of `binary.columns`, those that are instants as text."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    zoned: frozenset[str]


class Copied:
    """Rows one behind the other in `block`, which goes on for a word behind them.

    `sizes`: their bytes. `numbers`: their places in the pull, from 1.
    """

    def __init__(self, layout: CopyForm, block: Bytes, sizes: Places, numbers: Places) -> None:
        self._layout = layout
        self._block = block
        self._sizes = sizes
        self._numbers = numbers

    @property
    def is_free_of_nul(self) -> bool:
        # A Postgres text ends with it.
        return True

    @property
    def height(self) -> int:
        return len(self._sizes)

    @property
    def form(self) -> str:
        return repr((self._layout.names, self._layout.kinds))

    @cached_property
    def frame(self) -> pl.DataFrame:
        layout = self._layout
        columns = read_block(self._block, ends_of(self._sizes)[:-1], layout.names, layout.kinds)
        return with_offsets(columns, layout.zoned).with_columns(positions(row=pl.Series(self._numbers)))

    def hashes(self, seeds: Sequence[int]) -> NDArray[np.uint64]:
        buffers = [None, pa.py_buffer(ends_of(self._sizes)), pa.py_buffer(self._block)]
        rows = pl.DataFrame({"row": pl.from_arrow(pa.Array.from_buffers(pa.large_binary(), self.height, buffers))})
        return np.stack([rows.hash_rows(seed).to_numpy() for seed in seeds], axis=1)

    def only(self, wanted: NDArray[np.bool_]) -> Self:
        sizes = self._sizes[wanted]
        ends = ends_of(sizes)
        block = np.zeros(int(ends[-1]) + WORD, np.uint8)
        move(block, ends[:-1], self._block, ends_of(self._sizes)[:-1][wanted], sizes)
        return type(self)(self._layout, block, sizes, self._numbers[wanted])

    def joined(self, others: Sequence[Self]) -> Self:
        parts = (self, *others)
        blocks = [part._block[: int(part._sizes.sum())] for part in parts]
        return type(self)(
            self._layout,
            np.concatenate([*blocks, np.zeros(WORD, np.uint8)]),
            np.concatenate([part._sizes for part in parts]),
            np.concatenate([part._numbers for part in parts]),
        )

    def write(self, file: IO[bytes]) -> Callable[[bytes], Received]:
        for part in (self._sizes, self._numbers, self._block):
            file.write(memoryview(part))  # type: ignore[arg-type]
        return partial(_read_copied, self._layout, self.height)


def _read_copied(layout: CopyForm, height: int, content: bytes) -> Received:
    sizes, numbers = np.frombuffer(content, np.int64, 2 * height).reshape(2, height)
    return Copied(layout, np.frombuffer(content, np.uint8, offset=16 * height), sizes, numbers)


def with_offsets(frame: pl.DataFrame, zoned: frozenset[str]) -> pl.DataFrame:
    """Instants in the form `2026-06-30T00:00:00+00:00`; Postgres leaves the minutes of an offset out."""
    if not zoned:
        return frame
    values = [(name, pl.col(name)) for name in zoned]
    return frame.with_columns(
        pl.when(value.str.ends_with("+00"))
        .then(value.str.replace(" ", "T", literal=True) + ":00")
        .otherwise(value)
        .alias(name)
        for name, value in values
    )
