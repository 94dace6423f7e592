"""How far a batch brings its table: the next pull's cursor, and the moment raw then speaks of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from connectors.contract import TableContract
from connectors.transports import Pull
from connectors.transports.clock import midnight

Highest = Callable[[str], date | datetime | None]


def next_position(
    table: TableContract, highest: Highest, pull: Pull, cursor: str | None, as_of: datetime | None
) -> tuple[str | None, datetime | None]:
    """Cursor and as-of once the batch is in raw, given those before. `highest`: the highest good value of a column."""
    return _next_cursor(table, highest, pull, cursor), _as_of(table, highest, pull, as_of)


def latest(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two moments, either of which may be unknown."""
    moments = [moment for moment in (one, other) if moment is not None]
    return max(moments) if moments else None


def _next_cursor(table: TableContract, highest_of: Highest, pull: Pull, before: str | None) -> str | None:
    """What the transport says, else the highest cursor value among good rows: a refused row with a date in the year
    2206 must not move it. It never moves back."""
    if pull.cursor is not None or table.cursor is None:
        return pull.cursor or before
    highest = highest_of(table.cursor)
    if highest is None:
        return before
    if not isinstance(highest, datetime):
        return max(highest.isoformat(), before or "")
    if before is not None and datetime.fromisoformat(before) >= highest:
        return before
    return highest.astimezone(ZoneInfo(table.timezone)).isoformat()


def _as_of(table: TableContract, highest_of: Highest, pull: Pull, before: datetime | None) -> datetime | None:
    """The contract's as-of column, else what the transport reports, else the highest cursor value."""
    column = table.as_of_column or (None if pull.as_of else table.cursor)
    if column is None:
        return pull.as_of or before
    highest = highest_of(column)
    moment = highest if isinstance(highest, datetime) or highest is None else midnight(highest, table.timezone)
    return latest(moment, before)
