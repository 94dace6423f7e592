"""Benefits and care assessments that civil affairs grants, by the true circumstances of each person."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city.draw import NO_DAY, Array, Rng, chance, clock_times, counted, day, days, pick, stream

OLD_AGE_FROM = 70
AMOUNTS = {"minimum_living": 1595.0, "old_age": 150.0, "disability": 480.0, "destitute": 2235.0}


def build_benefits(seed: int, clock: dt.date, people: pl.DataFrame) -> pl.DataFrame:
    """Grants: grant_no, person, kind, monthly_cny, started_on, ended_on, updated_at.

    A grant ends within days of a death; the few that run on are planted in `planted`.
    """
    rng = stream(seed, "benefits")
    locals_ = people.filter(pl.col("is_local"))
    age = (day(clock) - locals_["birth_on"].to_numpy()).astype(int) / 365.25
    shares: dict[str, Array] = {
        "old_age": (age >= OLD_AGE_FROM) * 0.9,
        "minimum_living": np.where(age > 18, 0.013, 0.004),
        "disability": np.where(age > 55, 0.045, 0.012),
        "destitute": np.where(age > 60, 0.006, 0.0),
    }
    frames = []
    for kind, share in shares.items():
        chosen = np.flatnonzero(chance(rng, share, locals_.height))
        longest = np.minimum(age[chosen] * 365 - (OLD_AGE_FROM * 365 if kind == "old_age" else 0), 8 * 365)
        started = day(clock) - days(rng.uniform(5, np.maximum(6, longest)))
        frames.append(_grants(rng, kind, locals_[chosen], started, clock))
    grants = pl.concat(frames)
    return grants.with_columns(grant_no=counted("JZ", np.arange(1, grants.height + 1), 8))


def _grants(rng: Rng, kind: str, people: pl.DataFrame, started: Array, clock: dt.date) -> pl.DataFrame:
    count = people.height
    died = people["died_on"].to_numpy()
    started = np.where(~np.isnat(died) & (started > died), died - days(np.array(400)), started)
    other_end = chance(rng, 0.0 if kind == "old_age" else 0.12, count)
    ended = np.where(other_end, started + days(rng.integers(60, 900, count)), NO_DAY)
    after_death = died + days(rng.integers(0, 12, count))
    ended = np.where(np.isnat(died), ended, np.where(np.isnat(ended), after_death, np.minimum(ended, after_death)))
    ended = np.where(ended > day(clock), NO_DAY, ended)
    changed = np.where(np.isnat(ended), started, ended)
    # Amounts are adjusted every July, which touches the row of every running grant.
    july = day(dt.date(clock.year if clock.month > 7 else clock.year - 1, 7, 1))
    changed = np.where(np.isnat(ended) & (started < july), july, changed)
    return pl.DataFrame(
        {
            "person": people["true_id"],
            "kind": [kind] * count,
            "monthly_cny": np.round(AMOUNTS[kind] * pick(rng, np.array([1.0, 1.2, 2.0]), count, [0.7, 0.2, 0.1]), 2),
            "started_on": started,
            "ended_on": ended,
            "updated_at": clock_times(rng, changed),
        }
    )


def build_assessments(seed: int, clock: dt.date, people: pl.DataFrame, stays: pl.DataFrame) -> pl.DataFrame:
    """Assessments of local elders: assessment_no, person, care_level, assessed_on, valid_until (two years)."""
    rng = stream(seed, "assessments")
    in_home = stays.filter(pl.col("person").str.starts_with("P")).select("person", "care_level", "admitted_on")
    in_home = in_home.filter(pl.Series(chance(rng, 0.95, in_home.height)))
    assessed = in_home["admitted_on"].to_numpy() - days(rng.integers(3, 60, in_home.height))
    age = (day(clock) - people["birth_on"].to_numpy()).astype(int) / 365.25
    at_home = people.filter(pl.Series(chance(rng, np.where(age > 68, 0.3, 0.0), people.height)) & pl.col("is_local"))
    first = pl.DataFrame(
        {
            "person": pl.concat([in_home["person"], at_home["true_id"]]),
            "care_level": np.concatenate(
                [in_home["care_level"].to_numpy(), np.clip(rng.poisson(1.7, at_home.height), 0, 6)]
            ),
            "assessed_on": np.concatenate([assessed, day(clock) - days(rng.integers(5, 900, at_home.height))]),
        }
    )
    # Whoever still needs care is assessed again before two years are over.
    died = first.join(people.select("true_id", "died_on"), left_on="person", right_on="true_id", how="left")["died_on"]
    frames, current = [first], first
    for _ in range(6):
        again = current["assessed_on"].to_numpy() + days(rng.integers(640, 730, current.height))
        keep = (again <= day(clock)) & ~(again > died.to_numpy()) & chance(rng, 0.93, current.height)
        drift = pick(rng, np.array([0, 1, -1]), current.height, [0.6, 0.32, 0.08])
        level = np.clip(current["care_level"].to_numpy() + drift, 0, 6)
        current = current.with_columns(assessed_on=pl.Series(again), care_level=pl.Series(level)).filter(
            pl.Series(keep)
        )
        died = died.filter(pl.Series(keep))
        frames.append(current)
    rows = pl.concat(frames).sort("assessed_on", "person")
    return rows.with_columns(
        valid_until=pl.col("assessed_on") + pl.duration(days=730),
        assessment_no=counted("PG", np.arange(1, rows.height + 1), 8),
    )
