"""From true state to what the four systems hold: source columns with dirt, beside hidden columns (`_…`) for the truth.

One function per group of tables. Hidden columns never leave the demo's own files: `_person`, `_firm`, `_party`,
`_representative`, `_reporter`, `_manager` name the true subject, `_from` when the system takes the row in.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city import dirt
from demo.city.dirt import DirtRates
from demo.city.draw import Array, Rng, chance, clock_times, counted, day, days, sample
from demo.city.geography import Geography
from demo.city.homes import town_code
from demo.city.identifiers import first_generation
from demo.home import CLOCK, HISTORY_DAYS


def look_up(
    frame: pl.DataFrame, on: str, people: pl.DataFrame, columns: dict[str, str], key: str = "true_id"
) -> pl.DataFrame:
    """`frame` with columns of `people` beside it, row order kept; `columns` maps their names to new ones."""
    right = people.select(pl.col(key).alias("__key"), *(pl.col(old).alias(new) for old, new in columns.items()))
    return frame.join(right, left_on=on, right_on="__key", how="left", maintain_order="left")


def residents(rng: Rng, people: pl.DataFrame, geography: Geography, rates: DirtRates, clock: dt.date) -> pl.DataFrame:
    """Rows of the civil register for these people."""
    count = people.height
    factor = rates.register_factor
    family = people.select(pl.col("phone").drop_nulls().first().over("household")).to_series()
    moved = pl.Series(chance(rng, rates.address_moved, count))
    home = people.select(
        pl.when(moved).then("hukou_address").otherwise("home_address").alias("home_address")
    ).to_series()
    updated = clock_times(rng, day(clock) - days(rng.exponential(500, count) + 0.001))
    last_event = people["died_on"].to_numpy().astype("datetime64[us]") + np.timedelta64(30, "h")
    updated = np.where(np.isnat(last_event), updated, np.maximum(updated, last_event))
    latest = day(clock).astype("datetime64[us]") + np.timedelta64(17, "h")
    rows = pl.DataFrame(
        {
            "person_no": people["person_no"],
            "name": dirt.person_names(rng, people["name"], rates, factor),
            "id_no": dirt.citizen_numbers(rng, people["citizen_no"], rates, factor),
            "sex": people["sex"].replace_strict({"male": "男", "female": "女"}, return_dtype=pl.String),
            "birth_on": people["birth_on"],
            "hukou_address": dirt.addresses(rng, people["hukou_address"], rates),
            "home_address": dirt.addresses(rng, home, rates),
            "town_code": town_code(people["town"]),
            "committee_code": geography.estates["committee_code"].gather(people["estate"]),
            "phone": dirt.phones(rng, people["phone"], family, rates),
            "marital_status": people["marital_status"],
            "died_on": people["died_on"],
            "updated_at": np.minimum(updated, latest),
            "_person": people["true_id"],
        }
    )
    return pl.concat([rows, _registered_twice(rng, rows, people, rates)])


def _registered_twice(rng: Rng, rows: pl.DataFrame, people: pl.DataFrame, rates: DirtRates) -> pl.DataFrame:
    """Women entered a second time under another name, with their 15-digit number."""
    grown = (
        (people["sex"] == "female") & people["birth_on"].dt.year().is_between(1935, 1995) & people["died_on"].is_null()
    )
    count = round(rows.height * rates.double_registration)
    chosen = sample(rng, np.flatnonzero(grown.to_numpy()), count)
    again = rows[chosen]
    given = again["name"].str.slice(1)
    numbers = [first_generation(number) for number in people["citizen_no"][chosen]]
    return again.with_columns(
        person_no=pl.col("person_no").str.replace("CA", "CB"),
        name=people["name"][chosen].str.slice(0, 1) + pl.lit("阿") + given.str.tail(1),
        id_no=pl.Series(numbers, dtype=pl.String),
    )


def benefits(frame: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Grants or assessments keyed by the register's person number."""
    return look_up(frame, "person", people, {"person_no": "person_no"}).rename({"person": "_person"})


