"""Chinese text in one form: width, case, script (OpenCC) and sound (pypinyin)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from opencc import OpenCC

# Middle dots of several scripts, and the full stop that stands for one between the parts of a name.
DOTS = r"[·•‧∙⋅・･．.]"
_BLANKS = r"[\s\u00a0\u200b-\u200f\u2060\u3000\ufeff]+"
_MARKS = r"[\p{P}\p{S}]+"
# The CJK block of the usual characters has no compatibility forms: NFKC leaves all of it as it is.
_FOLDED = r"^[0-9A-Z\x{4e00}-\x{9fff}]+$"


def folded(text: pl.Expr) -> pl.Expr:
    """Full width to half width, capitals, blanks dropped; null where nothing is left."""
    plain = text.cast(pl.String).str.normalize("NFKC").str.to_uppercase().str.replace_all(_BLANKS, "")
    return pl.when(plain != "").then(plain)


def folded_values(values: pl.Series) -> pl.Series:
    """The same of a column, faster: most texts are plain, and nothing has to be done to those."""
    is_plain = values.str.contains(_FOLDED).fill_null(False)
    rows = values.alias("text").to_frame().with_row_index("at")
    others = rows.filter(~is_plain).select("at", folded(pl.col("text")))
    return pl.concat([rows.filter(is_plain), others]).sort("at").get_column("text")


def bare(text: pl.Expr) -> pl.Expr:
    """`folded`, and without any punctuation."""
    plain = folded(text).str.replace_all(_MARKS, "")
    return pl.when(plain != "").then(plain)


def simplified(values: pl.Series) -> pl.Series:
    """Traditional characters as simplified ones; phrases are honoured, so each distinct text is converted whole."""
    distinct = values.drop_nulls().unique()
    touched = distinct.filter(distinct.str.contains(r"\p{Han}"))
    if not len(touched):
        return values
    written = touched.to_list()
    # One call for all: a line break belongs to no phrase, and a text holds none after folding.
    converted = _to_simplified().convert("\n".join(written)).split("\n")
    changes = {old: new for old, new in zip(written, converted, strict=True) if old != new}
    if not changes:
        return values
    return values.replace(list(changes), list(changes.values()))


def sounds(values: pl.Series, *, tones: bool) -> pl.Series:
    """Pinyin, syllables ended by `'` so that xi'an and xian differ; other characters stay.

    Character by character: a name is no phrase, and the same character must sound the same in every name.
    """
    text = values.drop_nulls().unique()
    letters = text.str.split("").explode().unique().drop_nulls()
    letters = letters.filter(letters.str.contains(r"\p{Han}"))
    if not len(letters):
        return values
    spoken = [_syllable(letter, tones) for letter in letters]
    return values.str.replace_many(letters.to_list(), spoken)


@lru_cache(maxsize=32_768)
def _syllable(letter: str, tones: bool) -> str:
    # Imported here: pypinyin takes 0.3 s, which only a linkage should pay.
    from pypinyin import Style, lazy_pinyin

    style = Style.TONE3 if tones else Style.NORMAL
    return f"{lazy_pinyin(letter, style=style)[0]}'"


@lru_cache(maxsize=1)
def _to_simplified() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")
