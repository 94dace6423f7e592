"""Slips of the hand in citizen numbers: every one is undone, and only valid numbers are offered."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from connectors.identifiers import citizen_birth_on, citizen_check_digit, citizen_sex, identify_citizen_no
from identity.candidates import births, candidates, sexes

VALID = "11010519491231002X"
ALPHABET = "0123456789X"


@st.composite
def numbers(draw: st.DrawFn) -> str:
    born = date(1900, 1, 1) + timedelta(days=draw(st.integers(0, 45_000)))
    first = f"{draw(st.integers(100_000, 999_999))}{born:%Y%m%d}{draw(st.integers(0, 999)):03d}"
    return first + citizen_check_digit(first)


@st.composite
def slips(draw: st.DrawFn) -> tuple[str, str, str, int]:
    """A valid number, what a hand made of it, and how."""
    number = draw(numbers())
    if draw(st.booleans()):
        place = draw(st.integers(0, 17))
        other = draw(
            st.sampled_from([char for char in (ALPHABET + "OIB?" if place < 17 else ALPHABET) if char != number[place]])
        )
        return number, number[:place] + other + number[place + 1 :], "digit", place + 1
    places = [n for n in range(17) if number[n] != number[n + 1]]
    place = draw(st.sampled_from(places))
    return number, number[:place] + number[place + 1] + number[place] + number[place + 2 :], "transposition", place + 1


def offered(written: str) -> list[tuple[str, int, str]]:
    return candidates(pl.Series([written])).select("kind", "position", "number").rows()


@given(slips())
def test_every_slip_is_undone(slip: tuple[str, str, str, int]) -> None:
    number, written, kind, position = slip
    assert identify_citizen_no(written).grade in ("repairable", "malformed")
    assert (kind, position, number) in offered(written)


@given(st.text(ALPHABET, min_size=18, max_size=18) | st.text("0123456789", min_size=15, max_size=15))
def test_only_valid_numbers_one_slip_away_are_offered(written: str) -> None:
    for kind, position, number in offered(written):
        assert identify_citizen_no(number).key == number
        if len(written) == 18:
            differing = [n + 1 for n in range(18) if number[n] != written[n]]
            assert differing == ([position] if kind == "digit" else [position, position + 1])


@given(st.lists(numbers(), min_size=1))
def test_birth_and_sex_are_read_as_elsewhere(found: list[str]) -> None:
    series = pl.Series(found)
    assert births(series).to_list() == [citizen_birth_on(number) for number in found]
    assert sexes(series).to_list() == [citizen_sex(number) for number in found]


@given(numbers().filter(lambda number: number[6:8] == "19"), st.integers(6, 11), st.integers(0, 9))
def test_an_impossible_date_in_15_digits_is_undone(number: str, place: int, digit: int) -> None:
    old = number[:6] + number[8:17]
    written = old[:place] + str(digit) + old[place + 1 :]
    if identify_citizen_no(written).grade == "malformed":
        assert ("digit", place + 1, number) in offered(written)


def test_a_column_is_judged_row_by_row() -> None:
    written = pl.Series(
        ["１１０１０５１９４９１３２１００２ｘ ", None, "", VALID, "310115", "110105********002X", "11010519491231002?"]
    )
    found = candidates(written)
    assert set(found.get_column("row")) <= {0, 3, 6}
    assert (0, "transposition", 12, VALID) in found.rows()
    assert (6, "digit", 18, VALID) in found.rows()
    assert candidates(pl.Series([], dtype=pl.String)).is_empty()