def enterprises(rng: Rng, firms: pl.DataFrame, people: pl.DataFrame, rates: DirtRates, clock: dt.date) -> pl.DataFrame:
    """Rows of the enterprise register: a few old ones under their 15-digit number, a few under both."""
    count = firms.height
    people = aliased(rng, people, rates)
    facts = look_up(firms, "representative", people, {"written": "rep", "citizen_no": "rep_no"})
    luck = rng.random(count)
    old = firms["registration_no"].is_not_null().to_numpy()
    only_old = old & (luck < rates.old_number_only) & (firms["trade"] != "care_home").to_numpy()
    both = old & (luck > 1 - rates.old_number_and_code)
    changed = np.maximum(firms["established_on"].to_numpy(), day(clock) - days(rng.exponential(420, count) + 0.001))
    rows = facts.select(
        uscc=pl.when(pl.Series(only_old)).then("registration_no").otherwise("uscc"),
        name="name",
        kind="kind",
        legal_rep_name=dirt.person_names(rng, facts["rep"], rates, 0.6),
        legal_rep_id_no=dirt.citizen_numbers(rng, facts["rep_no"], rates, 0.6),
        registered_capital_cny="registered_capital_cny",
        established_on="established_on",
        status="status",
        industry_code="industry_code",
        address=dirt.addresses(rng, facts["address"], rates),
        town_code=town_code(firms["town"]),
        updated_at=pl.Series(clock_times(rng, changed)),
        _firm="true_id",
        _representative="representative",
        _old_number="registration_no",
        _code="uscc",
    )
    second = rows.filter(pl.Series(both)).with_columns(
        uscc="_old_number",
        name=pl.coalesce(firms["former_name"].filter(pl.Series(both)), pl.col("name")),
        updated_at=pl.col("updated_at").dt.offset_by("-6y"),
    )
    second = second.with_columns(
        updated_at=pl.max_horizontal("updated_at", pl.col("established_on").cast(pl.Datetime("us")))
    )
    return pl.concat([rows, second]).drop("_old_number", "_code")


def aliased(rng: Rng, people: pl.DataFrame, rates: DirtRates) -> pl.DataFrame:
    """People with `written`: the name other systems know them by; a few women go by another one."""
    women = ((people["sex"] == "female") & ~people["name"].str.contains("·")).to_numpy()
    other = women & chance(rng, rates.two_names, people.height)
    return people.with_columns(
        written=pl.when(pl.Series(other))
        .then(pl.col("name").str.slice(0, 1) + pl.lit("小") + pl.col("name").str.tail(1))
        .otherwise("name")
    )


def by_code(rng: Rng, frame: pl.DataFrame, firms: pl.DataFrame, register: pl.DataFrame) -> pl.DataFrame:
    """Licences, inspections and so on under a code: half of what belongs to old-number firms carries the true code."""
    first = register.group_by("_firm", maintain_order=True).agg(pl.col("uscc").first())
    facts = look_up(frame, "firm", first, {"uscc": "kept"}, key="_firm")
    facts = look_up(facts, "firm", firms, {"uscc": "true_code"})
    new = pl.Series(chance(rng, 0.5, frame.height))
    return (
        facts.with_columns(uscc=pl.when(new).then("true_code").otherwise(pl.coalesce("kept", "true_code")))
        .drop("kept", "true_code")
        .rename({"firm": "_firm"})
    )


def sites(rng: Rng, frame: pl.DataFrame, firms: pl.DataFrame, rates: DirtRates) -> pl.DataFrame:
    """Sites with the code of the company that manages them."""
    facts = look_up(frame, "manager", firms, {"uscc": "code"})
    return facts.select(
        "site_no",
        "kind",
        "name",
        address=dirt.addresses(rng, facts["address"], rates),
        town_code=town_code(facts["town"]),
        committee_code="committee_code",
        property_uscc=dirt.firm_codes(rng, facts["code"], rates, rates.code_missing / 3),
        _manager="manager",
    )


def cases(rng: Rng, plan: pl.DataFrame, people: pl.DataFrame, firms: pl.DataFrame, rates: DirtRates) -> pl.DataFrame:
    """Planned cases with what was written down about reporter and firm concerned."""
    people = aliased(rng, people.with_columns(at_home=_other_phone()), rates)
    columns = {"written": "who", "phone": "number", "sex": "who_sex", "at_home": "at_home"}
    facts = look_up(plan, "_reporter", people, columns)
    facts = look_up(facts, "_party", firms, {"name": "firm", "former_name": "former", "uscc": "code"})
    who = dirt.person_names(rng, facts["who"], rates)
    calls = dirt.calling_numbers(rng, _calls(facts), rates)
    count = plan.height
    return facts.with_columns(
        town_code=town_code(plan["town"]),
        reporter_name=dirt.surname_only(rng, who, facts["who_sex"], rates),
        reporter_phone=calls,
        party_name=dirt.firm_names(rng, facts["firm"], facts["former"], rates),
        party_uscc=dirt.firm_codes(rng, facts["code"], rates, rates.code_missing),
        _silent=pl.Series(chance(rng, rates.silent_changes, count)),
    ).drop("who", "number", "who_sex", "at_home", "firm", "former", "code", "town")


