"""Citizen numbers and enterprise codes as they are compared when they did not certify.

The certified ones join by themselves; what is left is mistyped, masked or cut. `head` and `tail` are what a mask
leaves to be seen, `number_letters` tells a transposition from two different digits.
"""

from __future__ import annotations

import polars as pl

from identity.features.text import folded

COLUMNS = ("number", "number_head", "number_tail")
HEAD, TAIL = 6, 4
_PLAIN = r"^[0-9]{17}[0-9X]$"


def number_features(written: pl.Series) -> pl.DataFrame:
    """One row per citizen number as written, in order: columns `COLUMNS`.

    `number` is null for a masked one: stars equal nothing.
    """
    frame = _as_text(written)
    masked = pl.col("text").str.contains("*", literal=True)
    whole = pl.col("text").str.len_chars() >= 17
    head, tail = pl.col("text").str.slice(0, HEAD), pl.col("text").str.slice(-TAIL)
    shown = whole & ~head.str.contains("*", literal=True) & ~tail.str.contains("*", literal=True)
    return frame.select(
        number=pl.when(~masked).then("text"),
        number_head=pl.when(shown).then(head),
        number_tail=pl.when(shown).then(tail),
    )


def _as_text(written: pl.Series) -> pl.DataFrame:
    """`text`: digits, X and stars, null where there are too few to be a number."""
    # Certified numbers are written in full: nothing has to be taken off those.
    is_plain = written.str.contains(_PLAIN).fill_null(False)
    frame = written.alias("text").to_frame().with_row_index("at")
    text = folded(pl.col("text")).str.replace_all(r"[^0-9X*]", "")
    # A number of 15 digits is a number of 18 without its century and its check digit.
    others = frame.filter(~is_plain).select("at", text=pl.when(text.str.len_chars() >= 15).then(text))
    return pl.concat([frame.filter(is_plain), others]).sort("at").select("text")


def number_letters(number: pl.Expr) -> pl.Expr:
    """How often each digit stands in a number, as one number of 5 bits each: cheaper than sorting them."""
    places = enumerate("0123456789X")
    counts = (number.str.count_matches(digit, literal=True).cast(pl.Int64) * 32**place for place, digit in places)
    return pl.sum_horizontal(*counts, ignore_nulls=False).cast(pl.String)


def code_features(written: pl.Series) -> pl.DataFrame:
    """One row per enterprise code as written: `code`, `code_letters`, `organisation` (places 9 to 17), `registration`.

    An old registration number (15 digits) is kept apart: it says nothing about a credit code.
    """
    text = folded(pl.col("written")).str.replace_all(r"[^0-9A-Z*]", "")
    frame = written.alias("written").to_frame().select(text=text)
    is_old = pl.col("text").str.contains(r"^[0-9]{15}$")
    is_code = pl.col("text").str.contains(r"^[0-9A-Z]{17,19}$")
    return frame.select(
        code=pl.when(is_code).then("text"),
        code_letters=pl.when(is_code).then(_sorted(pl.col("text"))),
        organisation=pl.when(is_code & (pl.col("text").str.len_chars() == 18)).then(pl.col("text").str.slice(8, 9)),
        registration=pl.when(is_old).then("text"),
    )


def _sorted(text: pl.Expr) -> pl.Expr:
    return text.str.split("").list.sort().list.join("")
