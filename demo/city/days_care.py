"""A day in the care homes: discharges, admissions, staff and papers, prices, alarms, hours online."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city import homes, measurements, planted, records
from demo.city.days_firms import newcomers
from demo.city.draft import Draft
from demo.city.draw import chance, clock_times, counted

STAYS = "care_homes.stays"
STAFF = "care_homes.staff"
PRICES = "care_homes.prices"


def discharges(draft: Draft) -> None:
    """Elders leave; about half of them because they died. Whoever dies otherwise leaves nearly always the same day."""
    rng = draft.rng("discharges")
    plan = draft.plans[STAYS]
    present = plan["discharged_on"].is_null().to_numpy()
    long_enough = (plan["admitted_on"] < draft.today - dt.timedelta(days=3)).to_numpy()
    leaving = present & long_enough & chance(rng, 1 / homes.MEAN_STAY_DAYS, plan.height)
    dying = leaving & chance(rng, 0.55, plan.height)
    gone = plan["_person"].filter(pl.Series(dying)).to_list()
    draft.change_people(
        draft.people["true_id"].is_in(gone) & draft.people["is_local"] & draft.people["died_on"].is_null(),
        {"died_on": draft.today},
    )
    draft.change(STAYS, leaving, {"discharged_on": draft.today})


def bury(draft: Draft) -> None:
    """Close the stays of the dead: today's nearly all, forgotten ones slowly."""
    rng = draft.rng("bury")
    plan = draft.plans[STAYS]
    died = records.look_up(plan, "_person", draft.people, {"died_on": "died_on"})["died_on"]
    open_ = (plan["discharged_on"].is_null() & died.is_not_null()).to_numpy()
    today = (died == draft.today).fill_null(False).to_numpy()
    draft.change(STAYS, open_ & chance(rng, np.where(today, 0.97, 0.015), plan.height), {"discharged_on": draft.today})


def admissions(draft: Draft) -> pl.DataFrame:
    """Free places fill within about a month; returns the new stays (person among the columns)."""
    rng = draft.rng("admissions")
    plan = draft.plans[STAYS]
    taken = plan.filter(pl.col("discharged_on").is_null() | (pl.col("discharged_on") >= draft.today))[
        "bed_no"
    ].to_list()
    beds = draft.plans["care_homes.beds"]
    slot = beds["bed_no"].str.slice(-3).cast(pl.Int64) - 1
    capacity = records.look_up(beds, "home_no", draft.homes, {"capacity": "capacity"}, key="home_no")["capacity"]
    free = beds.filter((slot < capacity) & ~beds["bed_no"].is_in(taken))
    free = free.filter(pl.Series(chance(rng, 1 / 25, free.height)))
    outside = newcomers(draft, "E", int((rng.random(free.height) < 0.07).sum()), (66, 96), 0.42)
    present = plan.filter(pl.col("discharged_on").is_null())["_person"].to_list()
    able = draft.locals.filter(
        pl.col("died_on").is_null()
        & (pl.col("birth_on").dt.year() < draft.today.year - 64)
        & ~pl.col("true_id").is_in(present)
    )
    chosen = able[np.sort(rng.permutation(able.height)[: free.height - outside.height])]
    person = pl.concat([outside["true_id"], chosen["true_id"]])
    free = free.head(len(person))
    count = free.height
    stays = pl.DataFrame(
        {
            "stay_no": counted(
                "RZ", plan.filter(~pl.col("stay_no").str.starts_with("RZ9")).height + 1 + np.arange(count), 6
            ),
            "home_no": free["home_no"],
            "bed_no": free["bed_no"],
            "person": person,
            "admitted_on": np.repeat(draft.dates, count),
            "discharged_on": pl.Series([None] * count, dtype=pl.Date),
            "care_level": rng.integers(0, 6, count),
            "has_contract": chance(rng, 0.97, count),
            "has_contact": chance(rng, 0.97, count),
            "updated_at": clock_times(rng, np.repeat(draft.dates, count)),
        }
    )
    fee = homes.fees(stays, beds.select("bed_no", "kind"), draft.plans[PRICES])
    entitled = planted.entitled_stays(stays, draft.plans["civil_affairs.benefits"].rename({"_person": "person"}))
    basic = entitled & pl.Series(chance(rng, 0.5, count))
    stays = stays.with_columns(monthly_fee_cny=fee, is_basic_bed=basic)
    draft.append(STAYS, records.stays(rng, stays, draft.people, draft.rates))
    return stays


