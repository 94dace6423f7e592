"""Telephone numbers in one form; numbers that nobody can have are no feature."""

from __future__ import annotations

import polars as pl

from identity.features.text import folded

_PLAIN = r"^1[3-9]\d{9}$"
_MADE_UP = r"^1[3-9]\d0{7,8}$|^1?(0+|1+|2+|3+|4+|5+|6+|7+|8+|9+)$|12345678?9?$"


def phone_features(phones: pl.Series) -> pl.Series:
    """Digits only, country and city prefix off; null for masked, too short and made-up numbers."""
    # Most are written as mobile numbers are: nothing has to be taken off those.
    is_plain = phones.str.contains(_PLAIN).fill_null(False)
    frame = phones.alias("phone").to_frame().with_row_index("at")
    plain = frame.filter(is_plain).select("at", pl.when(~pl.col("phone").str.contains(_MADE_UP)).then("phone"))
    others = frame.filter(~is_plain).select("at", _phone(pl.col("phone")))
    return pl.concat([plain, others]).sort("at").get_column("phone")


def _phone(phone: pl.Expr) -> pl.Expr:
    text = folded(phone)
    digits = text.str.replace_all(r"[^0-9*X]", "").str.replace(r"^(?:00)?86(1[3-9]\d{9})$", "$1")
    digits = digits.str.replace(r"^0?21(\d{8})$", "$1")
    is_made_up = digits.str.contains(r"[*X]") | digits.str.contains(_MADE_UP)
    return pl.when((digits.str.len_chars() >= 7) & ~is_made_up).then(digits).alias("phone")
