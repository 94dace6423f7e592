"""What every transport offers and what a pull hands over. How a value is judged or landed does not belong here.

A transport yields values **as received** (`received`), each row with its place at the source. Typing them is the
checks' work, so a value that is wrong reaches the quarantine exactly as the department delivered it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

import polars as pl

from connectors.contract import TableContract
from connectors.transports.received import Received
from warehouse.errors import HeldBatch

# Rows per frame. A loader with its gate takes 390 MB with 10,000 rows × 12 columns a frame and 590 MB with 50,000; the
# latter save a tenth of its time.
CHUNK_ROWS = 10_000


@dataclass
class Pull:
    """Rows on their way. `batches` is read once; the other fields are final when it is exhausted.

    Attributes:
        batches: rows as received.
        is_complete: whether the pull carries every row the source has, so that what is absent is gone there.
        cursor: where the next pull starts, when the transport knows better than the cursor column (drop date).
        as_of: the moment the source says its answer describes.
        source_total: how many rows the source says it sent.
        warnings: things to tell the data team that stop nothing, without row values.
        new_columns: names the source has and the contract does not; None as long as none could be seen (no row came).
        drops: days whose drop an append table took; they are not taken again.
        is_ordered: whether rows come by ascending cursor, so that what came before a break needs not come again.
    """

    batches: Iterator[Received]
    is_complete: bool
    cursor: str | None = None
    as_of: datetime | None = None
    source_total: int | None = None
    warnings: list[str] = field(default_factory=list)
    drops: list[date] = field(default_factory=list)
    new_columns: list[str] | None = None
    is_ordered: bool = False

    @property
    def frames(self) -> Iterator[pl.DataFrame]:
        """The batches as columns, for who wants to see every row."""
        return (rows.frame for rows in self.batches)

    def saw(self, extra: Sequence[str]) -> None:
        """Note the columns beyond the contract that were seen; they are not pulled."""
        known = self.new_columns or []
        self.new_columns = [*known, *(name for name in extra if name not in known)]


class Transport(Protocol):
    """A way to one source system."""

    @property
    def address(self) -> str:
        """The source's address as it may be printed: no password, no key."""
        ...

    def check(self) -> Mapping[str, Sequence[str]]:
        """Reach the source and see that every table of the contract is there.

        Returns:
            Columns the source has and the contract does not, by table.

        Raises:
            CityhubError: it cannot be reached, refuses us, or lacks a table or column.
        """
        ...

    def pull(self, table: TableContract, cursor: str | None) -> Pull:
        """Start pulling a table: what changed since `cursor` (less its overlap), or everything.

        Raises:
            CityhubError: now, or while the batches are read.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def require_columns(table: TableContract, present: Sequence[str], where: str) -> list[str]:
    """Compare what the source offers with the contract; return the names the contract does not know.

    Raises:
        HeldBatch: a contract column is missing. Its rows would land as empty and wipe what raw knows.
    """
    missing = [name for name in table.column_names if name not in present]
    extra = [name for name in present if name not in table.column_names]
    if len(missing) == len(table.column_names):
        # A file without a header line: what stands for the names are values, and not to be told.
        raise HeldBatch(
            f"The source delivers none of the contract's columns, but {len(extra)} others.",
            where=f"{table.system}.{table.name} ({where})",
            expected=f"{_columns(missing)} as the contract {table.version} declares",
            do="ask the owner whether the header line is missing or every column was renamed",
        )
    if missing:
        unknown = f"; columns the contract does not know: {', '.join(extra)}" if extra else ""
        raise HeldBatch(
            f"The source no longer delivers {_columns(missing)}.",
            where=f"{table.system}.{table.name} ({where})",
            expected=f"{_columns(missing)} as the contract {table.version} declares{unknown}",
            do="ask the owner whether it was renamed or dropped; then restore it there or change the contract",
        )
    return extra


def new_columns_note(names: Sequence[str]) -> str:
    """What is said about columns that the contract does not know; they are not pulled."""
    return f"not in the contract, not pulled: {_columns(names)}"


def _columns(names: Sequence[str]) -> str:
    return f"column{'' if len(names) == 1 else 's'} {', '.join(names)}"


def as_text(value: Any) -> str | None:
    """One value as text, exactly and in the form the checks read (ISO times, `true`/`false`, plain decimals)."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        # A source with an undeclared encoding; what is not UTF-8 stays recognisable and fails its type check.
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


def text_column(name: str, values: Sequence[Any]) -> pl.Series:
    """A column of values as received, as text."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int}:
        with suppress(OverflowError, TypeError):
            return pl.Series(name, values, dtype=pl.Int64).cast(pl.String)
    texts = values if kinds <= {str} else [as_text(value) for value in values]
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:
        # JSON allows half of a surrogate pair, no encoding does.
        return pl.Series(name, [_without_surrogates(text) for text in texts], dtype=pl.String)


def _without_surrogates(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")
