"""Columns of text turned into typed columns: a value that cannot be read becomes null, and the caller compares.

Each reader tries the one common form on the whole column first and looks closer only at what is left, so that the
forms a clerk may use cost nothing where a system writes the common one. No rule of any table belongs here.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

# Spaces of every width and the marks that files and copies leave at the ends of values.
TRIMMED = " \t\r\n\x0b\x0c\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f"
TRIMMED += "\u3000\ufeff"
_FULL_WIDTH = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)} | {"\u3000": " ", "\u2212": "-"}
_TRUE = ("是", "true", "1", "y", "yes", "t", "1.0", "有", "√")
_FALSE = ("否", "false", "0", "n", "no", "f", "0.0", "无", "×")
_INTEGERS = {"smallint": pl.Int16(), "integer": pl.Int32(), "bigint": pl.Int64()}
# Numbers of a spreadsheet's days: 10959 is 1930-01-01, 73050 is 2099-12-31; day 0 is 1899-12-30.
_SERIAL_DAY = r"^[1-7][0-9]{4}(?:\.0+)?$"
_FIRST_SERIAL, _LAST_SERIAL = 10_959, 73_050
_DAY = (
    r"^([0-9]{4})(?:-([0-9]{1,2})-([0-9]{1,2})|/([0-9]{1,2})/([0-9]{1,2})|\.([0-9]{1,2})\.([0-9]{1,2})"
    r"|年([0-9]{1,2})月([0-9]{1,2})日|([0-9]{2})([0-9]{2}))"
)
_MIDNIGHT = r"(?:[ T]0{1,2}:00(?::00(?:\.0+)?)?)?$"
_CLOCK = r"(?:[ T]*([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,9})?)?)?$"
_OFFSET = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
_HAS_OFFSET = r":[0-9]{2}(?:\.[0-9]+)? ?(?:Z|[+-][0-9]{2}:?[0-9]{2})$"

Reader = Callable[[pl.Series], pl.Series]


def polars_type(pg_type: str) -> pl.DataType:
    """The Polars type of a contract's Postgres type."""
    if pg_type in _INTEGERS:
        return _INTEGERS[pg_type]
    if pg_type.startswith("numeric"):
        precision, scale = pg_type.removeprefix("numeric(").removesuffix(")").split(",")
        return pl.Decimal(int(precision), int(scale))
    return {
        "text": pl.String(),
        "boolean": pl.Boolean(),
        "date": pl.Date(),
        "timestamptz": pl.Datetime("us", "UTC"),
    }[pg_type]


def as_text(values: pl.Series) -> pl.Series:
    """A column as received, as text; columns a source delivers typed are written in the form the readers know."""
    if values.dtype == pl.String:
        return values
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        return values.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S%.6fZ")
    return values.cast(pl.String)


def trimmed(values: pl.Series) -> pl.Series:
    """Texts without surrounding spaces; empty ones are null."""
    texts = values.str.strip_chars(TRIMMED)
    is_empty = texts == ""
    return texts.zip_with(~is_empty, pl.Series([None], dtype=pl.String)) if is_empty.any() else texts


def read_values(texts: pl.Series, pg_type: str, timezone: str) -> pl.Series:
    """Trimmed texts as `pg_type`; null where a text cannot be read. Times without offset are meant in `timezone`."""
    if pg_type == "text":
        return texts
    if pg_type == "boolean":
        return read_booleans(texts)
    if pg_type == "date":
        return read_dates(texts)
    if pg_type == "timestamptz":
        return read_times(texts, timezone)
    return read_numbers(texts, polars_type(pg_type))


def read_booleans(texts: pl.Series) -> pl.Series:
    """是/否, true/false, 1/0, Y/N and their kin."""
    lowered = texts.str.to_lowercase()
    if lowered.str.contains(r"[^\x00-\x7F是否有无√×]").any():
        lowered = _half_width(lowered)
    known = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
    return lowered.replace_strict(known, default=None, return_dtype=pl.Boolean)


