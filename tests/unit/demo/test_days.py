"""The city lives on: deterministic, keys kept, numbers for ever, about half a percent of rows a day."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from demo.city import City, DirtRates, generate
from demo.city.days import next_day
from demo.city.tables import TABLES
from demo.city.truth import row_key
from demo.systems.rows import changed


@pytest.fixture(scope="module")
def three_days() -> list[City]:
    cities = [generate(3000, seed=4)]
    for _ in range(3):
        cities.append(next_day(cities[-1]))
    return cities


def test_the_same_days_happen_twice(three_days: list[City]) -> None:
    again = generate(3000, seed=4)
    for _ in range(3):
        again = next_day(again)
    for name in TABLES:
        assert again.shown[name].equals(three_days[-1].shown[name]), name
    assert again.truth()["persons"].equals(three_days[-1].truth()["persons"])


def test_the_clock_moves_and_keys_stay(three_days: list[City]) -> None:
    first, last = three_days[0], three_days[-1]
    assert last.clock == first.clock + dt.timedelta(days=3)
    for name, table in TABLES.items():
        before = first.held(name).select(row_key(table.key)).to_series()
        after = last.held(name).select(row_key(table.key)).to_series()
        assert after.n_unique() == len(after), name
        assert before.is_in(after.to_list()).all(), name


def test_a_record_never_changes_its_person(three_days: list[City]) -> None:
    keys = ["system", "table", "key", "role"]
    before, after = (city.truth()["persons"] for city in (three_days[0], three_days[-1]))
    both = before.join(after, on=keys, suffix="_after")
    assert both.height == before.height
    moved = both.filter(pl.col("true_id") != pl.col("true_id_after"))
    # A firm may get another representative: the record then speaks of another person.
    assert set(moved["role"]) <= {"legal_representative"}
    assert three_days[-1].people["citizen_no"].n_unique() == three_days[-1].people.height


def test_cases_move_on_and_new_ones_come(three_days: list[City]) -> None:
    name = "urban_management.cases"
    before, after = three_days[0].held(name), three_days[-1].held(name)
    assert after.height > before.height
    closed = before.filter(pl.col("closed_at").is_null()).join(
        after.filter(pl.col("closed_at").is_not_null()), on="case_no"
    )
    assert closed.height > 0
    rows = changed(before, after, name)
    moved = rows.filter(pl.col("updated_at") > dt.datetime(2026, 6, 30, 23, 59, 59))
    assert moved.height >= 0.9 * rows.height


def test_about_half_a_percent_changes_a_day(three_days: list[City]) -> None:
    first, second = three_days[0], three_days[1]
    total = sum(first.shown[name].height for name in TABLES)
    touched = sum(changed(first.shown[name], second.shown[name], name).height for name in TABLES)
    assert 0.002 < touched / total < 0.01


def test_some_changes_are_silent() -> None:
    city = generate(3000, seed=4, rates=DirtRates(silent_changes=0.5))
    after = city
    for _ in range(3):
        after = next_day(after)
    name = "civil_affairs.residents"
    rows = changed(city.shown[name], after.shown[name], name)
    both = rows.join(city.shown[name], on="person_no", suffix="_before")
    silent = both.filter(pl.col("updated_at") == pl.col("updated_at_before"))
    assert 0 < silent.height < both.height


def test_a_tiny_city_lives_through_two_months_of_holidays() -> None:
    city = generate(120, seed=9, clock=dt.date(2026, 1, 10))
    for _ in range(50):
        city = next_day(city)
    assert city.clock == dt.date(2026, 3, 1)
    assert city.truth()["findings"].height > 0