def _other_phone() -> pl.Expr:
    """Another telephone of the household; null for who lives alone or outside the register."""
    known = pl.col("phone").drop_nulls()
    other = pl.when(pl.col("phone") != known.first()).then(known.first()).otherwise(known.last())
    other = other.over("household")
    return pl.when(pl.col("household").is_not_null() & (other != pl.col("phone"))).then(other)


def _calls(facts: pl.DataFrame) -> pl.DataFrame:
    """The calls behind cases, for `dirt.calling_numbers`."""
    ago = (pl.lit(CLOCK) - pl.col("found_at").dt.date()).dt.total_days()
    return facts.select(
        true="number",
        household="at_home",
        is_hotline=pl.col("channel") == "hotline",
        history=1 - ago / HISTORY_DAYS,
    )


def institutions(rng: Rng, homes: pl.DataFrame, firms: pl.DataFrame, rates: DirtRates) -> pl.DataFrame:
    """Homes as the elder-care office lists them."""
    facts = look_up(homes, "firm", firms, {"former_name": "former"})
    return facts.select(
        "home_no",
        name=dirt.firm_names(rng, facts["name"], facts["former"], rates),
        uscc=dirt.firm_codes(rng, facts["uscc"], rates, 0.0),
        licensed_beds="licensed_beds",
        basic_beds="basic_beds",
        filed_on="filed_on",
        star="star",
        address=dirt.addresses(rng, facts["address"], rates),
        town_code=town_code(facts["town"]),
        _firm="firm",
    )


def stays(rng: Rng, plan: pl.DataFrame, people: pl.DataFrame, rates: DirtRates) -> pl.DataFrame:
    """Stays with what the home wrote down about the elder."""
    people = aliased(rng, people, rates)
    facts = look_up(
        plan,
        "person",
        people,
        {"written": "who", "citizen_no": "number", "sex": "who_sex", "birth_on": "born", "phone": "who_phone"},
    )
    count = plan.height
    kin = counted("1391", rng.integers(0, 10**7, count), 7)
    return facts.select(
        "stay_no",
        "home_no",
        "bed_no",
        name=dirt.person_names(rng, facts["who"], rates),
        id_no=dirt.citizen_numbers(rng, facts["number"], rates),
        sex=facts["who_sex"].replace_strict({"male": "M", "female": "F"}, return_dtype=pl.String),
        birth_on=dirt.dates_off(rng, facts["born"], rates),
        care_level="care_level",
        admitted_on="admitted_on",
        discharged_on="discharged_on",
        monthly_fee_cny="monthly_fee_cny",
        has_contract="has_contract",
        emergency_contact=pl.when("has_contact").then(pl.lit(kin)),
        is_basic_bed="is_basic_bed",
        updated_at="updated_at",
        _person="person",
    )


def staff(rng: Rng, plan: pl.DataFrame, people: pl.DataFrame, rates: DirtRates) -> pl.DataFrame:
    """Staff with names and numbers as the home's list has them."""
    people = aliased(rng, people, rates)
    facts = look_up(plan, "person", people, {"written": "who", "citizen_no": "number"})
    return facts.select(
        "staff_no",
        "home_no",
        name=dirt.person_names(rng, facts["who"], rates),
        id_no=dirt.citizen_numbers(rng, facts["number"], rates),
        role="role",
        qualification="qualification",
        qualified_until="qualified_until",
        health_cert_until="health_cert_until",
        on_post="on_post",
        _person="person",
    )


def position(values: pl.Series, wanted: pl.Series) -> Array:
    """Positions of `wanted` within `values`."""
    index = pl.DataFrame({"v": values}).with_row_index()
    found = pl.DataFrame({"v": wanted}).join(index, on="v", how="left", maintain_order="left")["index"]
    return np.asarray(found.to_numpy())