def read_numbers(texts: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Integers and decimals, also with full-width digits, thousands commas, an exponent, or `.0` behind an integer.

    Decimals with more places than the column keeps are rounded half away from zero, as Postgres does.
    """
    return _second_look(texts, texts.cast(dtype, strict=False), lambda rest: _read_odd_numbers(rest, dtype))


def read_dates(texts: pl.Series) -> pl.Series:
    """Days as 2026-06-30, 2026/6/30, 20260630, 2026.6.30, 2026年6月30日, a spreadsheet's day number, or a midnight."""
    days = _plausible(texts.str.to_date("%Y-%m-%d", strict=False))
    return _second_look(texts, days, _read_odd_dates)


def read_times(texts: pl.Series, timezone: str) -> pl.Series:
    """Moments in UTC: ISO with `Z` or an offset, or local time of `timezone` in any of the forms a day may have.

    A local time that a clock change left out (Shanghai 1986–1991) cannot be read; one that came twice is the earlier.
    """
    naive = texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    return _second_look(texts, _to_utc(naive, timezone), lambda rest: _read_odd_times(rest, timezone))


def _second_look(texts: pl.Series, values: pl.Series, reader: Reader) -> pl.Series:
    """`values`, with `reader` asked for those texts that gave none."""
    is_left = values.is_null() & texts.is_not_null()
    if not is_left.any():
        return values
    # Sources repeat themselves (a drop's dates, a register's amounts): read each odd text once.
    rest = texts.filter(is_left)
    distinct = rest.unique()
    table = pl.DataFrame({"text": distinct, "value": reader(distinct)})
    found = rest.to_frame("text").join(table, on="text", how="left", maintain_order="left").get_column("value")
    return values.scatter(is_left.arg_true(), found.cast(values.dtype))


def _half_width(texts: pl.Series) -> pl.Series:
    return texts.str.replace_many(list(_FULL_WIDTH), list(_FULL_WIDTH.values()))


def _read_odd_numbers(texts: pl.Series, dtype: pl.DataType) -> pl.Series:
    plain = _half_width(texts).str.strip_chars(TRIMMED)
    has_commas = plain.str.contains(r"^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?$")
    plain = plain.str.replace_all(",", "", literal=True).zip_with(has_commas, plain)
    if dtype.is_integer():
        plain = plain.str.replace(r"^([+-]?[0-9]+)\.0*$", "${1}")
    values = plain.cast(dtype, strict=False)
    has_exponent = plain.str.contains(r"^[+-]?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,2}$")
    if not has_exponent.any():
        return values
    numbers = plain.cast(pl.Float64, strict=False)
    if dtype.is_integer():
        numbers = numbers.zip_with(numbers == numbers.floor(), pl.Series([None], dtype=pl.Float64))
    return numbers.cast(dtype, strict=False).zip_with(has_exponent, values)


def _read_odd_dates(texts: pl.Series) -> pl.Series:
    plain = _half_width(texts)
    serial = plain.to_frame("text").select(
        pl.when(pl.col("text").str.contains(_SERIAL_DAY)).then(
            pl.col("text").cast(pl.Float64, strict=False).cast(pl.Int32, strict=False)
        )
    )
    number = serial.to_series()
    number = number.zip_with(number.is_between(_FIRST_SERIAL, _LAST_SERIAL), pl.Series([None], dtype=pl.Int32))
    # Day 0 of the serial numbers is 25,569 days before 1970-01-01.
    of_serial = (number - 25_569).cast(pl.Date)
    of_form = _days(plain.to_frame("text").select(text=pl.col("text").str.extract_groups(_DAY + _MIDNIGHT)).to_series())
    return _plausible(of_serial.zip_with(of_serial.is_not_null(), of_form))


def _days(groups: pl.Series) -> pl.Series:
    """Days from the groups of `_DAY`: the year, then the month and day of whichever form matched."""
    parts = groups.struct.unnest()
    month = pl.coalesce(pl.col("2", "4", "6", "8", "10"))
    day = pl.coalesce(pl.col("3", "5", "7", "9", "11"))
    text = pl.concat_str("1", month.str.zfill(2), day.str.zfill(2))
    return parts.select(text.str.to_date("%Y%m%d", strict=False)).to_series()


def _read_odd_times(texts: pl.Series, timezone: str) -> pl.Series:
    plain = _half_width(texts)
    has_offset = plain.str.contains(_HAS_OFFSET)
    offset = plain.str.extract(_OFFSET).str.replace("Z", "+00:00", literal=True)
    offset = offset.str.replace(":", "", literal=True)
    local = plain.str.replace(_OFFSET, "").str.strip_chars_end(" ").zip_with(has_offset, plain)
    groups = local.to_frame("text").select(pl.col("text").str.extract_groups(_DAY + _CLOCK)).to_series()
    parts = groups.struct.unnest()
    clock = pl.concat_str(
        pl.col("12").fill_null("0").str.zfill(2),
        pl.lit(":"),
        pl.col("13").fill_null("00"),
        pl.lit(":"),
        pl.col("14").fill_null("00"),
        pl.col("15").fill_null(""),
    )
    day = _plausible(_days(groups)).dt.strftime("%Y-%m-%d")
    moments = parts.with_columns(day=day).select(text=pl.concat_str("day", pl.lit(" "), clock))
    naive = moments.to_series().str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    minutes = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(3, 2).cast(pl.Int64)
    minutes = (-minutes).zip_with(offset.str.starts_with("-"), minutes)
    shifted = (naive - (minutes * 60_000_000).cast(pl.Duration("us"))).dt.replace_time_zone("UTC")
    return shifted.zip_with(has_offset, _to_utc(naive, timezone))


def _to_utc(naive: pl.Series, timezone: str) -> pl.Series:
    is_possible = naive.dt.year().is_between(1000, 9999).fill_null(False)
    if not is_possible.all():
        naive = naive.zip_with(is_possible, pl.Series([None], dtype=pl.Datetime("us")))
    local = naive.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _plausible(days: pl.Series) -> pl.Series:
    """Days of the years 1000 to 9999: Postgres has no year 0, Python no year above 9999."""
    is_possible = days.dt.year().is_between(1000, 9999).fill_null(False)
    return days if is_possible.all() else days.zip_with(is_possible, pl.Series([None], dtype=pl.Date))
