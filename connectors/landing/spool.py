"""Rows as received, kept on disk while their batch is under way, so that one refused late is quarantined unaltered.

Only repeated keys need it: what else is wrong with a row shows when it arrives. The file has no name and goes with
the process, whatever ends it; writing costs 2 % of checking and copying the same rows.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from connectors.transports import POSITION


class Spool:
    """Frames as received, in order of arrival."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its batch
        self._ends: list[int] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Keep a frame."""
        self._file.seek(0, io.SEEK_END)
        self._file.write(_packed(frame))
        self._ends.append(self._file.tell())

    def find(self, positions: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
        """The rows at these positions (as `position_text` writes them), a frame at a time."""
        wanted = pl.Series(list(positions), dtype=pl.String)
        start = 0
        for end in self._ends:
            self._file.seek(start)
            frame = pl.read_ipc(io.BytesIO(self._file.read(end - start)))
            found = frame.filter(pl.col(POSITION).is_in(wanted.implode()))
            if found.height:
                yield found
            start = end

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def position_text(position: Mapping[str, Any]) -> str:
    """A position read from jsonb, in the text form the transports give it: shorter names first."""
    ordered = dict(sorted(position.items(), key=lambda item: (len(item[0]), item[0])))
    return json.dumps(ordered, ensure_ascii=False)


def _packed(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return buffer.getvalue()
