"""What a system shows on a day: planned rows with the future cut off.

A case, an alarm or a licence is planned with its whole life; on a given day only what has happened is seen. Every view
returns the source's columns in order, with the hidden ones (`_…`) behind them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import polars as pl

from demo.city.draw import end_of
from demo.city.tables import TABLES

CASE_EVENTS = [
    "filed_at",
    "_judged_at",
    "dispatched_at",
    "first_contact_at",
    "_extended_at",
    "disposed_at",
    "verified_at",
    "_redisposed_at",
    "_reverified_at",
    "closed_at",
    "_from",
]


def visible(name: str, plan: pl.DataFrame, clock: dt.date, *, stays: pl.DataFrame | None = None) -> pl.DataFrame:
    """Rows of table `name` (`system.table`) as the system shows them at the end of day `clock`.

    Args:
        stays: the plan of stays, needed for the status of beds.
    """
    now = end_of(clock)
    if "_from" in plan.columns:
        plan = plan.filter(pl.col("_from") <= now)
    if name == "care_homes.beds":
        assert stays is not None
        plan = _beds(plan, clock, stays)
    elif name in VIEWS:
        plan = VIEWS[name](plan, now)
    columns = list(TABLES[name].columns)
    hidden = [column for column in plan.columns if column not in columns]
    return plan.select(*columns, *hidden)


def _until(now: dt.datetime, column: str, event: str | None = None) -> pl.Expr:
    moment = pl.col(event or column)
    limit = now.date() if event is None and column.endswith("_on") else now
    return pl.when(moment <= limit).then(pl.col(column)).alias(column)


def _cases(plan: pl.DataFrame, now: dt.datetime) -> pl.DataFrame:
    events = [pl.when(pl.col(event) <= now).then(event) for event in CASE_EVENTS]
    # 3 % of the answers reach the row without moving updated_at.
    answer = pl.when((pl.col("_answered_at") <= now) & ~pl.col("_silent")).then("_answered_at")
    last = pl.max_horizontal(*events, answer) + pl.duration(seconds=pl.col("_jitter"))
    return plan.with_columns(
        *[_until(now, c) for c in ("dispatched_at", "first_contact_at", "disposed_at", "verified_at", "closed_at")],
        _until(now, "extended_to", "_extended_at"),
        _until(now, "verify_result", "verified_at"),
        _until(now, "is_valid", "_judged_at"),
        _until(now, "loop_level", "closed_at"),
        _until(now, "satisfaction", "_answered_at"),
        updated_at=pl.min_horizontal(last, pl.lit(now)).dt.truncate("1s"),
    )


def _alarms(plan: pl.DataFrame, now: dt.datetime) -> pl.DataFrame:
    return plan.with_columns(
        _until(now, "acknowledged_at"), _until(now, "cleared_at"), _until(now, "is_false", "cleared_at")
    )


def _licences(plan: pl.DataFrame, now: dt.datetime) -> pl.DataFrame:
    status = (
        pl.when(pl.col("revoked_on") <= now.date())
        .then(pl.lit("revoked"))
        .when(pl.col("valid_until") < now.date())
        .then(pl.lit("expired"))
        .otherwise(pl.lit("valid"))
    )
    return plan.with_columns(status=status)


def _published(plan: pl.DataFrame, now: dt.datetime) -> pl.DataFrame:
    return plan.with_columns(_until(now, "published_on"))


def _notices(plan: pl.DataFrame, now: dt.datetime) -> pl.DataFrame:
    return plan.filter(pl.col("sent_at") <= now).with_columns(_until(now, "done_at"))


def _beds(plan: pl.DataFrame, clock: dt.date, stays: pl.DataFrame) -> pl.DataFrame:
    taken = stays.filter(
        (pl.col("admitted_on") <= clock) & (pl.col("discharged_on").is_null() | (pl.col("discharged_on") > clock))
    )["bed_no"].unique()
    return plan.with_columns(
        status=pl.when(pl.col("bed_no").is_in(taken.to_list()))
        .then(pl.lit("occupied"))
        .when("_is_closed")
        .then(pl.lit("closed"))
        .otherwise(pl.lit("free"))
    )


VIEWS: dict[str, Callable[[pl.DataFrame, dt.datetime], pl.DataFrame]] = {
    "urban_management.cases": _cases,
    "care_homes.device_alarms": _alarms,
    "market_supervision.licences": _licences,
    "market_supervision.inspections": _published,
    "market_supervision.penalties": _published,
    "market_supervision.lifecycle_notices": _notices,
}
