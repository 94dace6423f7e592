"""Which valid citizen numbers (GB 11643) one slip of the hand may have turned into the one written: by column.

A slip is one character mistyped or two neighbours exchanged. The check digit finds every such slip in 18 digits, and
leaves for each place at most one digit that would put it right. 15 digits have no check digit: there only an impossible
date of birth shows a slip. Nothing here knows a record or a token; identifiers are judged in `connectors`, which this
room may not import: a test holds both arithmetics against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

Kind = Literal["digit", "transposition"]

WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1])
# w · INVERSES[w] ≡ 1 (mod 11)
INVERSES = np.array([0, 1, 6, 4, 3, 9, 2, 8, 7, 5, 10])
X = 10
# Anything that is neither a digit nor an X.
OTHER = -1
FIRST_BIRTH_YEAR, LAST_BIRTH_YEAR = 1850, 2099
COLUMNS = {"row": pl.Int64, "kind": pl.String, "position": pl.Int64, "number": pl.String}

Codes = npt.NDArray[np.int64]
# kind, 1-based place, rows it applies to, their mended numbers
_Part = tuple[Kind, int, npt.NDArray[np.int64], Codes]
_Slips = Callable[[Codes], list[_Part]]


def normalised(written: pl.Series) -> pl.Series:
    """Half-width capitals without blanks and quotation marks; nulls stay."""
    text = written.cast(pl.String).str.normalize("NFKC").str.to_uppercase()
    return text.str.replace_all(r"[\s'’‘\u200b-\u200d\ufeff]", "")


def candidates(written: pl.Series) -> pl.DataFrame:
    """Every valid number that one slip separates from a number as written.

    Returns:
        `row` (place in the input), `kind`, `position` (1-based in the number as written, of a transposition the first
        of the two), `number` (18 characters). Ordered by row, kind, position.
    """
    text = normalised(written).fill_null("")
    found = [_of_length(text, 18, _slips_18), _of_length(text, 15, _slips_15)]
    return pl.concat(found).sort("row", "kind", "position", "number")


def births(numbers: pl.Series) -> pl.Series:
    """Date of birth in 18-digit numbers, null where there is none a living person can have."""
    born = numbers.str.slice(6, 8).str.to_date("%Y%m%d", strict=False)
    possible = born.dt.year().is_between(FIRST_BIRTH_YEAR, LAST_BIRTH_YEAR)
    return born.zip_with(possible.fill_null(False), pl.Series([None], dtype=pl.Date))


def sexes(numbers: pl.Series) -> pl.Series:
    """Sex in 18-digit numbers: digit 17 odd is male."""
    is_male = numbers.str.slice(16, 1).cast(pl.Int8) % 2 == 1
    return is_male.replace_strict({True: "male", False: "female"}, return_dtype=pl.String)


def _of_length(text: pl.Series, length: int, slips: _Slips) -> pl.DataFrame:
    rows = np.flatnonzero((text.str.len_chars() == length).to_numpy())
    if not len(rows):
        return pl.DataFrame(schema=COLUMNS)
    chars = np.array([list(value) for value in text.gather(rows)])
    codes = np.select([chars == "X", np.char.isdigit(chars) & (chars < "\x7f")], [X, 0], default=OTHER)
    is_digit = codes == 0
    codes[is_digit] = chars[is_digit].astype(np.int64)
    parts = [_frame(rows, *part) for part in slips(codes.astype(np.int64))]
    frame = pl.concat(parts).unique(["row", "number"], keep="first", maintain_order=True)
    return frame.filter(births(frame.get_column("number")).is_not_null())


def _frame(
    rows: npt.NDArray[np.int64], kind: Kind, position: int, at: npt.NDArray[np.int64], codes: Codes
) -> pl.DataFrame:
    """Candidates of one kind and place: `codes` are 18 wide, `at` says which of `rows` each belongs to."""
    characters = np.array(list("0123456789X"))[codes]
    numbers = ["".join(row) for row in characters]
    return pl.DataFrame(
        {"row": rows[at], "kind": [kind] * len(numbers), "position": [position] * len(numbers), "number": numbers},
        schema=COLUMNS,
    )


def _slips_18(codes: Codes) -> list[_Part]:
    bad = codes == OTHER
    bad[:, :17] |= codes[:, :17] == X
    bad_count = bad.sum(axis=1)
    known = np.where(bad, 0, codes)
    # What the weighted sum lacks of 1 (mod 11).
    lack = (1 - known @ WEIGHTS) % 11
    parts: list[_Part] = []
    for place in range(18):
        # A character that cannot stand there is itself the slip; otherwise any place may be.
        wanted = (bad_count == 0) | ((bad_count == 1) & bad[:, place])
        digit = (known[:, place] + lack * INVERSES[WEIGHTS[place]]) % 11
        wanted &= (digit >= (place == 0)) & ((digit < X) | (place == 17)) & ((digit != known[:, place]) | bad[:, place])
        at = np.flatnonzero(wanted)
        mended = known[at]
        mended[:, place] = digit[at]
        parts.append(("digit", place + 1, at, mended))
    for place in range(17):
        swapped = codes.copy()
        swapped[:, [place, place + 1]] = codes[:, [place + 1, place]]
        wanted = (swapped[:, :17] >= 0).all(axis=1) & (swapped[:, :17] < X).all(axis=1) & (swapped[:, 17] >= 0)
        wanted &= (swapped[:, 0] > 0) & (codes[:, place] != codes[:, place + 1])
        wanted &= (swapped @ WEIGHTS) % 11 == 1
        at = np.flatnonzero(wanted)
        parts.append(("transposition", place + 1, at, swapped[at]))
    return parts


def _slips_15(codes: Codes) -> list[_Part]:
    codes = np.where(codes == X, OTHER, codes)
    parts: list[_Part] = []
    for place in range(15):
        for digit in range(10):
            mended = codes.copy()
            mended[:, place] = digit
            parts.append(_widened("digit", place, codes, mended))
    for place in range(14):
        swapped = codes.copy()
        swapped[:, [place, place + 1]] = codes[:, [place + 1, place]]
        parts.append(_widened("transposition", place, codes, swapped))
    return parts


def _widened(kind: Kind, place: int, before: Codes, after: Codes) -> _Part:
    """15 digits as 18, of those rows that differ from before and are digits throughout."""
    wanted = (after != before).any(axis=1) & (after >= 0).all(axis=1) & (after[:, 0] > 0)
    at = np.flatnonzero(wanted)
    century = np.tile([1, 9], (len(at), 1))
    wide = np.hstack([after[at, :6], century, after[at, 6:], np.zeros((len(at), 1), np.int64)])
    wide[:, 17] = (1 - wide @ WEIGHTS) % 11
    return kind, place + 1, at, wide
