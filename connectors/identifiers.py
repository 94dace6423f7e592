"""Arithmetic of citizen numbers (GB 11643) and unified social credit codes (GB 32100), one by one and by column.

The scalar functions are the reference; the column functions must agree with them on every text, and a property test
says so. Nothing here knows a table, a token or a person: what a grade means for a row is decided by the checks.

Division prefixes are never judged: numbers of older residents carry codes that no longer exist (310119 Nanhui, 310224
Chuansha), and credit codes may begin with A, N or Y; packages that refuse either are wrong for these records.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

Grade = Literal["certified", "repairable", "masked", "malformed", "missing", "registration_no"]
Sex = Literal["male", "female"]

CITIZEN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CITIZEN_CHECKS = "10X98765432"
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_WEIGHTS = tuple(3**place % 31 for place in range(17))

# The oldest person a living register can speak of; no upper bound but the calendar's, because no clock is read here.
FIRST_BIRTH_YEAR = 1850
LAST_BIRTH_YEAR = 2099

# What clerks and keyboards add: spaces of every width, zero-width marks, the apostrophe that makes Excel keep text.
_DROPPED = " \t\r\n\x0b\x0c\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_DROPPED += "\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff'＇‘’"
_FOLDS = {chr(code + 0xFEE0): chr(code).upper() for code in range(0x21, 0x7F)}
_FOLDS |= {chr(code): chr(code).upper() for code in range(ord("a"), ord("z") + 1)}
_FOLDS |= dict.fromkeys(_DROPPED, "")
_TRANSLATION = str.maketrans(_FOLDS)
# Only ASCII digits: [0-9], never \d, which takes the digits of every script.
_CITIZEN_18 = r"^[1-9][0-9]{16}[0-9X]$"
_CITIZEN_15 = r"^[1-9][0-9]{14}$"
_USCC = rf"^[{USCC_ALPHABET}]{{2}}[0-9]{{6}}[{USCC_ALPHABET}]{{10}}$"
_REGISTRATION_NO = r"^[0-9]{15}$"
# Words written where nothing is known.
_PLACEHOLDERS = ("", "-", "--", "/", "无", "不详", "未知", "暂无", "NULL", "NONE", "N/A", "NA")


@dataclass(frozen=True, slots=True)
class Identified:
    """An identifier judged. `key` is the form records are joined by, and is None below `certified` (for an enterprise
    also `registration_no`, whose key is `REG` and the 15 digits)."""

    key: str | None
    grade: Grade


def normalise(text: str) -> str:
    """Full-width to half-width, letters to capitals, spaces and stray marks dropped."""
    return text.translate(_TRANSLATION)


def citizen_check_digit(first_17: str) -> str:
    """Check digit over the first 17 digits: one of 0–9 and X."""
    total = sum(int(digit) * weight for digit, weight in zip(first_17, CITIZEN_WEIGHTS, strict=True))
    return CITIZEN_CHECKS[total % 11]


def citizen_18(first_15: str) -> str:
    """The 18-digit form of a 15-digit number: the century inserted, the check digit added."""
    first_17 = first_15[:6] + "19" + first_15[6:]
    return first_17 + citizen_check_digit(first_17)


def citizen_birth_on(number: str) -> date | None:
    """Date of birth in an 18-digit number; None when it names no day or a year before 1850."""
    try:
        day = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return day if FIRST_BIRTH_YEAR <= day.year <= LAST_BIRTH_YEAR else None


def citizen_sex(number: str) -> Sex:
    """Sex in an 18-digit number: digit 17 odd is male."""
    return "male" if int(number[16]) % 2 else "female"


def identify_citizen_no(text: str | None) -> Identified:
    """Judge a citizen number as written.

    certified: 18 digits with the right check digit, or 15 digits (which have none), and a real date of birth;
    repairable: 18 well-formed digits with a wrong check digit; masked: holds `*`; malformed: anything else.
    """
    number = normalise(text or "")
    if number in _PLACEHOLDERS:
        return Identified(None, "missing")
    if "*" in number:
        return Identified(None, "masked")
    if re.search(_CITIZEN_15, number):
        number = citizen_18(number)
    elif not re.search(_CITIZEN_18, number):
        return Identified(None, "malformed")
    if citizen_check_digit(number[:17]) != number[17]:
        return Identified(None, "repairable")
    return Identified(None, "malformed") if citizen_birth_on(number) is None else Identified(number, "certified")


def uscc_check_character(first_17: str) -> str:
    """Check character over the first 17 of a unified social credit code."""
    total = sum(USCC_ALPHABET.index(char) * weight for char, weight in zip(first_17, USCC_WEIGHTS, strict=True))
    return USCC_ALPHABET[(31 - total % 31) % 31]


def identify_uscc(text: str | None) -> Identified:
    """Judge an enterprise's code as written: a credit code, or an old 15-digit registration number."""
    code = normalise(text or "")
    if code in _PLACEHOLDERS:
        return Identified(None, "missing")
    if "*" in code:
        return Identified(None, "masked")
    if re.search(_REGISTRATION_NO, code):
        return Identified(f"REG{code}", "registration_no")
    if not re.search(_USCC, code):
        return Identified(None, "malformed")
    is_right = uscc_check_character(code[:17]) == code[17]
    return Identified(code, "certified") if is_right else Identified(None, "repairable")


