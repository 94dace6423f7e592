"""Telephone numbers in one form; numbers that nobody can have are no feature."""

from __future__ import annotations

import polars as pl

from identity.features.text import folded


def phone_feature(phone: pl.Expr) -> pl.Expr:
    """Digits only, country and city prefix off; null for masked, too short and made-up numbers."""
    text = folded(phone)
    digits = text.str.replace_all(r"[^0-9*X]", "").str.replace(r"^(?:00)?86(1[3-9]\d{9})$", "$1")
    digits = digits.str.replace(r"^0?21(\d{8})$", "$1")
    is_made_up = (
        digits.str.contains(r"[*X]")
        | digits.str.contains(r"^1[3-9]\d0{7,8}$")
        | digits.str.contains(r"^1?(0+|1+|2+|3+|4+|5+|6+|7+|8+|9+)$")
        | digits.str.contains(r"12345678?9?$")
    )
    return pl.when((digits.str.len_chars() >= 7) & ~is_made_up).then(digits)
