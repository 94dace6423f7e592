"""A day in civil affairs: births, deaths, moves, corrections; benefits and care assessments that follow from them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city import names, people, records, support
from demo.city.draft import Draft, per_day
from demo.city.draw import Array, Rng, chance, clock_times, counted, day, days, sample
from demo.city.geography import home_address

REGISTER = "civil_affairs.residents"
BENEFITS = "civil_affairs.benefits"
ASSESSMENTS = "civil_affairs.care_assessments"


def deaths(draft: Draft) -> None:
    """People die, by age."""
    rng = draft.rng("deaths")
    everybody = draft.people
    age = (day(draft.today) - everybody["birth_on"].to_numpy()).astype(int) / 365.25
    alive = (everybody["is_local"] & everybody["died_on"].is_null()).to_numpy()
    dying = alive & chance(rng, per_day(people.yearly_death_rate(age)), everybody.height)
    draft.change_people(dying, {"died_on": draft.today})


def register(draft: Draft) -> None:
    """What the register learns today."""
    births(draft)
    moves(draft)
    _phones(draft)
    _deaths_reported(draft)
    _corrections(draft)


def births(draft: Draft) -> None:
    """Children are born into families of mothers between 22 and 40."""
    rng = draft.rng("births")
    count = int(rng.poisson(draft.locals.height * 0.0065 / 365))
    year = draft.today.year
    mothers = draft.people.filter(
        pl.col("is_local")
        & (pl.col("sex") == "female")
        & pl.col("died_on").is_null()
        & pl.col("birth_on").dt.year().is_between(year - 40, year - 22)
    )
    if count == 0 or mothers.height == 0:
        return
    family = mothers[sample(rng, np.arange(mothers.height), count)]
    children = _newborn(draft, rng, family)
    draft.add_people(children)
    rows = records.residents(rng, children, draft.ground, draft.rates, draft.today)
    times = clock_times(rng, np.repeat(draft.dates, rows.height))
    draft.append(REGISTER, rows.with_columns(updated_at=pl.Series(times)))


def _newborn(draft: Draft, rng: Rng, family: pl.DataFrame) -> pl.DataFrame:
    """One child for each mother in `family`."""
    count = family.height
    fathers = draft.people.filter((pl.col("sex") == "male") & pl.col("role").is_in([people.HEAD, people.SPOUSE]))
    surname = (
        records.look_up(
            family,
            "household",
            fathers.unique("household", keep="first", maintain_order=True),
            {"surname": "of_father"},
            key="household",
        )
        .select(pl.coalesce("of_father", "surname"))
        .to_series()
    )
    male = chance(rng, 0.52, count)
    born = np.repeat(day(draft.today), count) - days(rng.integers(0, 4, count))
    first = draft.locals.height
    given = names.given_names(rng, male, np.full(count, draft.today.year))
    numbers = people.unique_numbers(rng, np.full(count, "310115"), born, male)
    taken = set(draft.people["citizen_no"])
    return family.with_columns(
        true_id=counted("P", first + 1 + np.arange(count), 7),
        person_no=counted("CA", first + 100_001 + np.arange(count), 8),
        surname=surname,
        name=pl.concat_str(pl.lit(surname), pl.lit(pl.Series(given))),
        sex=pl.Series(np.where(male, "male", "female")),
        is_male=pl.Series(male),
        role=pl.lit(people.CHILD),
        birth_on=pl.Series(born),
        citizen_no=pl.Series(numbers),
        hukou_address="home_address",
        phone=pl.lit(None, dtype=pl.String),
        marital_status=pl.lit("未婚"),
        is_twin=pl.lit(False),
    ).filter(~pl.col("citizen_no").is_in(list(taken)))


def moves(draft: Draft) -> None:
    """Whole households move within the district; the register hears of nearly all of them."""
    rng = draft.rng("moves")
    everybody = draft.people
    households = everybody.filter(pl.col("is_local"))["household"].unique().sort().to_numpy()
    moving = households[chance(rng, 0.0012, len(households))]
    if len(moving) == 0:
        return
    estate = people.estates_for(rng, draft.ground, len(moving))
    room = rng.integers(1, 19, len(moving)) * 100 + rng.integers(1, 5, len(moving))
    address = home_address(draft.ground.estates, estate, rng.integers(1, 46, len(moving)), room)
    new = pl.DataFrame(
        {
            "household": moving,
            "new_estate": estate,
            "new_address": address,
            "new_town": draft.ground.estates["town"].gather(pl.Series(estate)),
        }
    )
    movers = (
        everybody.with_row_index().filter(pl.col("is_local") & pl.col("died_on").is_null()).join(new, on="household")
    )
    columns = {"estate": "new_estate", "town": "new_town", "home_address": "new_address"}
    draft.people = _overwritten(everybody, movers, "true_id", columns)
    heard = movers.filter(pl.Series(chance(rng, 0.97, movers.height)))
    committee = draft.ground.estates["committee_code"].gather(heard["new_estate"])
    told = heard.with_columns(
        new_committee=committee, new_code=draft.ground.towns["town_code"].gather(heard["new_town"])
    )
    plan = draft.plans[REGISTER]
    facts = records.look_up(plan, "_person", told, {"new_address": "a", "new_committee": "c", "new_code": "t"})
    draft.change(
        REGISTER,
        facts["a"].is_not_null(),
        {"home_address": facts["a"], "committee_code": facts["c"], "town_code": facts["t"]},
    )


def _overwritten(frame: pl.DataFrame, new: pl.DataFrame, key: str, columns: dict[str, str]) -> pl.DataFrame:
    facts = records.look_up(frame, key, new, {source: f"__{column}" for column, source in columns.items()}, key=key)
    return facts.with_columns(
        pl.coalesce(f"__{column}", column).cast(frame.schema[column]).alias(column) for column in columns
    ).select(frame.columns)


def _phones(draft: Draft) -> None:
    rng = draft.rng("phone changes")
    plan = draft.plans[REGISTER]
    chosen = (
        chance(rng, 0.002, plan.height) & plan["phone"].is_not_null().to_numpy() & plan["died_on"].is_null().to_numpy()
    )
    fresh = pl.Series(people.phones(rng, plan.height))
    draft.change(REGISTER, chosen, {"phone": fresh})
    changed = plan.filter(pl.Series(chosen)).select("_person").with_columns(fresh=fresh.filter(pl.Series(chosen)))
    draft.people = _overwritten(draft.people, changed.rename({"_person": "true_id"}), "true_id", {"phone": "fresh"})
    # Some rows are stamped anew although nothing in them changed.
    draft.change(REGISTER, chance(rng, 0.002, plan.height), {"sex": pl.col("sex")})


def _deaths_reported(draft: Draft) -> None:
    """Most deaths reach the register the same day, the rest within a week."""
    rng = draft.rng("deaths reported")
    plan = draft.plans[REGISTER]
    died = records.look_up(plan, "_person", draft.people, {"died_on": "true_died_on"})["true_died_on"]
    open_ = (plan["died_on"].is_null() & died.is_not_null()).to_numpy()
    today = (died == draft.today).fill_null(False).to_numpy()
    draft.change(REGISTER, open_ & chance(rng, np.where(today, 0.85, 0.5), plan.height), {"died_on": died})


def _corrections(draft: Draft) -> None:
    """Numbers found wrong or missing are put right, names too."""
    rng = draft.rng("corrections")
    plan = draft.plans[REGISTER]
    true = records.look_up(plan, "_person", draft.people, {"citizen_no": "number", "name": "true_name"})
    wrong = (plan["id_no"].is_null() | (plan["id_no"] != true["number"])).fill_null(True).to_numpy()
    draft.change(REGISTER, wrong & chance(rng, 0.006, plan.height), {"id_no": true["number"]})
    first = plan["person_no"].str.starts_with("CA").to_numpy()
    misspelt = (plan["name"] != true["true_name"]).to_numpy() & first
    draft.change(REGISTER, misspelt & chance(rng, 0.003, plan.height), {"name": true["true_name"]})


def benefits(draft: Draft) -> None:
    """Grants begin with a seventieth birthday or hardship and end with a death."""
    rng = draft.rng("benefits")
    plan = draft.plans[BENEFITS]
    died = records.look_up(plan, "_person", draft.people, {"died_on": "died_on"})["died_on"]
    running = (plan["ended_on"].is_null() & died.is_not_null()).to_numpy()
    recent = (died > draft.today - dt.timedelta(days=31)).fill_null(False).to_numpy()
    draft.change(BENEFITS, running & chance(rng, np.where(recent, 0.3, 0.01), plan.height), {"ended_on": draft.today})
    alive = draft.locals.filter(pl.col("died_on").is_null())
    age = (day(draft.today) - alive["birth_on"].to_numpy()).astype(int)
    of_age = age == int(support.OLD_AGE_FROM * 365.25)
    wanted = {
        "old_age": of_age & chance(rng, 0.9, alive.height),
        "minimum_living": (age > 18 * 365) & chance(rng, 0.0018 / 365, alive.height),
        "disability": (age > 55 * 365) & chance(rng, 0.005 / 365, alive.height),
    }
    for kind, chosen in wanted.items():
        new = alive.filter(pl.Series(chosen))
        count = new.height
        grants = pl.DataFrame(
            {
                "person": new["true_id"],
                "kind": [kind] * count,
                "monthly_cny": np.full(count, support.AMOUNTS[kind]),
                "started_on": np.repeat(draft.dates, count),
                "updated_at": clock_times(rng, np.repeat(draft.dates, count)),
                "grant_no": counted("JZ", draft.plans[BENEFITS].height + 1 + np.arange(count), 8),
            }
        )
        draft.append(BENEFITS, records.benefits(grants, draft.locals))


def assessments(draft: Draft, admitted: pl.DataFrame) -> None:
    """Elders newly in a home are assessed, and those whose assessment is about to run out again."""
    rng = draft.rng("assessments")
    plan = draft.plans[ASSESSMENTS]
    last = plan.group_by("_person", maintain_order=True).agg(pl.col("valid_until").max(), pl.col("care_level").last())
    dead = draft.people.filter(pl.col("died_on").is_not_null())["true_id"].to_list()
    soon = last.filter(
        pl.col("valid_until").is_between(draft.today, draft.today + dt.timedelta(days=70))
        & ~pl.col("_person").is_in(dead)
    )
    again = soon.filter(pl.Series(chance(rng, 0.02, soon.height)))
    person = pl.concat([again["_person"], admitted["person"].filter(admitted["person"].str.starts_with("P"))])
    new_level: Array = rng.integers(1, 6, len(person) - again.height)
    rows = pl.DataFrame(
        {
            "person": person,
            "care_level": np.concatenate(
                [np.minimum(6, again["care_level"].to_numpy() + rng.integers(0, 2, again.height)), new_level]
            ),
            "assessed_on": np.repeat(draft.dates, len(person)),
            "assessment_no": counted("PG", plan.height + 1 + np.arange(len(person)), 8),
        }
    ).with_columns(valid_until=pl.col("assessed_on") + pl.duration(days=730))
    draft.append(ASSESSMENTS, records.benefits(rows, draft.locals))
