"""Rows as received, kept on disk while their batch is under way: for those refused late, which are quarantined
unaltered, and for those staged late, once it is known that they differ from raw.

The file has no name and goes with the process, whatever ends it.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator

import polars as pl

# Texts as they lie in memory: gathering them into one buffer costs more than writing them.
_AS_IT_IS = pl.CompatLevel.newest()


class Spool:
    """Frames as received. A row is known by its number of arrival, from 1."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its batch
        self._frames: list[tuple[int, int, int]] = []
        self._rows = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Keep a frame."""
        self._file.seek(0, io.SEEK_END)
        start = self._file.tell()
        frame.write_ipc(self._file, compat_level=_AS_IT_IS)
        self._file.flush()
        self._frames.append((start, self._file.tell(), frame.height))
        self._rows += frame.height

    def find(self, arrivals: pl.Series) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
        """The rows of these numbers (rising), with them, a frame at a time."""
        first = 1
        for start, end, rows in self._frames:
            wanted = _between(arrivals, first, first + rows)
            if wanted.len():
                self._file.seek(start)
                frame = pl.read_ipc(io.BytesIO(self._file.read(end - start)))
                yield frame[(wanted.cast(pl.Int64) - first).to_numpy()], wanted
            first += rows

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def _between(arrivals: pl.Series, first: int, end: int) -> pl.Series:
    low, high = arrivals.search_sorted(first), arrivals.search_sorted(end)
    return arrivals.slice(int(low), int(high) - int(low))
