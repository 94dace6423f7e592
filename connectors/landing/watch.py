"""What a batch as a whole says of its source: columns of another type, rows out of order. Single rows are the checks'
matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from connectors.checks.values import as_text, direct_way, read_values
from connectors.contract import TableContract
from warehouse.errors import HeldBatch

# One or two values that cannot be read are dirt. That none of three can is the column's doing where they are half the
# batch; in a column that few rows fill, three clerks may have written 不详, and only twenty are no chance.
_FEWEST_VALUES = 3
_MANY_VALUES = 20


class TypeWatch:
    """Looks for columns of which no value reads as its type any more, over all frames of a batch.

    Such a batch would otherwise be held only where it is large: of a small table all rows would be quarantined one by
    one, and nobody told that a column changed.
    """

    def __init__(self, table: TableContract) -> None:
        self._table = table
        self._suspects = {column.name: 0 for column in table.columns if column.pg_type != "text"}
        self._rows = 0

    def see(self, frame: pl.DataFrame, rejections: Mapping[str, int]) -> None:
        """Take a frame as received, and how many of its rows each rule refused."""
        self._rows += frame.height
        for name, unread in list(self._suspects.items()):
            failed = rejections.get(f"{name}_type", 0)
            values = frame.height - frame.get_column(name).null_count()
            if not failed and not values:
                continue
            if values != failed:
                texts = frame.get_column(name).cast(pl.String).str.strip_chars()
                values = int((texts != "").sum())
            if values == failed:
                self._suspects[name] = unread + failed
            else:
                # One value that can be read clears the column for the whole batch.
                del self._suspects[name]

    def retyped(self) -> dict[str, int]:
        """Columns of which no value reads as its type, and how many values do not."""
        few = max(_FEWEST_VALUES, self._rows / 2)
        return {name: unread for name, unread in self._suspects.items() if unread >= min(few, _MANY_VALUES)}

    def require_types(self) -> None:
        """See that every column still is of its type.

        Raises:
            HeldBatch: one is not.
        """
        table = self._table
        retyped = self.retyped()
        if not retyped:
            return
        said = [
            f"{name} no longer reads as {table.column(name).pg_type} (none of {unread} values does)"
            for name, unread in retyped.items()
        ]
        raise HeldBatch(
            f"The source has another type in column {'; '.join(said)}.",
            where=f"{table.system}.{table.name}",
            expected=f"values as the contract {table.version} declares them",
            do="ask the owner whether the column was retyped or swapped; restore it there or change the contract",
        )


class OrderWatch:
    """Sees whether the rows of a pull really come by ascending cursor, as the source promised.

    Attributes:
        holds: no row so far came behind a later one. Rows without a readable cursor value have no place in the order:
            an incremental pull brings them every time.
    """

    def __init__(self, table: TableContract) -> None:
        self._table = table
        self._last: Any = None
        self.holds = True

    def see(self, frame: pl.DataFrame) -> None:
        """Take a frame as received."""
        assert self._table.cursor is not None
        column = self._table.column(self._table.cursor)
        values = frame.get_column(column.name)
        way = direct_way(column.name, values.dtype, column.pg_type, self._table.timezone)
        if way is not None:
            moments = values.to_frame().select(way).to_series()
        else:
            moments = read_values(as_text(values).str.strip_chars(), column.pg_type, self._table.timezone)
        moments = moments.drop_nulls()
        if moments.is_empty():
            return
        if not moments.is_sorted() or (self._last is not None and moments[0] < self._last):
            self.holds = False
        self._last = moments[-1]
