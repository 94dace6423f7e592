"""The binary form of Postgres's COPY, between its bytes and columns, whole frames at a time.

No connection is opened here, and no rule of any table belongs here.
"""

from __future__ import annotations

# Both count from 2000-01-01, Postgres's own first day.
EPOCH_DAYS = 10_957
EPOCH_MICROSECONDS = EPOCH_DAYS * 86_400_000_000
SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
# Numbers of Postgres are digits to the base of 10,000.
BASE, BASE_DIGITS = 10_000, 4
NEGATIVE = 0x4000
# Up to here a decimal and its digits behind the point, filled up to whole digits of the base, fit 64 bits.
MOST_DIGITS, MOST_PLACES = 18, 16
