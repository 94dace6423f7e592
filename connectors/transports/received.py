"""Rows as a source gave them, before anyone has looked at them.

Most sources give values, which lie in columns from the start. Postgres gives a block of bytes: of a row that raw holds
already nothing but its bytes' hash is ever asked for, so columns are made only of rows that somebody wants to see.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Protocol, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from connectors.checks.batch import POSITION
from connectors.checks.values import as_texts

# Texts as they lie in memory: gathering them into one buffer costs more than writing them.
_AS_IT_IS = pl.CompatLevel.newest()


class Received(Protocol):
    """Rows of one table in their order."""

    @property
    def height(self) -> int:
        """How many rows."""
        ...

    @property
    def frame(self) -> pl.DataFrame:
        """The contract's columns in order, then `_position`."""
        ...

    @property
    def form(self) -> str:
        """What the bytes that are hashed mean, where that is not to be seen from them."""
        ...

    @property
    def is_free_of_nul(self) -> bool:
        """Whether the source cannot hold a NUL character."""
        ...

    def hashes(self, seeds: Sequence[int]) -> NDArray[np.uint64]:
        """Of each row and seed 64 bits over the row's values, wherever it stood at the source; rows × seeds."""
        ...

    def only(self, wanted: NDArray[np.bool_]) -> Self:
        """Some of the rows. They keep nothing of the others in memory."""
        ...

    def joined(self, others: Sequence[Self]) -> Self:
        """These rows and behind them others of the same pull."""
        ...

    def write(self, file: IO[bytes]) -> Callable[[bytes], Received]:
        """Keep the rows in a file; returned is what makes rows again of the bytes written."""
        ...


@dataclass(frozen=True)
class Columns:
    """Rows that came as columns."""

    frame: pl.DataFrame
    form: str = ""
    is_free_of_nul: bool = False

    @property
    def height(self) -> int:
        return self.frame.height

    def hashes(self, seeds: Sequence[int]) -> NDArray[np.uint64]:
        values = self.frame.drop(POSITION, strict=False)
        return np.stack([values.hash_rows(seed).to_numpy() for seed in seeds], axis=1)

    def only(self, wanted: NDArray[np.bool_]) -> Self:
        found = self.frame.filter(pl.Series(wanted))
        if found.height * 10 < self.height:
            # A few rows of a frame keep all of its texts in memory, unless they are copied out.
            found = pl.DataFrame(found.rows(), schema=found.schema, orient="row")
        return type(self)(found)

    def joined(self, others: Sequence[Self]) -> Self:
        frames = [self.frame, *(other.frame for other in others)]
        if any(frame.schema != self.frame.schema for frame in frames):
            # A column may come as text in one frame, for a value that has no other form, and typed in the next.
            names = [name for name in self.frame.columns if name != POSITION]
            frames = [as_texts(frame, names).with_columns(frame.get_column(POSITION)) for frame in frames]
        return type(self)(pl.concat(frames))

    def write(self, file: IO[bytes]) -> Callable[[bytes], Received]:
        self.frame.write_ipc(file, compat_level=_AS_IT_IS)
        return _read_columns


def _read_columns(content: bytes) -> Received:
    return Columns(pl.read_ipc(io.BytesIO(content)))


def positions(**parts: str | Sequence[int] | pl.Series) -> pl.Series:
    """The `_position` column, where each row lay at its source: `positions(file="a.csv", line=[7, 8])`.

    A struct, since it is written as JSON only for the few rows that are refused.
    """
    return pl.DataFrame(parts).to_struct(POSITION)
