"""The city lives on: what happens in one day, in the order in which one thing follows from another.

Each day draws from streams named by seed and date, so ten days at once are the same as ten times one day.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city import days_care, days_firms, days_people, measurements, records, steps
from demo.city.cases import plan_cases
from demo.city.draft import Draft
from demo.city.draw import chance
from demo.city.generation import CASES_PER_RESIDENT, case_weight, scene
from demo.city.state import City
from demo.home import CLOCK, HISTORY_DAYS

CASES = "urban_management.cases"
SITES = "urban_management.sites"
# Slow trends level out: towns do not get better for ever.
LONGEST_PROGRESS = 1.6


def next_day(city: City) -> City:
    """The city one day later."""
    draft = Draft.of(city)
    days_care.discharges(draft)
    days_people.deaths(draft)
    days_care.bury(draft)
    days_people.register(draft)
    days_people.benefits(draft)
    days_firms.register(draft)
    days_firms.licences(draft)
    days_firms.supervise(draft)
    admitted = days_care.admissions(draft)
    days_people.assessments(draft, admitted)
    days_care.adjustments(draft)
    days_care.staff(draft)
    days_care.prices(draft)
    days_care.licensed_beds(draft)
    days_care.devices(draft)
    _cases(draft)
    _sites(draft)
    name = "urban_management.waste_weighings"
    draft.append(name, measurements.plan_weighings(draft.rng("weighings"), draft.dates, draft.places, draft.ground))
    return draft.finished(city)


def _cases(draft: Draft) -> None:
    rng = draft.rng("cases")
    mean = draft.locals.height * CASES_PER_RESIDENT / HISTORY_DAYS * 1.08 * float(case_weight(draft.dates)[0])
    found = np.repeat(draft.dates, int(rng.poisson(mean)))
    days_firms.newcomers(draft, "C", max(1, len(found) // 40), (20, 70), 0.5)
    years = min((draft.today - CLOCK) / dt.timedelta(days=365.25) + 1.0, LONGEST_PROGRESS)
    first = draft.plans[CASES].height + 1
    stage = scene(draft.seed, draft.ground, draft.people, draft.places, draft.homes)
    planned = plan_cases(rng, found, np.full(len(found), years), stage, first)
    draft.append(CASES, records.cases(draft.rng("case records"), planned, draft.people, draft.firms, draft.rates))
    draft.append("urban_management.case_steps", steps.plan_steps(draft.rng("steps"), planned))


def _sites(draft: Draft) -> None:
    """Now and then a compound changes its property company."""
    rng = draft.rng("sites")
    plan = draft.plans[SITES]
    managed = plan["_manager"].is_not_null().to_numpy()
    changing = managed & chance(rng, 0.0004, plan.height)
    companies = draft.firms.filter((pl.col("trade") == "property") & (pl.col("status") == "active"))
    who = companies[rng.integers(0, companies.height, plan.height)]
    draft.change(SITES, changing, {"property_uscc": who["uscc"], "_manager": who["true_id"]})
    chosen = pl.Series(changing)
    draft.places = draft.places.with_columns(manager=pl.when(chosen).then(who["true_id"]).otherwise("manager"))
