"""Citizen numbers and enterprise codes as they are compared when they did not certify.

The certified ones join by themselves; what is left is mistyped, masked or cut. `head` and `tail` are what a mask
leaves to be seen, `letters` tells a transposition from two different digits.
"""

from __future__ import annotations

import polars as pl

from identity.features.text import folded

COLUMNS = ("number", "number_head", "number_tail", "number_letters")
HEAD, TAIL = 6, 4


def number_features(written: pl.Series) -> pl.DataFrame:
    """One row per citizen number as written, in order: columns `COLUMNS`.

    `number` is null for a masked one: stars equal nothing.
    """
    text = folded(pl.col("written")).str.replace_all(r"[^0-9X*]", "")
    # A number of 15 digits is a number of 18 without its century and its check digit.
    frame = written.alias("written").to_frame().select(text=pl.when(text.str.len_chars() >= 15).then(text))
    masked = pl.col("text").str.contains("*", literal=True)
    whole = pl.col("text").str.len_chars() >= 17
    head, tail = pl.col("text").str.slice(0, HEAD), pl.col("text").str.slice(-TAIL)
    shown = whole & ~head.str.contains("*", literal=True) & ~tail.str.contains("*", literal=True)
    return frame.select(
        number=pl.when(~masked).then("text"),
        number_head=pl.when(shown).then(head),
        number_tail=pl.when(shown).then(tail),
        number_letters=pl.when(~masked).then(_sorted(pl.col("text"))),
    )


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
