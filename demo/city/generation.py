"""Builds a city from nothing: true state first, then planted findings, then what the systems hold of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.city import (
    breaks,
    callers,
    cases,
    firms,
    geography,
    homes,
    measurements,
    people,
    places,
    planted,
    records,
    steps,
    supervision,
    support,
)
from demo.city.dirt import DirtRates
from demo.city.draw import Array, day, days, stream
from demo.city.state import City
from demo.city.working_days import working_days
from demo.home import CLOCK, HISTORY_DAYS

CASES_PER_RESIDENT = 1.0  # over the two years of history
INSPECTIONS_PER_FIRM_AND_YEAR = 0.55
PENALTIES_PER_FIRM_AND_YEAR = 0.045


def generate(residents: int = 20_000, seed: int = 7, *, clock: dt.date = CLOCK, rates: DirtRates | None = None) -> City:
    """A city of `residents` people with two years of history up to the end of day `clock`.

    The same arguments give the same city, bit for bit.
    """
    rates = DirtRates() if rates is None else rates
    ground = geography.build(seed, residents)
    world = _world(residents, seed, clock, ground)
    plans = _plans(world, seed, clock, ground, rates)
    broken = pl.concat(
        [
            breaks.plant(stream(seed, f"breaks {name}"), name, plan, rates.contract_breaks)
            for name, plan in plans.items()
        ]
    )
    return City(
        seed=seed,
        residents=residents,
        clock=clock,
        rates=rates,
        people=world.people,
        firms=world.firms,
        homes=world.homes,
        devices=measurements.build_devices(seed, world.homes),
        places=world.sites,
        breaks=broken,
        plans=plans,
    )


@dataclass
class World:
    """True state while it is being built."""

    people: pl.DataFrame
    firms: pl.DataFrame
    homes: pl.DataFrame
    beds: pl.DataFrame
    stays: pl.DataFrame
    staff: pl.DataFrame
    prices: pl.DataFrame
    benefits: pl.DataFrame
    licences: pl.DataFrame
    sites: pl.DataFrame


def _world(residents: int, seed: int, clock: dt.date, ground: geography.Geography) -> World:
    count = planted.how_many(residents)
    everybody = pl.concat(
        [
            people.residents(seed, residents, clock, ground),
            people.outsiders(seed, "R", max(8, residents // 60), (25, 68), clock, 0.7),
            people.outsiders(seed, "E", max(4, residents // 300), (66, 96), clock, 0.42),
            people.outsiders(seed, "S", max(10, residents // 80), (24, 58), clock, 0.22),
            people.outsiders(seed, "C", max(10, residents // 40), (20, 70), clock, 0.5),
        ],
        how="diagonal",
    ).filter(pl.col("is_local") | ~pl.col("citizen_no").is_duplicated())
    home_count = homes.count_for(residents)
    firm_count = max(home_count + 12, round(residents * firms.SHARE_OF_RESIDENTS))
    companies = firms.enterprises(seed, firm_count, home_count, clock, ground, everybody)
    care_homes = homes.build_homes(seed, residents, clock, ground, companies)
    beds = homes.build_beds(seed, care_homes)
    stays, deaths = homes.build_stays(seed, clock, care_homes, beds, everybody)
    in_bed = planted.deaths_in_bed(seed, count, clock, stays, everybody)
    everybody = _bury(everybody, pl.concat([deaths.rename({"person": "true_id"}), in_bed]))
    benefits = support.build_benefits(seed, clock, everybody)
    benefits = _paid_on(seed, benefits, count, clock)
    licences = supervision.build_licences(seed, clock, companies)
    companies, licences = planted.troubled_homes(seed, clock, companies, care_homes, licences)
    companies = planted.allowance_with_capital(seed, count, companies, benefits, everybody)
    stays = planted.second_beds(seed, count, clock, stays, beds)
    stays = planted.basic_beds(seed, count, stays, benefits)
    prices = homes.build_prices(seed, clock, care_homes)
    stays = stays.with_columns(monthly_fee_cny=_fees(seed, stays, beds, prices))
    staff = planted.staff_without_papers(seed, count, clock, homes.build_staff(seed, clock, care_homes, everybody))
    sites = places.build_sites(seed, ground, companies)
    return World(everybody, companies, care_homes, beds, stays, staff, prices, benefits, licences, sites)


def _bury(everybody: pl.DataFrame, deaths: pl.DataFrame) -> pl.DataFrame:
    deaths = deaths.unique("true_id", maintain_order=True).rename({"died_on": "later"})
    return (
        everybody.join(deaths, on="true_id", how="left", maintain_order="left")
        .with_columns(died_on=pl.coalesce("later", "died_on"))
        .drop("later")
    )


def _paid_on(seed: int, benefits: pl.DataFrame, count: int, clock: dt.date) -> pl.DataFrame:
    """Grants of `count` people who died two months ago or earlier run on."""
    rng = stream(seed, "planted benefits")
    ended = np.flatnonzero(
        ((benefits["kind"] == "old_age") & (benefits["ended_on"] < clock - dt.timedelta(days=60)))
        .fill_null(False)
        .to_numpy()
    )
    chosen = rng.permutation(ended)[:count].tolist()
    return benefits.with_columns(
        ended_on=pl.when(pl.int_range(pl.len()).is_in(chosen)).then(None).otherwise("ended_on")
    )


def _fees(seed: int, stays: pl.DataFrame, beds: pl.DataFrame, prices: pl.DataFrame) -> pl.Series:
    """3 % of the elders pay more than the home has filed."""
    rng = stream(seed, "fees")
    above = np.where(rng.random(stays.height) < 0.03, 1.15, 1.0)
    return (homes.fees(stays, beds, prices) * pl.Series(above)).round(0)


def _plans(
    world: World, seed: int, clock: dt.date, ground: geography.Geography, rates: DirtRates
) -> dict[str, pl.DataFrame]:
    locals_ = world.people.filter(pl.col("is_local"))
    register = records.enterprises(stream(seed, "register"), world.firms, world.people, rates, clock)
    plans = {
        "civil_affairs.residents": records.residents(stream(seed, "residents"), locals_, ground, rates, clock),
        "civil_affairs.benefits": records.benefits(world.benefits, locals_),
        "civil_affairs.care_assessments": records.benefits(
            support.build_assessments(seed, clock, world.people, world.stays), locals_
        ),
        "market_supervision.enterprises": register,
    }
    supervised = _supervised(world, seed, clock, ground)
    for name, rows in supervised.items():
        plans[f"market_supervision.{name}"] = records.by_code(
            stream(seed, f"codes {name}"), rows, world.firms, register
        )
    plans |= _urban(world, seed, clock, ground, rates, quiet=_quiet_firms(world, supervised))
    plans |= _care(world, seed, clock, ground, rates)
    return plans


def _supervised(world: World, seed: int, clock: dt.date, ground: geography.Geography) -> dict[str, pl.DataFrame]:
    def dates(name: str, per_firm_and_year: float) -> Array:
        rng = stream(seed, name)
        calendar = working_days()
        span = calendar[(calendar > day(clock) - days(np.array(HISTORY_DAYS))) & (calendar <= day(clock))]
        return np.sort(rng.choice(span, round(world.firms.height * per_firm_and_year * HISTORY_DAYS / 365)))

    inspected = dates("inspection dates", INSPECTIONS_PER_FIRM_AND_YEAR)
    decided = dates("penalty dates", PENALTIES_PER_FIRM_AND_YEAR)
    notices: list[pl.DataFrame] = []
    for double, (per_year, _) in supervision.DOUBLES.items():
        sent = dates(f"{double} dates", per_year)
        first = 1 + sum(part.height for part in notices)
        rng = stream(seed, f"{double} notices")
        notices.append(supervision.plan_notices(rng, double, sent, world.firms, ground, clock, first))
    return {
        "licences": world.licences,
        "inspections": supervision.plan_inspections(stream(seed, "inspections"), inspected, world.firms, ground, 1),
        "penalties": supervision.plan_penalties(stream(seed, "penalties"), decided, world.firms, ground, 1),
        "special_equipment": supervision.build_equipment(seed, clock, world.firms, world.homes),
        "lifecycle_notices": pl.concat(notices),
    }


def _quiet_firms(world: World, supervised: dict[str, pl.DataFrame]) -> pl.Series:
    """Shops without any penalty or failed inspection."""
    failed = supervised["inspections"].filter(pl.col("result") == "fail")["firm"]
    noisy = pl.concat([supervised["penalties"]["firm"], failed]).unique().to_list()
    return world.firms.filter(
        (pl.col("status") == "active")
        & pl.col("trade").is_in(["catering", "food_retail"])
        & ~pl.col("true_id").is_in(noisy)
    )["true_id"]


def scene(
    seed: int, ground: geography.Geography, everybody: pl.DataFrame, sites: pl.DataFrame, care_homes: pl.DataFrame
) -> cases.Scene:
    """What cases can be about; who may report is grown up, alive and has a telephone."""
    able = everybody.filter(
        (pl.col("is_local") & pl.col("died_on").is_null() & (pl.col("birth_on") < dt.date(2006, 1, 1)))
        | pl.col("true_id").str.starts_with("XC")
    ).filter(pl.col("phone").is_not_null())
    return cases.Scene(ground.towns, sites, callers.callers(seed, ground, able), care_homes)


def _urban(
    world: World, seed: int, clock: dt.date, ground: geography.Geography, rates: DirtRates, quiet: pl.Series
) -> dict[str, pl.DataFrame]:
    rng = stream(seed, "cases")
    residents = world.people.filter(pl.col("is_local")).height
    found = _case_days(seed, clock, round(residents * CASES_PER_RESIDENT))
    progress = (found - day(clock)).astype(int) / 365.25 + 1.0
    stage = scene(seed, ground, world.people, world.sites, world.homes)
    planned = cases.plan_cases(rng, found, progress, stage, 1)
    count = planted.how_many(residents)
    planned = planted.crowded_firms(seed, count, clock, planned, quiet)
    recent = day(clock) - days(np.arange(measurements.HISTORY_DAYS)[::-1])
    return {
        "urban_management.sites": records.sites(stream(seed, "site records"), world.sites, world.firms, rates),
        "urban_management.cases": records.cases(
            stream(seed, "case records"), planned, world.people, world.firms, rates
        ),
        "urban_management.case_steps": steps.plan_steps(stream(seed, "steps"), planned),
        "urban_management.waste_weighings": measurements.plan_weighings(
            stream(seed, "weighings"), recent, world.sites, ground
        ),
    }


def case_weight(date: Array) -> Array:
    """How busy a day is: fewer finds at the weekend, more in summer."""
    weekday = (date.astype("datetime64[D]").astype(int) + 3) % 7
    month = date.astype("datetime64[M]").astype(int) % 12
    return np.asarray(np.where(weekday >= 5, 0.72, 1.1) * (1 + 0.14 * np.sin((month - 3) / 12 * 2 * np.pi)))


def _case_days(seed: int, clock: dt.date, count: int) -> Array:
    rng = stream(seed, "case days")
    span = day(clock) - days(np.arange(HISTORY_DAYS)[::-1])
    weight = case_weight(span) * np.linspace(0.92, 1.08, HISTORY_DAYS)
    return np.repeat(span, rng.multinomial(count, weight / weight.sum()))


def _care(
    world: World, seed: int, clock: dt.date, ground: geography.Geography, rates: DirtRates
) -> dict[str, pl.DataFrame]:
    devices = measurements.build_devices(seed, world.homes)
    recent = day(clock) - days(np.arange(measurements.HISTORY_DAYS)[::-1])
    return {
        "care_homes.institutions": records.institutions(stream(seed, "institutions"), world.homes, world.firms, rates),
        "care_homes.beds": world.beds.select("bed_no", "home_no", "room", "kind", _is_closed="is_closed"),
        "care_homes.stays": records.stays(stream(seed, "stay records"), world.stays, world.people, rates),
        "care_homes.staff": records.staff(stream(seed, "staff records"), world.staff, world.people, rates),
        "care_homes.prices": world.prices,
        "care_homes.device_alarms": measurements.plan_alarms(stream(seed, "alarms"), recent, devices, ground, 1),
        "care_homes.device_uptime": measurements.plan_uptime(stream(seed, "uptime"), recent, devices),
    }
