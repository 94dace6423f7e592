"""Times of cursors: read, moved back by the overlap, written the way a source understands them. No clock is read."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.contract import TableContract


def since(table: TableContract, cursor: str | None) -> datetime | None:
    """Where an incremental pull starts: the cursor less the overlap, in the source's time zone.

    Rows are pulled again for the length of the overlap because a source commits late and its clock drifts; the
    row hashes make the second sight of a row free.
    """
    if cursor is None or table.cursor is None or table.load_mode == "snapshot":
        return None
    return parse(cursor, table.timezone) - timedelta(minutes=table.overlap_minutes)


def parse(text: str, timezone: str) -> datetime:
    """An ISO date or time as an aware time; what names no zone is meant in `timezone`."""
    zone = ZoneInfo(timezone)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def midnight(day: date, timezone: str) -> datetime:
    """The first moment of a day in a time zone."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone))
