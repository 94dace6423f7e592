"""Rows of `COPY … TO STDOUT (format binary)` read as columns, without a loop over rows.

Only types that Postgres sends in one plain form are read here; of any other the query asks for the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from connectors.binary import BASE_DIGITS, EPOCH_DAYS, EPOCH_MICROSECONDS, NEGATIVE
from connectors.binary.layout import SHORT, WORD, Bytes, Places, items_of

_FIRST_DAY, _LAST_DAY = (date(1, 1, 1) - date(1970, 1, 1)).days, (date(9999, 12, 31) - date(1970, 1, 1)).days
_DAY = 86_400_000_000
_NUMBERS = {"smallint": ">i2", "integer": ">i4", "bigint": ">i8"}
# By a text's length, those bytes of its word that are part of its view.
_SHOWN = np.frombuffer(
    b"".join(bytes(4) + shown * b"\xff" + bytes(SHORT - shown) for shown in (*range(SHORT + 1), 4)), "<u8"
).reshape(-1, 2)
_TENS = 10 ** np.arange(19)
_ODD_NUMBERS = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}
KINDS = ("text", "boolean", "date", "timestamp", *_NUMBERS)


_Reader = Callable[[Bytes, Places, Places, pa.Buffer | None], pl.Series]


def read_block(block: Bytes, starts: Places, names: Sequence[str], kinds: Sequence[str]) -> pl.DataFrame:
    """Rows that begin at these places. Behind the last one the block goes on for a word.

    Days and times beyond the years 1 to 9999, the infinite ones among them, make their column of this block text, as
    Postgres writes it.
    """
    sizes = items_of(block, ">i4")
    places, columns = starts + 2, []
    for name, kind in zip(names, kinds, strict=True):
        told = sizes[places].astype(np.int64)
        is_there = told >= 0
        lengths = np.maximum(told, 0)
        places = places + 4
        validity = None if is_there.all() else pa.py_buffer(np.packbits(is_there, bitorder="little"))
        read = _decimals(kind) if kind.startswith("numeric") else _READERS[kind]
        columns.append(read(block, places, lengths, validity).alias(name))
        places = places + lengths
    return pl.DataFrame(columns)


def _texts(block: Bytes, places: Places, lengths: Places, validity: pa.Buffer | None) -> pl.Series:
    """No text is copied: of each is told where in the block it lies (Arrow's string view).

    A view is four words: the length; of a text up to 12 bytes the text itself, with zeros behind it; of a longer one
    its first 4 bytes, the number of its buffer, and where it begins there. In the block the length stands before it.
    """
    words = items_of(block, f"V{WORD}")[places - 4].view("<u8").reshape(-1, 2)
    views = (words & _SHOWN.take(np.minimum(lengths, SHORT + 1), axis=0)).view("<u4")
    views[:, 0] = lengths
    views[:, 3] += np.where(lengths > SHORT, places, 0).astype(np.uint32)
    buffers = [validity, pa.py_buffer(views), pa.py_buffer(block)]
    return _series(pa.Array.from_buffers(pa.string_view(), len(lengths), buffers))


def _booleans(block: Bytes, places: Places, lengths: Places, validity: pa.Buffer | None) -> pl.Series:
    return _whole(block[places], pa.uint8(), validity).cast(pl.Boolean)


def _integers(kind: str) -> _Reader:
    own = np.dtype(_NUMBERS[kind]).newbyteorder("=")

    def read(block: Bytes, places: Places, lengths: Places, validity: pa.Buffer | None) -> pl.Series:
        return _whole(items_of(block, _NUMBERS[kind])[places].astype(own), pa.from_numpy_dtype(own), validity)

    return read


@cache
def _decimals(kind: str) -> _Reader:
    """Numbers of a declared number of digits, `numeric(14,2)`, which 64 bits hold: digits to the base of 10,000 behind
    their count, the weight of the first, the sign, and the places behind the point."""
    precision, scale = (int(part) for part in kind.removeprefix("numeric(").removesuffix(")").split(","))

    def read(block: Bytes, places: Places, lengths: Places, validity: pa.Buffer | None) -> pl.Series:
        items, there = items_of(block, ">i2"), lengths > 0
        counts = np.where(there, items[places], 0).astype(np.int64)
        weights = items[np.where(there, places + 2, 0)].astype(np.int64)
        signs = items[np.where(there, places + 4, 0)].astype(np.int64) & 0xFFFF
        unscaled = np.zeros(len(places), np.int64)
        for number in range(int(counts.max(initial=0))):
            has_digit = counts > number
            digits = items[np.where(has_digit, places + 8 + 2 * number, 0)].astype(np.int64)
            # What is divided away behind the last place are zeros.
            exponents = np.where(has_digit, BASE_DIGITS * (weights - number) + scale, 0)
            value = digits * _TENS[np.maximum(exponents, 0)] // _TENS[np.maximum(-exponents, 0)]
            unscaled += np.where(has_digit, value, 0)
        unscaled = np.where(there & (signs == NEGATIVE), -unscaled, unscaled)
        values = np.stack([unscaled, unscaled >> 63], axis=1)
        array = pa.Array.from_buffers(pa.decimal128(precision, scale), len(places), [validity, pa.py_buffer(values)])
        is_odd = there & (signs > NEGATIVE)
        if not is_odd.any():
            return _series(array)
        rows = np.flatnonzero(is_odd)
        return _series(array).cast(pl.String).scatter(rows.tolist(), [_ODD_NUMBERS[int(signs[row])] for row in rows])

    return read


def _days(block: Bytes, places: Places, lengths: Places, validity: pa.Buffer | None) -> pl.Series:
    days = items_of(block, ">i4")[places].astype(np.int64) + EPOCH_DAYS
    is_odd = ((days < _FIRST_DAY) | (days > _LAST_DAY)) & (lengths > 0)
    values = _whole(np.where(is_odd, 0, days).astype(np.int32), pa.int32(), validity).cast(pl.Date)
    return _with_odd(values.cast(pl.String), days, is_odd, 1) if is_odd.any() else values


def _times(block: Bytes, places: Places, lengths: Places, validity: pa.Buffer | None) -> pl.Series:
    since = items_of(block, ">i8")[places].astype(np.int64)
    days = since // _DAY + EPOCH_DAYS
    is_odd = ((days < _FIRST_DAY) | (days > _LAST_DAY)) & (lengths > 0)
    moments = np.where(is_odd, 0, since + EPOCH_MICROSECONDS)
    values = _whole(moments, pa.int64(), validity).cast(pl.Datetime("us"))
    return _with_odd(time_texts(values), since, is_odd, _DAY) if is_odd.any() else values


def time_texts(moments: pl.Series) -> pl.Series:
    """Times without a zone as Postgres writes them: no more digits behind the second than there are."""
    return moments.dt.strftime("%Y-%m-%d %H:%M:%S%.6f").str.strip_chars_end("0").str.strip_chars_end(".")


def _with_odd(texts: pl.Series, values: NDArray[np.int64], is_odd: NDArray[np.bool_], unit: int) -> pl.Series:
    rows = np.flatnonzero(is_odd)
    written = [_odd_text(int(values[row]), unit) for row in rows]
    return texts.scatter(rows.tolist(), written)


def _odd_text(value: int, unit: int) -> str:
    """A day (counted from 1970) or a time (microseconds from 2000) that Python's calendar does not reach."""
    least, most = (-(2**31), 2**31 - 1) if unit == 1 else (-(2**63), 2**63 - 1)
    if unit == 1:
        value -= EPOCH_DAYS
    if value in (least, most):
        return "infinity" if value == most else "-infinity"
    day, rest = divmod(value, unit)
    # The calendar repeats itself every 400 years, which are 146,097 days.
    cycles, within = divmod(day + EPOCH_DAYS - _FIRST_DAY, 146_097)
    known = date.fromordinal(within + 1)
    year = known.year + 400 * cycles
    text = f"{year if year > 0 else 1 - year:04d}-{known.month:02d}-{known.day:02d}"
    if unit != 1:
        seconds, fraction = divmod(rest, 1_000_000)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:06d}"
        text += " " + clock.rstrip("0").rstrip(".")
    return text if year > 0 else f"{text} BC"


def _whole(numbers: NDArray[Any], kind: pa.DataType, validity: pa.Buffer | None) -> pl.Series:
    return _series(pa.Array.from_buffers(kind, len(numbers), [validity, pa.py_buffer(numbers)]))


def _series(array: pa.Array) -> pl.Series:
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series


_READERS: dict[str, _Reader] = {
    "text": _texts,
    "boolean": _booleans,
    "date": _days,
    "timestamp": _times,
    **{kind: _integers(kind) for kind in _NUMBERS},
}
