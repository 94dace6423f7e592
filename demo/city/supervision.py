"""What market supervision does over an enterprise's life: licences, inspections, penalties, equipment, six doubles.

Every row is planned with its whole future; what the system shows on a day is cut out in `views`.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city.draw import NEVER, NO_DAY, Array, Rng, chance, clock_times, counted, day, days, pick, stream, weighted
from demo.city.firms import TRADES
from demo.city.geography import Geography
from demo.city.working_days import add_working_days

LICENCE_YEARS = 5
# Per firm and year; working days until due (Shanghai's six doubles, illustrative terms).
DOUBLES: dict[str, tuple[float, int]] = {
    "notice": (0.5, 3),
    "feedback": (0.5, 5),
    "tracking": (0.6, 10),
    "random": (0.6, 20),
    "assessment": (0.5, 15),
    "publication": (2.2, 20),
}
CAUSES = [
    "超范围经营",
    "食品安全违规",
    "占道经营",
    "未按规定公示信息",
    "虚假宣传",
    "消防通道堵塞",
    "无证经营",
    "价格违法",
]
EQUIPMENT = {"elevator": 0.62, "boiler": 0.08, "pressure_vessel": 0.12, "forklift": 0.1, "escalator": 0.08}


def build_licences(seed: int, clock: dt.date, firms: pl.DataFrame) -> pl.DataFrame:
    """Licences: licence_no, firm, kind, valid_from, valid_until, revoked_on, next_renewal (bool).

    About 5 % of what runs out is renewed too late or not at all; care homes are more careful in most towns.
    """
    rng = stream(seed, "licences")
    needed = [(i, kind) for i, trade in enumerate(firms["trade"]) for kind in TRADES[trade].licences]
    needed += [(int(i), "other") for i in np.flatnonzero(chance(rng, 0.14, firms.height))]
    firm = np.array([i for i, _ in needed])
    kind = np.array([k for _, k in needed])
    held = chance(rng, 0.97, len(firm))
    firm, kind = firm[held], kind[held]
    established = firms["established_on"].to_numpy()[firm]
    start = np.maximum(established, day(clock) - days(rng.integers(0, LICENCE_YEARS * 365, len(firm))))
    present = _terms(firms, firm, kind, start)
    # The term before the present one, where the firm is old enough: renewed in time, or after a gap.
    gap = np.where(chance(rng, 0.93, len(firm)), -rng.integers(0, 25, len(firm)), rng.integers(3, 90, len(firm)))
    earlier_until = start - days(gap) - days(np.array(1))
    earlier_start = earlier_until - days(np.array(LICENCE_YEARS * 365))
    earlier = _terms(firms, firm, kind, earlier_start).with_columns(valid_until=pl.Series(earlier_until))
    earlier = earlier.filter(
        pl.Series((established <= earlier_start) & (earlier_until > day(clock) - days(np.array(900))))
    )
    # Some let their last term run out and have not renewed.
    lapsed = chance(rng, 0.045, len(firm))
    ended = np.where(lapsed, day(clock) - days(rng.integers(1, 260, len(firm))), present["valid_until"].to_numpy())
    ended = np.maximum(ended, start + days(np.array(30)))
    present = present.with_columns(
        valid_until=pl.Series(ended),
        revoked_on=pl.Series(
            np.where(chance(rng, 0.008, len(firm)), day(clock) - days(rng.integers(1, 400, len(firm))), NO_DAY)
        ),
    )
    rows = pl.concat([earlier.with_columns(revoked_on=pl.lit(None, dtype=pl.Date)), present]).sort(
        "valid_from", "firm", "kind"
    )
    return rows.with_columns(licence_no=counted("XK", np.arange(1, rows.height + 1), 8))


def _terms(firms: pl.DataFrame, firm: Array, kind: Array, start: Array) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "firm": firms["true_id"].gather(pl.Series(firm)),
            "kind": kind,
            "valid_from": start,
            "valid_until": start + days(np.array(LICENCE_YEARS * 365)) - days(np.array(1)),
        }
    )


def plan_inspections(
    rng: Rng, dates: Array, firms: pl.DataFrame, geography: Geography, first_number: int
) -> pl.DataFrame:
    """One inspection per date: inspection_no, firm, inspected_on, plan_id, kind, result, published_on (planned)."""
    count = len(dates)
    live = firms.with_row_index().filter(pl.col("status") != "cancelled")
    firm = live["index"].to_numpy()[_busy_choice(rng, live, count)]
    kind = weighted(rng, {"random": 0.55, "special": 0.3, "complaint": 0.15}, count)
    result = np.where(
        kind == "random",
        weighted(rng, {"pass": 0.86, "rectify": 0.11, "fail": 0.03}, count),
        weighted(rng, {"pass": 0.66, "rectify": 0.24, "fail": 0.1}, count),
    )
    in_time = chance(rng, _publication(firms, firm, geography), count)
    lag = np.where(in_time, rng.integers(1, 18, count), rng.integers(21, 60, count))
    published = add_working_days(dates.astype("datetime64[us]"), lag).astype("datetime64[D]")
    month = dates.astype("datetime64[M]").astype(str)
    return pl.DataFrame(
        {
            "inspection_no": counted("JC", first_number + np.arange(count), 8),
            "firm": firms["true_id"].gather(pl.Series(firm.astype(np.int64))),
            "inspected_on": dates,
            "plan_id": pl.Series(np.where(kind == "complaint", "", np.char.add("PLAN-", month))).replace("", None),
            "kind": kind,
            "result": result,
            "published_on": np.where(chance(rng, 0.97, count), published, NO_DAY),
        }
    )


def plan_penalties(
    rng: Rng, dates: Array, firms: pl.DataFrame, geography: Geography, first_number: int
) -> pl.DataFrame:
    """One decision per given date: penalty_no, firm, decided_on, cause, amount_cny, published_on (planned)."""
    count = len(dates)
    firm = _busy_choice(rng, firms, count)
    in_time = chance(rng, _publication(firms, firm, geography), count)
    lag = np.where(in_time, rng.integers(1, 7, count), rng.integers(8, 40, count))
    return pl.DataFrame(
        {
            "penalty_no": counted("CF", first_number + np.arange(count), 7),
            "firm": firms["true_id"].gather(pl.Series(firm)),
            "decided_on": dates,
            "cause": pick(rng, CAUSES, count),
            "amount_cny": np.round(rng.lognormal(8.3, 0.9, count) / 100) * 100,
            "published_on": add_working_days(dates.astype("datetime64[us]"), lag).astype("datetime64[D]"),
        }
    )


def _busy_choice(rng: Rng, firms: pl.DataFrame, count: int) -> Array:
    """Firms by position; shops and care homes draw more supervision than offices do."""
    weight = np.array(
        [3.0 if trade == "care_home" else 1.6 if TRADES[trade].is_shop else 0.6 for trade in firms["trade"]]
    )
    return pick(rng, np.arange(firms.height), count, weight)


def _publication(firms: pl.DataFrame, firm: Array, geography: Geography) -> Array:
    return np.asarray(geography.towns["publication"].to_numpy()[firms["town"].to_numpy()[firm]])


def plan_notices(
    rng: Rng, double: str, dates: Array, firms: pl.DataFrame, geography: Geography, clock: dt.date, first_number: int
) -> pl.DataFrame:
    """Steps of one double opened on the given dates: notice_no, firm, double, sent_at, due_at, done_at (planned)."""
    count = len(dates)
    live = np.flatnonzero((firms["status"] != "cancelled").to_numpy())
    firm = live[rng.integers(0, len(live), count)]
    town = firms["town"].to_numpy()[firm]
    years_ago = (day(clock) - dates).astype(int) / 365.25
    towns = geography.towns
    share = towns["publication"].to_numpy()[town] + towns["publication_trend"].to_numpy()[town] * (1 - years_ago)
    if double != "publication":
        share = 0.35 + 0.6 * share
    sent = clock_times(rng, dates)
    term = DOUBLES[double][1]
    due = add_working_days(sent, np.full(count, term))
    in_time = chance(rng, np.clip(share, 0.3, 0.998), count)
    early = sent + ((due - sent).astype(np.int64) * rng.uniform(0.05, 0.98, count)).astype("timedelta64[us]")
    late = due + days(rng.integers(1, 25, count)) + (rng.integers(0, 7200, count) * 1_000_000).astype("timedelta64[us]")
    done = np.where(in_time, early, np.where(chance(rng, 0.93, count), late, NEVER))
    return pl.DataFrame(
        {
            "notice_no": counted("LC", first_number + np.arange(count), 8),
            "firm": firms["true_id"].gather(pl.Series(firm)),
            "double": np.full(count, double),
            "sent_at": sent,
            "due_at": due,
            "done_at": done.astype("datetime64[s]").astype("datetime64[us]"),
        }
    )


def build_equipment(seed: int, clock: dt.date, firms: pl.DataFrame, homes: pl.DataFrame) -> pl.DataFrame:
    """Special equipment: equipment_no, firm, kind, installed_at_address, last_maintained_on, next_due_on."""
    rng = stream(seed, "equipment")
    weight = np.where(firms["trade"].is_in(["property", "hotel", "manufacturing"]).to_numpy(), 8.0, 0.5)
    owners = pick(rng, np.arange(firms.height), int(firms.height * 0.28), weight)
    of_homes = np.repeat(np.flatnonzero(firms["true_id"].is_in(homes["firm"].to_list()).to_numpy()), 2)
    firm = np.concatenate([owners, of_homes])
    count = len(firm)
    kind = weighted(rng, EQUIPMENT, count)
    kind[len(owners) :] = "elevator"
    last = day(clock) - days(rng.integers(0, 360, count))
    overdue = chance(rng, 0.05, count)
    last = np.where(overdue, day(clock) - days(rng.integers(370, 500, count)), last)
    return pl.DataFrame(
        {
            "equipment_no": counted("TS", np.arange(1, count + 1), 7),
            "firm": firms["true_id"].gather(pl.Series(firm)),
            "kind": kind,
            "installed_at_address": firms["address"].gather(pl.Series(firm)),
            "last_maintained_on": last,
            "next_due_on": last + days(np.array(365)),
        }
    )
