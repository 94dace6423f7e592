"""A file that is being read, and what is said about one that must not be admitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from connectors.contract import TableContract
from warehouse.errors import HeldBatch


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
