"""Identifier arithmetic by the public standards, written anew: GB 11643 citizen numbers, GB 32100 credit codes."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

CODE_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def check_character(first_17: str) -> str:
    """The 18th character of a citizen number."""
    total = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, first_17, strict=True))
    return "10X98765432"[total % 11]


def citizen_number(text: object) -> str | None:
    """The 18-digit form of a number that certifies; None for anything else."""
    if not isinstance(text, str):
        return None
    number = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()
    if re.fullmatch(r"[0-9]{15}", number):
        number = number[:6] + "19" + number[6:]
        number += check_character(number)
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9X]", number) or number[17] != check_character(number[:17]):
        return None
    try:
        dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return number


def enterprise_number(text: object) -> str | None:
    """A credit code that certifies, `REG` and 15 digits for an old registration number, None for anything else."""
    if not isinstance(text, str):
        return None
    code = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()
    if re.fullmatch(r"[0-9]{15}", code):
        return "REG" + code
    if len(code) != 18 or any(character not in CODE_CHARACTERS for character in code):
        return None
    total = sum(pow(3, place, 31) * CODE_CHARACTERS.index(character) for place, character in enumerate(code[:17]))
    return code if code[17] == CODE_CHARACTERS[(31 - total % 31) % 31] else None
