"""Deadlines by the Chinese working calendar, make-up days included.

chinesecalendar knows the years whose State Council notice is out (up to 2026 in 1.11). Later years have no notice yet;
until they do, their working days are Monday to Friday, as everybody's are before the notice comes.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import chinese_calendar
import numpy as np

from demo.city.draw import Array

FIRST_YEAR = 2015
LAST_YEAR = 2035


def is_working_day(value: dt.date) -> bool:
    """Whether offices work on that day."""
    if value.year > max(day.year for day in _known_span()):
        return value.weekday() < 5
    return bool(chinese_calendar.is_workday(value))


@lru_cache(maxsize=1)
def _known_span() -> tuple[dt.date, dt.date]:
    known = chinese_calendar.holidays
    return min(known), max(known)


@lru_cache(maxsize=1)
def working_days() -> Array:
    """All working days of the covered years, ascending, as datetime64[D]."""
    first = dt.date(FIRST_YEAR, 1, 1)
    span = (dt.date(LAST_YEAR, 12, 31) - first).days + 1
    candidates = (first + dt.timedelta(days=i) for i in range(span))
    return np.array([day for day in candidates if is_working_day(day)], dtype="datetime64[D]")


def add_working_days(starts: Array, count: Array) -> Array:
    """The same time of day, `count` working days later; a start on a day off counts from the next working day."""
    calendar = working_days()
    start_days = starts.astype("datetime64[D]")
    time_of_day = starts.astype("datetime64[us]") - start_days
    position = np.searchsorted(calendar, start_days) + np.asarray(count, dtype=np.int64)
    return np.asarray(calendar[np.minimum(position, len(calendar) - 1)] + time_of_day)
