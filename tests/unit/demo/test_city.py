"""The generated city: the same by seed, clean where it should be, dirty at the documented rates."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import polars as pl
import pytest

from connectors.contract import load_contracts
from demo.city import City, DirtRates, generate
from demo.city.draw import end_of
from demo.city.identifiers import with_citizen_check, with_uscc_check
from demo.city.tables import TABLES, tables_of
from demo.city.truth import row_key
from demo.city.working_days import add_working_days, is_working_day

NINE = {
    "dead_in_bed", "benefit_after_death", "allowance_with_capital", "two_beds", "home_of_troubled_firm",
    "home_without_food_licence", "staff_without_papers", "many_cases_low_risk", "basic_bed_not_entitled",
}  # fmt: skip


@pytest.fixture(scope="module")
def city() -> City:
    return generate(6000, seed=11)


def test_the_same_seed_gives_the_same_city_and_another_seed_another() -> None:
    one, two, other = generate(300, seed=7), generate(300, seed=7), generate(300, seed=8)
    for name in TABLES:
        assert one.shown[name].equals(two.shown[name]), name
    for name, frame in one.truth().items():
        assert frame.equals(two.truth()[name]), name
    assert not one.shown["civil_affairs.residents"].equals(other.shown["civil_affairs.residents"])


def test_tables_are_the_contracts_tables() -> None:
    for system, contract in load_contracts().items():
        ours = {table.name: table for table in tables_of(system)}
        assert set(ours) == {table.name for table in contract.tables}
        for table in contract.tables:
            assert list(ours[table.name].columns) == [column.name for column in table.columns]
            assert ours[table.name].key == tuple(table.key)


def test_keys_are_unique_and_present(city: City) -> None:
    for name, table in TABLES.items():
        keys = city.held(name).select(row_key(table.key)).to_series()
        assert keys.null_count() == 0, name
        assert keys.n_unique() == len(keys), name


def test_every_true_number_is_valid_and_belongs_to_one_subject(city: City) -> None:
    people, firms = city.people, city.firms
    assert people["citizen_no"].n_unique() == people.height
    assert firms["uscc"].n_unique() == firms.height
    numbers, codes = people["citizen_no"].to_numpy(), firms["uscc"].to_numpy()
    assert (with_citizen_check(numbers.astype("<U17")) == numbers.astype(str)).all()
    assert (with_uscc_check(codes.astype("<U17")) == codes.astype(str)).all()
    odd = people["citizen_no"].str.slice(16, 1).cast(pl.Int64) % 2 == 1
    assert (odd == (people["sex"] == "male")).all()
    assert (people["citizen_no"].str.slice(6, 8) == people["birth_on"].dt.strftime("%Y%m%d")).all()


def test_nothing_shown_lies_in_the_future(city: City) -> None:
    now = end_of(city.clock)
    planned_ahead = {"due_at", "extended_to", "valid_until", "qualified_until", "health_cert_until", "next_due_on"}
    for name, table in TABLES.items():
        for column, kind in table.columns.items():
            if kind in ("date", "time") and column not in planned_ahead:
                latest = city.held(name)[column].max()
                limit = now if kind == "time" else city.clock
                assert latest is None or latest <= limit, (name, column)


def test_cases_run_in_order_and_open_ones_are_open(city: City) -> None:
    cases = city.held("urban_management.cases")
    order = ["found_at", "filed_at", "dispatched_at", "disposed_at", "verified_at", "closed_at"]
    for earlier, later in pairwise(order):
        assert (cases[earlier] <= cases[later]).all(), (earlier, later)
    still_open = cases.filter(pl.col("closed_at").is_null())
    assert 0.005 < still_open.height / cases.height < 0.06
    assert still_open["loop_level"].null_count() == still_open.height
    assert (cases["updated_at"] >= cases["filed_at"]).all()
    assert cases.filter(pl.col("is_valid") & (pl.col("verify_result") == "fail")).height > 0


def test_due_times_follow_the_working_calendar(city: City) -> None:
    due = city.held("urban_management.cases")["due_at"].dt.date().unique()
    assert all(is_working_day(day) for day in due)
    # 2025-09-28 was a Sunday worked for the October holiday, which ended on the 8th.
    start = pl.Series([dt.datetime(2025, 9, 27, 10)]).to_numpy()
    assert add_working_days(start, [1]).tolist() == [dt.datetime(2025, 9, 29, 10)]
    assert add_working_days(start, [4]).tolist() == [dt.datetime(2025, 10, 10, 10)]


def test_dirt_stays_near_its_documented_rates() -> None:
    rates = DirtRates()
    city = generate(20_000, seed=3)
    people = city.people.select("true_id", "citizen_no", "name", true_phone="phone")
    cases = city.shown["urban_management.cases"]
    reported = cases.filter(pl.col("reporter_name").is_not_null())
    concerned = cases.filter(pl.col("party_name").is_not_null())
    register = city.shown["civil_affairs.residents"].join(people, left_on="_person", right_on="true_id")
    reps = city.shown["market_supervision.enterprises"]
    factor = rates.register_factor
    bounds = [
        (register, pl.col("id_no").is_null(), rates.number_missing * factor),
        (register, pl.col("id_no").str.contains(r"\*"), rates.number_masked * factor),
        (reps, pl.col("legal_rep_id_no").is_null(), rates.number_missing * 0.6),
        (reported, pl.col("reporter_name").str.contains("女士|先生"), rates.surname_only),
        (concerned, pl.col("party_uscc").is_null(), rates.code_missing),
        (register, ~pl.col("home_address").str.contains("^上海市浦东新区"), rates.address_spelling * 3 / 7),
        (register.filter(pl.col("true_phone").is_not_null()), pl.col("phone").is_null(), rates.phone_missing),
    ]
    for frame, condition, rate in bounds:
        observed = frame.filter(condition).height
        expected = frame.height * rate
        assert abs(observed - expected) < 4 * expected**0.5 + 1, (str(condition), observed, expected)
    wrong = register.filter((pl.col("id_no") != pl.col("citizen_no")) & pl.col("id_no").is_not_null())
    assert 0 < wrong.height / register.height < 0.03


def test_doubled_dirt_is_dirtier_and_no_dirt_is_clean() -> None:
    assert DirtRates().doubled().number_masked == 2 * DirtRates().number_masked
    assert DirtRates().doubled().firm_former_name == 0.5
    clean = generate(400, seed=5, rates=DirtRates.none())
    rows = clean.shown["care_homes.stays"].join(clean.people, left_on="_person", right_on="true_id", suffix="_true")
    assert (rows["id_no"] == rows["citizen_no"]).all()
    assert (rows["name"] == rows["name_true"]).all()
    assert clean.breaks.height == 0


def test_twins_namesakes_double_registrations_and_renamed_firms_are_there(city: City) -> None:
    people = city.people.filter(pl.col("is_local"))
    assert people["is_twin"].sum() > 0
    same = people.filter(pl.struct("name", "birth_on", "sex").is_duplicated())
    assert same.height >= 2
    assert same["citizen_no"].n_unique() == same.height
    register = city.shown["civil_affairs.residents"]
    assert register.filter(pl.col("_person").is_duplicated()).height > 0
    assert city.firms["former_name"].drop_nulls().len() > 0
    enterprises = city.shown["market_supervision.enterprises"]
    assert enterprises.filter(pl.col("uscc").str.len_chars() == 15).height > 0
    assert enterprises.filter(pl.col("kind") == "branch").height > 0


def test_all_nine_findings_are_in_every_city(city: City) -> None:
    for some in (city, generate(1500, seed=2)):
        findings = some.truth()["findings"]
        assert set(findings["kind"]) == NINE
        assert findings.select(pl.struct("kind", "true_id").is_unique().all()).item()


def test_a_finding_can_be_followed_to_its_rows(city: City) -> None:
    findings = city.truth()["findings"].explode("keys")
    for (place,), rows in findings.with_columns(place=pl.col("keys").str.split(":").list.first()).group_by("place"):
        known = city.shown[str(place)].select(row_key(TABLES[str(place)].key)).to_series()
        assert rows["keys"].str.split(":").list.last().is_in(known.to_list()).all()


def test_truth_names_each_record_once_and_each_record_exists(city: City) -> None:
    truth = city.truth()
    for kind in ("persons", "enterprises"):
        frame = truth[kind]
        assert frame.select(pl.struct("system", "table", "key", "role").is_unique().all()).item()
        for (system, table), rows in frame.group_by("system", "table"):
            known = city.held(f"{system}.{table}").select(row_key(TABLES[f"{system}.{table}"].key)).to_series()
            assert rows["key"].is_in(known.to_list()).all()
    assert set(truth["persons"]["true_id"]) <= set(city.people["true_id"])
    assert set(truth["enterprises"]["true_id"]) <= set(city.firms["true_id"])


def test_homes_have_food_licences_and_a_few_take_in_too_many(city: City) -> None:
    present = city.held("care_homes.stays").filter(pl.col("discharged_on").is_null()).group_by("home_no").len()
    homes = city.held("care_homes.institutions").join(present, on="home_no")
    over = homes.filter(pl.col("len") > pl.col("licensed_beds")).height
    assert 1 <= over <= homes.height // 2


def test_towns_differ(city: City) -> None:
    cases = city.held("urban_management.cases").filter("is_valid")
    by_town = cases.group_by("town_code").agg(
        pl.len(), smart=pl.col("channel").is_in(["device", "video", "data_match"]).mean()
    )
    assert by_town.height == 36
    large = by_town.filter(pl.col("len") > 150)
    assert float(large["smart"].max() or 0) - float(large["smart"].min() or 0) > 0.2  # type: ignore[arg-type]
    assert int(by_town["len"].min() or 0) < 60  # type: ignore[arg-type]
