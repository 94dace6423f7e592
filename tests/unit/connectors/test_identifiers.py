"""Identifier arithmetic: the published vectors, the laws of the check digits, and scalar = column."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.identifiers import (
    USCC_ALPHABET,
    Identified,
    citizen_18,
    citizen_birth_on,
    citizen_births,
    citizen_check_digit,
    citizen_sex,
    citizen_sexes,
    identify_citizen_no,
    identify_citizen_nos,
    identify_uscc,
    identify_usccs,
    normalise,
    uscc_check_character,
)

DIGITS = "0123456789"


@st.composite
def citizen_nos(draw: st.DrawFn) -> str:
    """A certified 18-digit number of any well-formed division."""
    division = draw(st.integers(100000, 999999))
    born = draw(st.dates(date(1850, 1, 1), date(2099, 12, 31)))
    first_17 = f"{division}{born:%Y%m%d}{draw(st.integers(0, 999)):03}"
    return first_17 + citizen_check_digit(first_17)


@st.composite
def usccs(draw: st.DrawFn) -> str:
    letters = st.sampled_from(USCC_ALPHABET)
    head = draw(letters) + draw(letters)
    body = f"{draw(st.integers(0, 999999)):06}" + "".join(draw(st.lists(letters, min_size=9, max_size=9)))
    return head + body + uscc_check_character(head + body)


# Texts near enough to identifiers that every grade occurs, and any other text.
alphabet = st.sampled_from("0123456789Xx*ABNY １２０Ｘ＊　'无Oſµ²٣ß")
written = st.one_of(
    st.none(),
    citizen_nos(),
    usccs(),
    citizen_nos().map(str.lower),
    st.text(alphabet, max_size=20),
    st.text(max_size=20),
)


@pytest.mark.parametrize(
    ("text", "key", "grade"),
    [
        ("11010519491231002X", "11010519491231002X", "certified"),
        ("440524188001010014", "440524188001010014", "certified"),
        ("310115600101001", "310115196001010017", "certified"),
        ("３１０１１５１９６００１０１００１７", "310115196001010017", "certified"),
        (" 110105 19491231 002x\u3000", "11010519491231002X", "certified"),
        ("110105194912310021", None, "repairable"),
        ("310115********0017", None, "masked"),
        ("310115＊＊＊＊0017", None, "masked"),
        ("310115600230001", None, "malformed"),  # 30 February
        ("01011519600101001X", None, "malformed"),
        ("31011519600101001", None, "malformed"),
        ("٣١٠١١٥٦٠٠١٠١٠٠١", None, "malformed"),  # digits of another script are not digits here
        ("无", None, "missing"),
        ("  ", None, "missing"),
        (None, None, "missing"),
    ],
)
def test_citizen_numbers_are_graded(text: str | None, key: str | None, grade: str) -> None:
    assert identify_citizen_no(text) == Identified(key, grade)  # type: ignore[arg-type]


def test_divisions_that_no_longer_exist_are_certified() -> None:
    for division in ("310119", "310224", "999999"):
        first_17 = f"{division}19350101001"
        assert identify_citizen_no(first_17 + citizen_check_digit(first_17)).grade == "certified"


@pytest.mark.parametrize(
    ("text", "key", "grade"),
    [
        ("91110000600037341L", "91110000600037341L", "certified"),
        ("N2310115MA1K3ABCD5", "N2310115MA1K3ABCD5", "certified"),
        ("５２310115mj5001234e", "52310115MJ5001234E", "certified"),
        ("N2310115MA1K3ABCD6", None, "repairable"),
        ("310115001234567", "REG310115001234567", "registration_no"),
        ("9111000060003734IL", None, "malformed"),  # I, O, S, V and Z are not in the alphabet
        ("91110000********1L", None, "masked"),
        ("", None, "missing"),
    ],
)
def test_credit_codes_are_graded(text: str, key: str | None, grade: str) -> None:
    assert identify_uscc(text) == Identified(key, grade)  # type: ignore[arg-type]


@given(citizen_nos(), st.integers(0, 16), st.sampled_from(DIGITS))
def test_one_wrong_digit_of_a_citizen_number_is_caught(number: str, place: int, digit: str) -> None:
    wrong = number[:place] + digit + number[place + 1 :]
    assert (identify_citizen_no(wrong).grade == "certified") == (wrong == number)


@given(usccs(), st.integers(0, 17), st.sampled_from(USCC_ALPHABET))
def test_one_wrong_character_of_a_credit_code_is_caught(code: str, place: int, character: str) -> None:
    wrong = code[:place] + character + code[place + 1 :]
    assert (identify_uscc(wrong).grade == "certified") == (wrong == code)


@given(citizen_nos())
def test_fifteen_digits_become_the_same_number_again(number: str) -> None:
    if number[6:8] == "19":
        first_15 = number[:6] + number[8:17]
        assert citizen_18(first_15) == number
        assert identify_citizen_no(first_15) == Identified(number, "certified")


@settings(max_examples=150)
@given(st.lists(written, max_size=8))
def test_columns_agree_with_single_values(texts: list[str | None]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    numbers = identify_citizen_nos(column)
    assert [Identified(*row) for row in numbers.iter_rows()] == [identify_citizen_no(text) for text in texts]
    assert [Identified(*row) for row in identify_usccs(column).iter_rows()] == [identify_uscc(text) for text in texts]
    keys = numbers.get_column("key")
    assert citizen_sexes(keys).to_list() == [None if key is None else citizen_sex(key) for key in keys]
    assert citizen_births(keys).to_list() == [None if key is None else citizen_birth_on(key) for key in keys]


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
