"""Random draws and small frame helpers that the city's modules share.

Nothing here knows a table or a person. Every stream of random numbers is named, so that a change in one part of the
city leaves the others as they were.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[Any]
Rng = np.random.Generator

NEVER = np.datetime64("NaT", "us")
NO_DAY = np.datetime64("NaT", "D")


def stream(seed: int, name: str, day: dt.date | None = None) -> Rng:
    """The random stream `name` of the city `seed`, of one day of its life when `day` is given."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), 0 if day is None else day.toordinal()])


def pick(rng: Rng, options: Sequence[str] | Array, size: int, weights: Sequence[float] | Array | None = None) -> Array:
    """`size` draws with replacement from `options`."""
    values = np.asarray(options)
    if weights is None:
        return np.asarray(values[rng.integers(0, len(values), size)])
    cumulative = np.cumsum(np.asarray(weights, dtype=float))
    found = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.asarray(values[np.minimum(found, len(values) - 1)])


def weighted(rng: Rng, weights: Mapping[str, float], size: int) -> Array:
    """`size` draws from the keys of `weights`."""
    return pick(rng, list(weights), size, list(weights.values()))


def chance(rng: Rng, probability: float | Array, size: int) -> NDArray[np.bool_]:
    """`size` independent yes/no draws."""
    return np.asarray(rng.random(size) < probability)


def luck_of(keys: pl.Series, name: str) -> Array:
    """One number in [0, 1) for each key, the same on every day: what a person is like, not what happens to him.

    Digits of the key mixed by splitmix64, which spreads neighbours evenly.
    """
    digits = keys.str.replace_all(r"\D", "").str.slice(-15).cast(pl.UInt64, strict=False).fill_null(0).to_numpy()
    with np.errstate(over="ignore"):
        z = digits + np.uint64(zlib.crc32(name.encode())) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(11)).astype(np.float64) / 2.0**53)


def sample(rng: Rng, indexes: Array, size: int) -> Array:
    """At most `size` of `indexes` without replacement, in ascending order."""
    return np.sort(rng.choice(indexes, size=min(size, len(indexes)), replace=False))


def day(value: dt.date) -> np.datetime64:
    """A date as numpy's day."""
    return np.datetime64(value, "D")


def days(count: Array) -> Array:
    """Whole days as a duration."""
    return np.asarray(count).astype("int64").astype("timedelta64[D]")


def minutes(count: Array | float) -> Array:
    """Minutes (fractions too) as a duration in whole seconds."""
    seconds = np.round(np.asarray(count, dtype=float) * 60).astype("int64")
    return np.asarray((seconds * 1_000_000).astype("timedelta64[us]"))


def at_midnight(value: dt.date) -> dt.datetime:
    """The first instant of a day, city time (naive, Asia/Shanghai)."""
    return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the city's own clock has no offset


def end_of(value: dt.date) -> dt.datetime:
    """The last second of a day: what a system knows at the close of that day."""
    return at_midnight(value) + dt.timedelta(hours=23, minutes=59, seconds=59)


def clock_times(rng: Rng, dates: Array, first_hour: float = 8.5, last_hour: float = 17.5) -> Array:
    """An instant within office hours on each date."""
    offset = minutes(rng.uniform(first_hour * 60, last_hour * 60, len(dates)))
    return np.asarray(dates.astype("datetime64[us]") + offset)


def take(options: Sequence[str], index: Array) -> Array:
    """`options[index]` as an array of text."""
    return np.asarray(np.asarray(options, dtype=object)[index])


def joined(*parts: pl.Expr | str) -> pl.Expr:
    """Text put together from expressions and literals; missing parts count as empty."""
    return pl.concat_str([pl.lit(p) if isinstance(p, str) else p for p in parts], ignore_nulls=True)


def zero_filled(numbers: Array, width: int) -> Array:
    """Whole numbers as text of at least `width` digits; numpy's own zfill refuses empty arrays."""
    text = np.asarray(numbers).astype(np.int64).astype(str)
    return np.asarray(np.char.zfill(text, width)) if len(text) else text


def counted(prefix: str, numbers: Array, width: int) -> pl.Series:
    """Keys such as `P0000001`."""
    return pl.Series(numbers).cast(pl.String).str.zfill(width).str.replace("^", prefix)


def texts(values: Any) -> pl.Series:
    """A text column from a numpy array or list; None stays missing."""
    return pl.Series(list(values), dtype=pl.String)
