"""The steps of planned cases: who did what at which loop level, one row per action, numbered within the case."""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.city.draw import Rng, chance, minutes

FIRST_ACTOR = {
    "waste_sorting": "property_company",
    "ebike_charging": "property_company",
    "street_order": "urban_management",
    "shop_signs": "urban_management",
    "elder_care": "town",
    "illegal_construction": "urban_management",
    "greening": "property_company",
    "road_facilities": "town",
    "noise": "committee",
}
LEVEL_ACTOR = {"micro": "committee", "small": "town", "medium": "urban_management", "large": "operations_centre"}


def plan_steps(rng: Rng, cases: pl.DataFrame) -> pl.DataFrame:
    """Steps: case_no, seq, action, actor_kind, loop_level, at, outcome, _from (when the system takes the row in)."""
    facts = cases.with_columns(
        first_actor=pl.col("scenario_code").replace_strict(FIRST_ACTOR, return_dtype=pl.String),
        level=pl.col("loop_level").fill_null("micro"),
    ).with_columns(actor=pl.col("level").replace_strict(LEVEL_ACTOR, return_dtype=pl.String))
    facts = facts.with_columns(
        actor=pl.when(pl.col("level") == "micro").then("first_actor").otherwise("actor"),
        outcome=pl.when("is_valid").then(pl.lit("valid")).otherwise(pl.lit("invalid")),
    )
    centre = pl.lit("operations_centre")
    done = pl.lit("done")
    parts = [
        _part(facts, "file", centre, "filed_at", done, level=pl.lit("micro")),
        _part(facts, "judge", centre, "_judged_at", pl.col("outcome"), level=pl.lit("micro")),
        _part(facts, "dispatch", centre, "dispatched_at", done, level=pl.lit("micro"), nudge=30),
        _part(facts, "contact", pl.lit("town"), "first_contact_at", done),
        _part(facts, "extend", pl.col("actor"), "_extended_at", pl.lit("granted")),
        *_escalations(rng, facts),
        _part(facts, "dispose", pl.col("actor"), "disposed_at", done),
        _part(facts, "verify", centre, "verified_at", pl.col("verify_result")),
        _part(facts, "dispose", pl.col("actor"), "_redisposed_at", done),
        _part(facts, "verify", centre, "_reverified_at", pl.lit("pass")),
        _part(facts, "close", centre, "closed_at", done, nudge=5),
    ]
    steps = pl.concat(parts).filter(pl.col("at").is_not_null()).sort("case_no", "at", "order", "actor_kind")
    steps = steps.with_columns(seq=(1 + pl.int_range(pl.len()).over("case_no")).cast(pl.Int64)).drop("order")
    # 0.6 % of the steps are keyed in up to 20 hours late.
    late = chance(rng, 0.006, steps.height)
    delay = np.where(late, minutes(rng.uniform(60, 1200, steps.height)), np.timedelta64(0, "us"))
    return steps.with_columns(_from=pl.max_horizontal(pl.col("at") + pl.Series(delay), pl.col("_from")))


def _part(
    facts: pl.DataFrame,
    action: str,
    actor: pl.Expr,
    at: str | pl.Expr,
    outcome: pl.Expr,
    *,
    level: pl.Expr | None = None,
    nudge: int = 0,
) -> pl.DataFrame:
    when = pl.col(at) if isinstance(at, str) else at
    return facts.select(
        "case_no",
        action=pl.lit(action),
        actor_kind=actor,
        loop_level=pl.col("level") if level is None else level,
        at=when + pl.duration(seconds=nudge),
        outcome=outcome,
        order=pl.lit(nudge),
        _from=pl.col("_from"),
    ).filter(pl.col("at").is_not_null())


def _escalations(rng: Rng, facts: pl.DataFrame) -> list[pl.DataFrame]:
    """E-bike charging: the company dissuades first; what it cannot settle goes up and out. Others pass up by level."""
    span = (facts["disposed_at"] - facts["dispatched_at"]).dt.total_microseconds().to_numpy()
    share = rng.uniform(0.1, 0.4, facts.height)
    moment = pl.Series(np.nan_to_num(span.astype(float)) * share).cast(pl.Int64).cast(pl.Duration("us"))
    facts = facts.with_columns(up=pl.col("dispatched_at") + moment).filter(
        pl.col("is_valid") & pl.col("disposed_at").is_not_null()
    )
    charging = facts.filter(pl.col("scenario_code") == "ebike_charging")
    settled = pl.when(pl.col("level") == "micro").then(pl.lit("settled")).otherwise(pl.lit("failed"))
    failed = charging.filter(pl.col("level") != "micro")
    parts = [
        _part(charging, "dissuade", pl.lit("property_company"), "up", settled, level=pl.lit("micro")),
        _part(failed, "escalate", pl.lit("operations_centre"), "up", pl.lit("passed_up"), nudge=600),
    ]
    for actor in ("urban_management", "police", "fire"):
        some = failed if actor == "urban_management" else failed.filter(pl.col("level").is_in(["medium", "large"]))
        parts.append(_part(some, "joint_visit", pl.lit(actor), "up", pl.lit("done"), nudge=1200))
    for actor in ("committee", "owners_committee"):
        some = failed.filter(pl.col("level") != "small")
        parts.append(_part(some, "meet", pl.lit(actor), "up", pl.lit("shared_charging_agreed"), nudge=1800))
    rest = facts.filter((pl.col("scenario_code") != "ebike_charging") & pl.col("level").is_in(["medium", "large"]))
    parts.append(_part(rest, "escalate", pl.lit("town"), "up", pl.lit("passed_up")))
    society = facts.filter((pl.col("scenario_code") == "waste_sorting") & (pl.col("level") == "large"))
    parts.append(_part(society, "volunteer", pl.lit("society"), "up", pl.lit("done"), nudge=900))
    return parts
