"""Cases of urban management, each planned with its whole life; what the system shows on a day is cut out in `views`.

`disposed_at`, `verified_at` and `verify_result` speak of the first disposal and the first check. A second one after a
failed check is seen in the steps and in a later `closed_at`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.city import callers
from demo.city.draw import NEVER, Array, Rng, chance, minutes, pick, weighted, zero_filled
from demo.city.working_days import add_working_days

SMART = ("device", "video", "data_match")


@dataclass(frozen=True)
class Scenario:
    """How often a kind of problem comes up, where, until when it is due and how it is usually found."""

    weight: float
    due_working_days: int
    sites: dict[str, float]
    smart: dict[str, float]
    levels: dict[str, float]


SCENARIOS: dict[str, Scenario] = {
    "waste_sorting": Scenario(
        0.22,
        1,
        {"compound": 0.55, "producer": 0.27, "village": 0.1, "compression_station": 0.08},
        {"device": 0.45, "video": 0.35, "data_match": 0.2},
        {"micro": 0.5, "small": 0.38, "medium": 0.1, "large": 0.02},
    ),
    "ebike_charging": Scenario(
        0.15,
        2,
        {"compound": 1.0},
        {"video": 0.8, "device": 0.2},
        {"micro": 0.6, "small": 0.17, "medium": 0.2, "large": 0.03},
    ),
    "street_order": Scenario(
        0.2,
        1,
        {"shop": 1.0},
        {"video": 0.9, "data_match": 0.1},
        {"micro": 0.25, "small": 0.6, "medium": 0.15},
    ),
    "shop_signs": Scenario(
        0.08,
        5,
        {"shop": 1.0},
        {"video": 0.4, "data_match": 0.6},
        {"micro": 0.15, "small": 0.5, "medium": 0.3, "large": 0.05},
    ),
    "elder_care": Scenario(
        0.04,
        5,
        {"": 1.0},
        {"device": 0.5, "data_match": 0.5},
        {"micro": 0.2, "small": 0.4, "medium": 0.35, "large": 0.05},
    ),
    "illegal_construction": Scenario(
        0.06,
        15,
        {"compound": 0.6, "village": 0.4},
        {"video": 0.6, "data_match": 0.4},
        {"small": 0.5, "medium": 0.45, "large": 0.05},
    ),
    "greening": Scenario(0.06, 7, {"compound": 1.0}, {"video": 1.0}, {"micro": 0.45, "small": 0.4, "medium": 0.15}),
    "road_facilities": Scenario(0.11, 3, {"": 1.0}, {"device": 0.3, "video": 0.7}, {"small": 0.4, "medium": 0.6}),
    "noise": Scenario(
        0.08, 2, {"compound": 0.5, "shop": 0.5}, {"device": 1.0}, {"micro": 0.4, "small": 0.4, "medium": 0.2}
    ),
}
STUCK_SHARE = 0.008


@dataclass(frozen=True)
class Scene:
    """What a case can be about: towns, sites, who may report (see `callers`), which firms run care homes."""

    towns: pl.DataFrame
    sites: pl.DataFrame
    callers: pl.DataFrame
    homes: pl.DataFrame


def plan_cases(rng: Rng, found_on: Array, progress: Array, scene: Scene, first_number: int) -> pl.DataFrame:
    """One case for each day in `found_on`.

    Args:
        found_on: days of discovery, datetime64[D].
        progress: years since the middle of the city's history, for the slow trends.
        first_number: continues the numbering of cases.
    """
    count = len(found_on)
    names = weighted(rng, {name: scenario.weight for name, scenario in SCENARIOS.items()}, count)
    frame = _placed(rng, names, scene)
    town = frame["town"].to_numpy()
    frame = frame.with_columns(
        case_no=pl.Series(np.char.add("AJ", zero_filled(first_number + np.arange(count), 9))),
        channel=_channels(rng, names, town, progress, scene.towns),
    )
    frame = _life(rng, frame, found_on, progress, scene.towns)
    return _voices(rng, frame, scene)


def _placed(rng: Rng, names: Array, scene: Scene) -> pl.DataFrame:
    """Scenario, site, town, committee and the firm concerned."""
    count = len(names)
    wanted = np.full(count, "", dtype="<U20")
    for name, scenario in SCENARIOS.items():
        mine = np.flatnonzero(names == name)
        wanted[mine] = weighted(rng, scenario.sites, len(mine))
    sites = scene.sites
    site = np.zeros(count, dtype=np.int64)
    town = sites["town"].to_numpy()
    weight = scene.towns["weight"].to_numpy()
    for kind in np.unique(wanted):
        mine = np.flatnonzero(wanted == kind)
        at = np.flatnonzero((sites["kind"] == (kind or "compound")).to_numpy())
        site[mine] = pick(rng, at, len(mine), weight[town[at]] / np.bincount(town[at])[town[at]])
    rows = sites[site].with_columns(pl.Series("scenario_code", names), pl.Series("wanted", wanted))
    home = scene.homes[pick(rng, np.arange(scene.homes.height), count)]
    at_home = pl.col("scenario_code") == "elder_care"
    concerned = pl.coalesce("firm", "manager")
    return rows.select(
        "scenario_code",
        site_no=pl.when(pl.col("wanted") != "").then("site_no"),
        town=pl.when(at_home).then(pl.lit(home["town"])).otherwise("town"),
        _site_kind="wanted",
        committee_code=pl.when(~at_home).then("committee_code"),
        _party=pl.when(at_home)
        .then(pl.lit(home["firm"]))
        .when(pl.col("wanted").is_in(["shop", "producer", "compound"]) & pl.lit(pl.Series(chance(rng, 0.82, count))))
        .then(concerned),
    )


def _channels(rng: Rng, names: Array, town: Array, progress: Array, towns: pl.DataFrame) -> pl.Series:
    count = len(names)
    share = towns["smart"].to_numpy()[town] + towns["smart_trend"].to_numpy()[town] * progress
    smart = chance(rng, np.clip(share, 0.05, 0.95), count)
    channel = weighted(rng, {"hotline": 0.55, "patrol": 0.3, "self_report": 0.15}, count).astype("<U12")
    for name, scenario in SCENARIOS.items():
        mine = np.flatnonzero(smart & (names == name))
        channel[mine] = weighted(rng, scenario.smart, len(mine))
    return pl.Series(channel)


def _life(rng: Rng, frame: pl.DataFrame, found_on: Array, progress: Array, towns: pl.DataFrame) -> pl.DataFrame:
    count = frame.height
    town = frame["town"].to_numpy()
    by_device = frame["channel"].is_in(SMART).to_numpy()
    hour = np.where(by_device, rng.uniform(5, 22.5, count), rng.triangular(7.5, 10, 20.5, count))
    found = found_on.astype("datetime64[us]") + minutes(hour * 60)
    filed = found + minutes(np.where(by_device, rng.uniform(1, 8, count), rng.exponential(22, count) + 4))
    # A system files at the latest at the end of the day of discovery.
    filed = np.minimum(filed, found_on.astype("datetime64[us]") + minutes(24 * 60 - 1.0))
    term = np.array([SCENARIOS[name].due_working_days for name in frame["scenario_code"]])
    due = add_working_days(filed, term)
    dispatched = filed + minutes(rng.exponential(25, count) + 3)
    valid = ~chance(rng, np.where(by_device, 0.09, 0.025), count)
    window = (due - dispatched).astype(np.int64) / 60_000_000

    pace = np.exp(-0.5 * (towns["speed"].to_numpy()[town] + towns["speed_trend"].to_numpy()[town] * progress))
    extended = valid & chance(rng, 0.045, count)
    quality = towns["quality"].to_numpy()[town]
    course = _course(rng, dispatched, window, pace * np.where(extended, 1.7, 1.0), quality)
    disposed = course["disposed_at"]
    contact = dispatched + minutes(rng.lognormal(5.0, 1.1, count) * pace)
    human = ~by_device
    false_close = dispatched + minutes(rng.uniform(1, 30, count))

    def if_valid(values: Array) -> pl.Series:
        return pl.Series(np.where(valid, values, NEVER))

    return frame.with_columns(
        found_at=pl.Series(found),
        filed_at=pl.Series(filed),
        dispatched_at=if_valid(dispatched),
        first_contact_at=pl.Series(
            np.where(valid & human & (np.isnat(disposed) | (contact < disposed)), contact, NEVER)
        ),
        due_at=pl.Series(due),
        extended_to=pl.Series(np.where(extended, add_working_days(due, term), NEVER)),
        disposed_at=if_valid(disposed),
        verified_at=if_valid(course["verified_at"]),
        verify_result=pl.Series(np.where(np.isnat(course["redisposed_at"]), "pass", "fail")),
        closed_at=pl.Series(np.where(valid, course["closed_at"], false_close)),
        is_valid=pl.Series(valid),
        _judged_at=pl.Series(dispatched),
        _extended_at=if_valid(np.where(extended, np.minimum(dispatched + minutes(window * 0.7), disposed), NEVER)),
        _redisposed_at=if_valid(course["redisposed_at"]),
        _reverified_at=if_valid(course["reverified_at"]),
        _jitter=pl.Series(rng.integers(0, 90, count)),
        # Rows brought in late: the caller's form lay on a desk for up to 21 hours (pulls look back 24).
        _from=pl.Series(
            np.where(human & chance(rng, 0.012, count), filed + minutes(rng.uniform(600, 1250, count)), filed)
        ),
    )


def _course(rng: Rng, dispatched: Array, window: Array, pace: Array, quality: Array) -> dict[str, Array]:
    """From dispatch to closure.

    Args:
        window: minutes from dispatch until due.
        pace: factor on the usual time (42 % of the window in the median).
        quality: chance to be accepted at the first check.
    """
    count = len(dispatched)
    effort = rng.lognormal(-0.87, 0.65, count) * pace
    disposed = dispatched + minutes(np.clip(window * effort, 12, 130 * 24 * 60))
    disposed = np.where(chance(rng, STUCK_SHARE, count), NEVER, disposed)
    verified = disposed + minutes(window * rng.uniform(0.02, 0.12, count) + 5)
    passed = chance(rng, quality, count)
    redisposed = np.where(passed, NEVER, verified + minutes(window * rng.uniform(0.1, 0.5, count) + 30))
    reverified = redisposed + minutes(window * rng.uniform(0.02, 0.1, count) + 5)
    closed = np.where(passed, verified, reverified) + minutes(window * rng.uniform(0.003, 0.05, count) + 2)
    return {
        "disposed_at": disposed,
        "verified_at": verified,
        "redisposed_at": redisposed,
        "reverified_at": reverified,
        "closed_at": closed,
    }


def _voices(rng: Rng, frame: pl.DataFrame, scene: Scene) -> pl.DataFrame:
    """Loop level, the reporter and how satisfied he was."""
    count = frame.height
    level = np.full(count, "small", dtype="<U6")
    names = frame["scenario_code"].to_numpy()
    for name, scenario in SCENARIOS.items():
        mine = np.flatnonzero(names == name)
        level[mine] = weighted(rng, scenario.levels, len(mine))
    called = frame["channel"].is_in(["hotline", "self_report"]).to_numpy()
    reporter = callers.choose(rng, scene.callers, frame["_site_kind"], frame["committee_code"], frame["town"])
    named = called & chance(rng, 0.9, count)
    in_time = (frame["closed_at"] <= frame["due_at"]).fill_null(False).to_numpy()
    good = weighted(rng, {"satisfied": 0.86, "neutral": 0.08, "dissatisfied": 0.06}, count)
    bad = weighted(rng, {"satisfied": 0.48, "neutral": 0.22, "dissatisfied": 0.3}, count)
    answered = called & frame["is_valid"].to_numpy() & chance(rng, 0.65, count)
    asked = frame["closed_at"].to_numpy() + minutes(rng.uniform(600, 4300, count))
    return frame.with_columns(
        loop_level=pl.when("is_valid").then(pl.Series(level)),
        satisfaction=pl.when(pl.Series(answered)).then(pl.Series(np.where(in_time, good, bad))),
        _answered_at=pl.Series(np.where(answered, asked, NEVER)),
        _reporter=pl.when(pl.Series(named)).then(pl.Series(reporter)),
    ).drop("_site_kind")