def adjustments(draft: Draft) -> None:
    """Care levels rise, contracts are signed late."""
    rng = draft.rng("adjustments")
    plan = draft.plans[STAYS]
    present = plan["discharged_on"].is_null().to_numpy()
    harder = present & (plan["care_level"] < 6).to_numpy() & chance(rng, 0.002, plan.height)
    draft.change(
        STAYS,
        harder,
        {"care_level": pl.col("care_level") + 1, "monthly_fee_cny": (pl.col("monthly_fee_cny") * 1.1).round(0)},
    )
    unsigned = present & ~plan["has_contract"].to_numpy()
    draft.change(STAYS, unsigned & chance(rng, 0.03, plan.height), {"has_contract": True})


def staff(draft: Draft) -> None:
    """Staff leave and are replaced; papers about to run out are renewed, forgotten ones more slowly."""
    rng = draft.rng("staff")
    plan = draft.plans[STAFF]
    leaving = plan["on_post"].to_numpy() & chance(rng, 0.0008, plan.height)
    draft.change(STAFF, leaving, {"on_post": False})
    for column, length in (("qualified_until", 1095), ("health_cert_until", 365)):
        soon = (plan[column] < draft.today + dt.timedelta(days=15)).fill_null(False).to_numpy()
        late = (plan[column] < draft.today).fill_null(False).to_numpy()
        renewed = soon & plan["on_post"].to_numpy() & chance(rng, np.where(late, 0.02, 0.12), plan.height)
        draft.change(STAFF, renewed, {column: draft.today + dt.timedelta(days=length)})
    new = newcomers(draft, "S", int(leaving.sum()), (24, 56), 0.22)
    posts = plan.filter(pl.Series(leaving)).head(new.height)
    rows = pl.DataFrame(
        {
            "staff_no": counted("RY", plan.height + 1 + np.arange(posts.height), 6),
            "home_no": posts["home_no"],
            "person": new["true_id"],
            "role": posts["role"],
            "on_post": np.full(posts.height, True),
        }
    ).with_columns(homes.staff_papers(rng, posts["role"].to_numpy(), draft.today))
    draft.append(STAFF, records.staff(rng, rows, draft.people, draft.rates))


def prices(draft: Draft) -> None:
    """Now and then a home files higher prices for everything."""
    rng = draft.rng("prices")
    rising = draft.homes["home_no"].filter(pl.Series(chance(rng, 0.0012, draft.homes.height))).to_list()
    latest = draft.plans[PRICES].filter(pl.col("filed_on") == pl.col("filed_on").max().over("home_no", "item"))
    new = latest.filter(pl.col("home_no").is_in(rising) & (pl.col("filed_on") < draft.today)).with_columns(
        filed_on=pl.lit(draft.today), monthly_cny=(pl.col("monthly_cny") * 1.05 / 10).round() * 10
    )
    draft.append(PRICES, new)


def devices(draft: Draft) -> None:
    """Alarms of the day and the hours each device was online."""
    name = "care_homes.device_alarms"
    draft.append(
        name,
        measurements.plan_alarms(
            draft.rng("alarms"), draft.dates, draft.devices, draft.ground, draft.plans[name].height + 1
        ),
    )
    draft.append("care_homes.device_uptime", measurements.plan_uptime(draft.rng("uptime"), draft.dates, draft.devices))


def licensed_beds(draft: Draft) -> None:
    """Rarely a home is licensed for a few beds more."""
    rng = draft.rng("licensed beds")
    name = "care_homes.institutions"
    plan = draft.plans[name]
    more = chance(rng, 0.0006, plan.height)
    draft.change(name, more, {"licensed_beds": pl.col("licensed_beds") + 2})
