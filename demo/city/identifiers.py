"""Valid identifiers for the demo city: citizen numbers (GB 11643), credit codes (GB 32100 with GB 11714 inside) and
15-digit registration numbers (GS 15, ISO 7064 MOD 11,10), vectorised over numpy arrays.

This is the arithmetic of the sources. The hub checks numbers with its own arithmetic, written separately, so that a
slip in one shows against the other.
"""

from __future__ import annotations

import numpy as np

from demo.city.draw import Array, zero_filled

CITIZEN_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
CITIZEN_CHECKS = "10X98765432"
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_WEIGHTS = np.array([pow(3, i, 31) for i in range(17)])
ORGANISATION_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2])
ORGANISATION_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _codes(values: Array, width: int) -> Array:
    """Characters of equally long texts as a matrix of code points, shape (n, width)."""
    return np.asarray(np.asarray(values, dtype=f"<U{width}")).view(np.uint32).reshape(-1, width)


def _append(values: Array, checks: Array) -> Array:
    return np.asarray(np.char.add(np.asarray(values, dtype=str), checks.astype(str)))


def _lookup(alphabet: str) -> Array:
    table = np.full(128, -1, dtype=np.int64)
    for value, letter in enumerate(alphabet):
        table[ord(letter)] = value
    return table


def with_citizen_check(first17: Array) -> Array:
    """Append the GB 11643 check character to 17-digit bodies."""
    if len(first17) == 0:
        return np.asarray(first17, dtype="<U18")
    digits = _codes(first17, 17).astype(np.int64) - ord("0")
    return _append(first17, np.array(list(CITIZEN_CHECKS))[(digits @ CITIZEN_WEIGHTS) % 11])


def citizen_numbers(divisions: Array, born_on: Array, sequences: Array) -> Array:
    """18-digit citizen numbers from division (6 digits), birth date and three-digit sequence (odd: male)."""
    if len(divisions) == 0:
        return np.asarray([], dtype="<U18")
    dates = np.char.replace(np.asarray(born_on).astype("datetime64[D]").astype(str), "-", "")
    body = np.char.add(np.char.add(np.asarray(divisions, dtype=str), dates), zero_filled(sequences, 3))
    return with_citizen_check(body)


def first_generation(number: str) -> str:
    """The 15-digit form of an 18-digit number of somebody born in the 20th century."""
    if number[6:8] != "19":
        raise ValueError("only numbers of the years 19xx have a 15-digit form")
    return number[:6] + number[8:17]


def with_uscc_check(first17: Array) -> Array:
    """Append the GB 32100 check character to 17-character bodies."""
    if len(first17) == 0:
        return np.asarray(first17, dtype="<U18")
    values = _lookup(USCC_ALPHABET)[_codes(first17, 17)]
    if (values < 0).any():
        raise ValueError("a body holds a character outside the GB 32100 alphabet")
    return _append(first17, np.array(list(USCC_ALPHABET))[(31 - (values @ USCC_WEIGHTS) % 31) % 31])


def with_organisation_check(first8: Array) -> Array:
    """Append the GB 11714 check character to 8-character organisation bodies."""
    if len(first8) == 0:
        return np.asarray(first8, dtype="<U9")
    values = _lookup(ORGANISATION_ALPHABET)[_codes(first8, 8)]
    checks = (11 - (values @ ORGANISATION_WEIGHTS) % 11) % 11
    return _append(first8, np.array(list("0123456789X"))[checks])


def credit_codes(registrars: Array, divisions: Array, organisations8: Array) -> Array:
    """USCCs from registrar and category (2 characters), division (6 digits) and organisation body (8 characters)."""
    body = np.char.add(np.asarray(registrars, dtype=str), np.asarray(divisions, dtype=str))
    return with_uscc_check(np.char.add(body, with_organisation_check(organisations8)))


def registration_numbers(divisions: Array, serials: Array) -> Array:
    """15-digit registration numbers: division, eight-digit serial, ISO 7064 MOD 11,10 check digit."""
    body = np.char.add(np.asarray(divisions, dtype=str), zero_filled(serials, 8))
    if len(body) == 0:
        return np.asarray(body, dtype="<U15")
    digits = _codes(body, 14).astype(np.int64) - ord("0")
    product = np.full(len(body), 10)
    for column in range(14):
        total = (product + digits[:, column]) % 10
        product = np.where(total == 0, 10, total) * 2 % 11
    return _append(body, (11 - product) % 10)


def base31(numbers: Array, width: int) -> Array:
    """Numbers written in the GB 32100 alphabet, left-filled with zeros."""
    letters = np.array(list(USCC_ALPHABET))
    rest = np.asarray(numbers).astype(np.int64)
    text = np.full(len(rest), "", dtype=f"<U{width}")
    for _ in range(width):
        text = np.char.add(letters[rest % 31], text).astype(f"<U{width}")
        rest = rest // 31
    return text
