"""Rows as received, kept on disk while their batch is under way: for those refused late, which are quarantined
unaltered, and for those staged late, once it is known that they differ from raw.

The file has no name and goes with the process, whatever ends it.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from connectors.transports.received import Received


class Spool:
    """A row is known by its number of arrival, from 1."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its batch
        self._parts: list[tuple[int, int, int, Callable[[bytes], Received]]] = []

    def add(self, received: Received) -> None:
        """Keep these rows."""
        self._file.seek(0, io.SEEK_END)
        start = self._file.tell()
        read = received.write(self._file)
        self._file.flush()
        self._parts.append((start, self._file.tell(), received.height, read))

    def find(self, arrivals: pl.Series) -> Iterator[tuple[Received, pl.Series]]:
        """The rows of these numbers (rising), with them, a part at a time as they were added."""
        first = 1
        for start, end, rows, read in self._parts:
            wanted = _between(arrivals, first, first + rows)
            if wanted.len():
                self._file.seek(start)
                received = read(self._file.read(end - start))
                if wanted.len() < rows:
                    is_wanted = np.zeros(rows, np.bool_)
                    is_wanted[(wanted.cast(pl.Int64) - first).to_numpy()] = True
                    received = received.only(is_wanted)
                yield received, wanted
            first += rows

    def all(self) -> Iterator[tuple[Received, pl.Series]]:
        """Every row, as `find`."""
        rows = sum(part[2] for part in self._parts)
        return self.find(pl.int_range(1, rows + 1, eager=True))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def _between(arrivals: pl.Series, first: int, end: int) -> pl.Series:
    low, high = arrivals.search_sorted(first), arrivals.search_sorted(end)
    return arrivals.slice(int(low), int(high) - int(low))
