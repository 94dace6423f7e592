"""The nine findings that only the joined view can make, defined over the true state of a day.

The truth lists every subject that meets a definition, planted or grown by chance. The definitions are repeated in words
in docs/reference/demo-city.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl

LARGE_CAPITAL_CNY = 1_000_000
MANY_CASES = 10
LOOK_BACK = dt.timedelta(days=365)
PAYMENT_RUN = dt.timedelta(days=31)  # a death reaches the pay office within a month
ENTITLED_LEVEL = 4
ENTITLING_BENEFITS = ("minimum_living", "destitute", "disability")

Tables = Mapping[str, pl.DataFrame]


def evaluate(clock: dt.date, people: pl.DataFrame, firms: pl.DataFrame, tables: Tables) -> pl.DataFrame:
    """All findings on `clock`: kind, subject_kind, true_id, keys (list of `system.table:key`).

    Args:
        people: true persons (true_id, died_on).
        firms: true enterprises (true_id, status, registered_capital_cny, representative).
        tables: visible rows by `system.table`, hidden columns included.
    """
    stays = (
        tables["care_homes.stays"]
        .filter(
            (pl.col("admitted_on") <= clock) & (pl.col("discharged_on").is_null() | (pl.col("discharged_on") > clock))
        )
        .with_columns(key=pl.lit("care_homes.stays:") + pl.col("stay_no"), subject=pl.col("_person"))
    )
    grants = (
        tables["civil_affairs.benefits"]
        .filter(pl.col("started_on") <= clock)
        .with_columns(key=pl.lit("civil_affairs.benefits:") + pl.col("grant_no"), subject=pl.col("_person"))
    )
    died = people.filter(pl.col("died_on") <= clock).select(subject="true_id", died="died_on")
    homes = tables["care_homes.institutions"].with_columns(
        key=pl.lit("care_homes.institutions:") + pl.col("home_no"), subject=pl.col("_firm")
    )
    residents = {
        "dead_in_bed": stays.join(died, on="subject"),
        "benefit_after_death": _paid_after_death(grants, died, clock),
        "allowance_with_capital": _with_capital(grants, firms, died, clock),
        "two_beds": stays.filter(pl.len().over("subject") > 1),
        "staff_without_papers": _without_papers(tables["care_homes.staff"], clock),
        "basic_bed_not_entitled": _not_entitled(stays, grants, clock),
    }
    enterprises = {
        "home_of_troubled_firm": _troubled(homes, firms, tables, clock),
        "home_without_food_licence": _without_food_licence(homes, tables, clock),
        "many_cases_low_risk": _many_cases(firms, tables, clock),
    }
    parts = [_listed(kind, "resident", rows) for kind, rows in residents.items()]
    parts += [_listed(kind, "enterprise", rows) for kind, rows in enterprises.items()]
    return pl.concat(parts)


def _listed(kind: str, subject_kind: str, rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.group_by(true_id="subject")
        .agg(keys=pl.col("key").unique().sort())
        .sort("true_id")
        .select(kind=pl.lit(kind), subject_kind=pl.lit(subject_kind), true_id="true_id", keys="keys")
    )


def _paid_after_death(grants: pl.DataFrame, died: pl.DataFrame, clock: dt.date) -> pl.DataFrame:
    last_day = pl.col("ended_on").fill_null(clock)
    return grants.join(died, on="subject").filter(last_day > pl.col("died") + PAYMENT_RUN)


def _in_force(grants: pl.DataFrame, clock: dt.date) -> pl.DataFrame:
    return grants.filter(pl.col("ended_on").is_null() | (pl.col("ended_on") > clock))


def _with_capital(grants: pl.DataFrame, firms: pl.DataFrame, died: pl.DataFrame, clock: dt.date) -> pl.DataFrame:
    rich = firms.filter((pl.col("status") == "active") & (pl.col("registered_capital_cny") >= LARGE_CAPITAL_CNY))
    poor = _in_force(grants, clock).filter(pl.col("kind") == "minimum_living").join(died, on="subject", how="anti")
    return poor.join(rich.select(subject="representative").unique(), on="subject")


def _without_papers(staff: pl.DataFrame, clock: dt.date) -> pl.DataFrame:
    return staff.filter(
        pl.col("on_post") & ((pl.col("qualified_until") < clock) | (pl.col("health_cert_until") < clock))
    ).with_columns(key=pl.lit("care_homes.staff:") + pl.col("staff_no"), subject=pl.col("_person"))


def _not_entitled(stays: pl.DataFrame, grants: pl.DataFrame, clock: dt.date) -> pl.DataFrame:
    entitling = _in_force(grants, clock).filter(pl.col("kind").is_in(ENTITLING_BENEFITS)).select("subject").unique()
    return stays.filter(pl.col("is_basic_bed") & (pl.col("care_level") < ENTITLED_LEVEL)).join(
        entitling, on="subject", how="anti"
    )


def _troubled(homes: pl.DataFrame, firms: pl.DataFrame, tables: Tables, clock: dt.date) -> pl.DataFrame:
    bad = firms.filter(pl.col("status").is_in(["abnormal", "revoked"])).select(subject="true_id")
    fined = (
        tables["market_supervision.penalties"].filter(pl.col("decided_on") > clock - LOOK_BACK).select(subject="_firm")
    )
    return homes.join(pl.concat([bad, fined]).unique(), on="subject")


def _without_food_licence(homes: pl.DataFrame, tables: Tables, clock: dt.date) -> pl.DataFrame:
    valid = tables["market_supervision.licences"].filter(
        (pl.col("kind") == "food")
        & (pl.col("valid_from") <= clock)
        & (pl.col("valid_until") >= clock)
        & (pl.col("revoked_on").is_null() | (pl.col("revoked_on") > clock))
    )
    return homes.join(valid.select(subject="_firm").unique(), on="subject", how="anti")


def _many_cases(firms: pl.DataFrame, tables: Tables, clock: dt.date) -> pl.DataFrame:
    since = clock - LOOK_BACK
    noisy = tables["urban_management.cases"].filter(
        pl.col("is_valid") & (pl.col("found_at").dt.date() > since) & pl.col("_party").is_not_null()
    )
    noisy = noisy.filter(pl.len().over("_party") >= MANY_CASES).with_columns(
        key=pl.lit("urban_management.cases:") + pl.col("case_no"), subject=pl.col("_party")
    )
    quiet = firms.filter(pl.col("status") == "active").select(subject="true_id")
    fined = tables["market_supervision.penalties"].filter(pl.col("decided_on") > since).select(subject="_firm")
    failed = (
        tables["market_supervision.inspections"]
        .filter((pl.col("inspected_on") > since) & (pl.col("result") == "fail"))
        .select(subject="_firm")
    )
    return noisy.join(quiet, on="subject").join(pl.concat([fined, failed]).unique(), on="subject", how="anti")
