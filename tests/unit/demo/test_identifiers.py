"""The sources' own identifier arithmetic against published vectors and against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest

from demo.city import identifiers

VECTORS_CITIZEN = ["11010519491231002X", "440524188001010014", "310115196001010017"]
VECTORS_USCC = ["91110000600037341L", "N2310115MA1K3ABCD5", "52310115MJ5001234E"]


def test_citizen_numbers_end_in_the_published_check_character() -> None:
    bodies = np.array([number[:17] for number in VECTORS_CITIZEN])
    assert identifiers.with_citizen_check(bodies).tolist() == VECTORS_CITIZEN


def test_credit_codes_end_in_the_published_check_character() -> None:
    bodies = np.array([code[:17] for code in VECTORS_USCC])
    assert identifiers.with_uscc_check(bodies).tolist() == VECTORS_USCC


def test_fifteen_digits_leave_out_century_and_check() -> None:
    assert identifiers.first_generation("310115196001010017") == "310115600101001"
    with pytest.raises(ValueError, match="19xx"):
        identifiers.first_generation("310115200101010010")


def test_organisation_codes_satisfy_gb_11714() -> None:
    bodies = identifiers.base31(np.arange(1, 400) * 7919, 8)
    for code in identifiers.with_organisation_check(bodies):
        values = [identifiers.ORGANISATION_ALPHABET.index(letter) for letter in code[:8]]
        weighted = sum(v * w for v, w in zip(values, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
        check = 10 if code[8] == "X" else int(code[8])
        assert (weighted + check) % 11 == 0


def test_registration_numbers_satisfy_mod_11_10() -> None:
    numbers = identifiers.registration_numbers(np.full(300, "310115"), np.arange(300) * 331)
    for number in numbers:
        product = 10
        for digit in number[:14]:
            total = (product + int(digit)) % 10 or 10
            product = total * 2 % 11
        assert (product + int(number[14])) % 10 == 1


def test_a_body_outside_the_alphabet_is_refused() -> None:
    with pytest.raises(ValueError, match="alphabet"):
        identifiers.with_uscc_check(np.array(["9131011560003734I"]))


def test_no_numbers_wanted_gives_none() -> None:
    none = np.array([], dtype=str)
    assert len(identifiers.citizen_numbers(none, none.astype("datetime64[D]"), none)) == 0
    assert len(identifiers.registration_numbers(none, none)) == 0