def identify_citizen_nos(values: pl.Series) -> pl.DataFrame:
    """`identify_citizen_no` for a column of texts: columns `key` and `grade`, one row per value, in order."""
    text = pl.col("text")
    widened = pl.concat_str(text.str.slice(0, 6), pl.lit("19"), text.str.slice(6, 9))
    frame = _normalised(values).with_columns(is_15=text.str.contains(_CITIZEN_15))
    # The spare character stands for the check digit that a 15-digit number does not have yet.
    formed = pl.when("is_15").then(pl.concat_str(widened, pl.lit("?"))).when(text.str.contains(_CITIZEN_18)).then(text)
    frame = frame.with_columns(formed=formed)
    is_formed = frame.get_column("formed").is_not_null()
    codes = _bytes(frame.get_column("formed").filter(is_formed), 18)
    digits = codes[:, :17].astype(np.int64) - ord("0")
    checks = pl.Series(list(CITIZEN_CHECKS)).gather(pl.Series(digits @ np.array(CITIZEN_WEIGHTS) % 11))
    written = pl.Series(codes[:, 17]).replace_strict(list(range(128)), [chr(code) for code in range(128)])
    judged = pl.DataFrame({"check": checks, "is_right": checks == written, "is_born": _are_birthdays(digits[:, 6:14])})
    frame = frame.hstack(_spread(judged, is_formed))
    grade = (
        _early_grades()
        .when(pl.col("formed").is_null())
        .then(pl.lit("malformed"))
        .when(~(pl.col("is_15") | pl.col("is_right")))
        .then(pl.lit("repairable"))
        .when(~pl.col("is_born"))
        .then(pl.lit("malformed"))
        .otherwise(pl.lit("certified"))
    )
    number = pl.when("is_15").then(pl.concat_str(widened, "check")).otherwise(text)
    key = pl.when(pl.col("grade") == "certified").then("number")
    return frame.with_columns(grade=grade, number=number).select(key=key, grade="grade")


def identify_usccs(values: pl.Series) -> pl.DataFrame:
    """`identify_uscc` for a column of texts: columns `key` and `grade`, one row per value, in order."""
    text = pl.col("text")
    frame = _normalised(values)
    is_formed = frame.get_column("text").str.contains(_USCC)
    codes = _bytes(frame.get_column("text").filter(is_formed), 18)
    places = np.zeros(256, np.int64)
    places[np.frombuffer(USCC_ALPHABET.encode(), np.uint8)] = np.arange(31)
    total = places[codes[:, :17]] @ np.array(USCC_WEIGHTS)
    judged = pl.DataFrame({"is_right": (31 - total % 31) % 31 == places[codes[:, 17]]})
    frame = frame.hstack(_spread(judged, is_formed))
    is_registration = text.str.contains(_REGISTRATION_NO)
    grade = (
        _early_grades()
        .when(is_registration)
        .then(pl.lit("registration_no"))
        .when(pl.col("is_right").is_null())
        .then(pl.lit("malformed"))
        .when(~pl.col("is_right"))
        .then(pl.lit("repairable"))
        .otherwise(pl.lit("certified"))
    )
    registration = pl.concat_str(pl.lit("REG"), text)
    key = pl.when(pl.col("grade") == "certified").then(text).when(is_registration).then(registration)
    return frame.with_columns(grade=grade).select(key=key, grade="grade")


def citizen_sexes(numbers: pl.Series) -> pl.Series:
    """`citizen_sex` for a column of 18-digit numbers, null where there is none."""
    is_male = pl.col("number").str.slice(16, 1).cast(pl.Int8) % 2 == 1
    sex = pl.when(is_male).then(pl.lit("male")).when(~is_male).then(pl.lit("female"))
    return numbers.to_frame("number").select(sex=sex).to_series()


def citizen_births(numbers: pl.Series) -> pl.Series:
    """`citizen_birth_on` for a column of 18-digit numbers, null where there is none."""
    born = pl.col("number").str.slice(6, 8).str.to_date("%Y%m%d", strict=False)
    is_possible = born.dt.year().is_between(FIRST_BIRTH_YEAR, LAST_BIRTH_YEAR)
    return numbers.to_frame("number").select(birth_on=pl.when(is_possible).then(born)).to_series()


def _normalised(values: pl.Series) -> pl.DataFrame:
    """The texts normalised, null as empty. Most are already clean, and one look at them is cheaper than folding all."""
    text = values.cast(pl.String).fill_null("").alias("text")
    is_dirty = text.str.contains(r"[^0-9A-Z*]")
    if is_dirty.any():
        folds = {char: fold for char, fold in _FOLDS.items() if char != fold}
        folded = text.filter(is_dirty).str.replace_many(list(folds), list(folds.values()))
        text = text.scatter(is_dirty.arg_true(), folded)
    return text.to_frame()


def _early_grades() -> pl.expr.whenthen.ChainedThen:
    missing = pl.when(pl.col("text").is_in(_PLACEHOLDERS)).then(pl.lit("missing"))
    return missing.when(pl.col("text").str.contains("*", literal=True)).then(pl.lit("masked"))


def _bytes(texts: pl.Series, width: int) -> npt.NDArray[np.uint8]:
    """Texts that are all ASCII and `width` long, as one row of bytes each."""
    return np.frombuffer("".join(texts.to_list()).encode("ascii"), np.uint8).reshape(-1, width)


def _spread(judged: pl.DataFrame, mask: pl.Series) -> pl.DataFrame:
    """Rows of `judged` put back where `mask` is true, null elsewhere."""
    place = pl.Series(np.cumsum(mask.to_numpy()) - 1, dtype=pl.Int64)
    return judged.select(pl.all().gather(pl.lit(place.zip_with(mask, pl.Series([None], dtype=pl.Int64)))))


def _are_birthdays(digits: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether eight digits are a real day of the years a person may be born in."""
    year = digits[:, :4] @ np.array([1000, 100, 10, 1])
    month = digits[:, 4:6] @ np.array([10, 1])
    day = digits[:, 6:8] @ np.array([10, 1])
    is_leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    lengths = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    length = lengths[np.where(month <= 12, month, 0)] + (is_leap & (month == 2))
    is_born: npt.NDArray[np.bool_] = (
        (year >= FIRST_BIRTH_YEAR) & (year <= LAST_BIRTH_YEAR) & (day >= 1) & (day <= length)
    )
    return is_born
