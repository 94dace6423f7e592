"""A day in market supervision: firms founded and changed, licences granted, renewed and revoked, supervision done."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from demo.city import firms, generation, people, records, supervision
from demo.city.draft import Draft, per_day
from demo.city.draw import Array, chance, clock_times, counted, pick, weighted
from demo.city.working_days import is_working_day

REGISTER = "market_supervision.enterprises"
LICENCES = "market_supervision.licences"
EQUIPMENT = "market_supervision.special_equipment"
TERM = dt.timedelta(days=supervision.LICENCE_YEARS * 365 - 1)


def register(draft: Draft) -> None:
    """What the register of enterprises learns today; nothing on days off."""
    if not is_working_day(draft.today):
        return
    _founded(draft)
    _statuses(draft)
    _renamed(draft)
    _relocated(draft)


def _founded(draft: Draft) -> None:
    rng = draft.rng("founded")
    count = int(rng.poisson(draft.firms.height * 0.1 / 248))
    if count == 0:
        return
    trades = {name: trade.weight for name, trade in firms.TRADES.items() if trade.weight}
    trade = weighted(rng, trades, count)
    kind = np.where(chance(rng, 0.5, count), "individual", "company")
    new = firms.make(
        rng, trade, kind, np.repeat(draft.dates, count), draft.ground, draft.people, draft.firms.height + 1
    ).with_columns(status=pl.lit("active"))
    draft.add_firms(new)
    rows = records.enterprises(rng, new, draft.people, draft.rates, draft.today)
    draft.append(REGISTER, rows.with_columns(updated_at=pl.Series(clock_times(rng, np.repeat(draft.dates, count)))))
    needed = [(f, k) for f, t in zip(new["true_id"], trade.tolist(), strict=True) for k in firms.TRADES[t].licences]
    granted = pl.DataFrame(needed, schema={"firm": pl.String, "kind": pl.String}, orient="row")
    _grant(draft, granted.with_columns(valid_from=pl.lit(draft.today)))


def _statuses(draft: Draft) -> None:
    rng = draft.rng("statuses")
    plan = draft.plans[REGISTER]
    luck = rng.random(plan.height)
    steady = (
        records.look_up(plan, "_firm", draft.firms, {"trade": "trade"})["trade"]
        .is_in(["care_home", "property"])
        .to_numpy()
    )
    status = plan["status"].to_numpy()
    now_abnormal = (status == "active") & (luck < np.where(steady, 0.00006, 0.0002))
    restored = (status == "abnormal") & (luck < 0.002)
    cancelled = (status == "active") & ~steady & (luck > 1 - 0.00012)
    changed = now_abnormal | restored | cancelled
    new = np.select([now_abnormal, restored, cancelled], ["abnormal", "active", "cancelled"], "active")
    draft.change(REGISTER, changed, {"status": pl.Series(new)})
    _carry(draft, changed, "status", pl.Series(new))


def _renamed(draft: Draft) -> None:
    rng = draft.rng("renamed")
    plan = draft.plans[REGISTER]
    chosen = (plan["kind"] == "company").to_numpy() & chance(rng, 0.00006, plan.height)
    stems = np.char.add(pick(rng, firms.STEMS, plan.height), pick(rng, firms.STEMS, plan.height))
    # 上海 + stem + character + trade + form: the first two characters after the city change.
    new = plan.select(
        pl.col("name").str.slice(0, 2) + pl.lit(pl.Series(stems)) + pl.col("name").str.slice(4)
    ).to_series()
    taken = plan["name"].to_list()
    chosen = chosen & ~new.is_in(taken).to_numpy()
    _carry(draft, chosen, "former_name", plan["name"])
    draft.change(REGISTER, chosen, {"name": new})
    _carry(draft, chosen, "name", new)


def _relocated(draft: Draft) -> None:
    """New addresses, new representatives, new capital."""
    rng = draft.rng("relocated")
    plan = draft.plans[REGISTER]
    moved = chance(rng, 0.00012, plan.height)
    other = pl.Series(rng.permutation(plan.height))
    draft.change(REGISTER, moved, {"address": plan["address"].gather(other)})
    raised = (plan["kind"] == "company").to_numpy() & chance(rng, 0.00015, plan.height)
    draft.change(REGISTER, raised, {"registered_capital_cny": plan["registered_capital_cny"] * 2})
    _carry(draft, raised, "registered_capital_cny", plan["registered_capital_cny"] * 2)
    led = chance(rng, 0.0001, plan.height)
    able = draft.locals.filter(
        pl.col("died_on").is_null()
        & pl.col("birth_on").dt.year().is_between(draft.today.year - 70, draft.today.year - 24)
    )
    who = able[pick(rng, np.arange(able.height), plan.height)]
    draft.change(
        REGISTER,
        led,
        {"legal_rep_name": who["name"], "legal_rep_id_no": who["citizen_no"], "_representative": who["true_id"]},
    )
    _carry(draft, led, "representative", who["true_id"])


def _carry(draft: Draft, chosen: Array, column: str, values: pl.Series) -> None:
    """Carry a change of register rows to the true firms behind them."""
    plan = draft.plans[REGISTER]
    new = (
        pl.DataFrame({"firm": plan["_firm"], "value": values})
        .filter(pl.Series(chosen))
        .unique("firm", maintain_order=True)
    )
    facts = records.look_up(draft.firms, "true_id", new, {"value": "__value"}, key="firm")
    draft.firms = facts.with_columns(
        pl.coalesce("__value", column).cast(draft.firms.schema[column]).alias(column)
    ).select(draft.firms.columns)


def licences(draft: Draft) -> None:
    """Licences about to run out are renewed; a few that ran out, too; a few are revoked."""
    rng = draft.rng("licences")
    plan = draft.plans[LICENCES]
    newest = plan.filter(pl.col("valid_until") == pl.col("valid_until").max().over("_firm", "kind"))
    alive = draft.firms.filter(pl.col("status") == "active")["true_id"].to_list()
    due = newest.filter(pl.col("_firm").is_in(alive) & (pl.col("valid_until") < draft.today + dt.timedelta(days=25)))
    late = (due["valid_until"] < draft.today).to_numpy()
    renewed = due.filter(pl.Series(chance(rng, np.where(late, 0.008, 0.12), due.height)))
    start = pl.max_horizontal(pl.col("valid_until") + dt.timedelta(days=1), pl.lit(draft.today))
    _grant(draft, renewed.select(firm="_firm", kind="kind", valid_from=start))
    in_force = (plan["valid_until"] > draft.today).to_numpy() & plan["revoked_on"].is_null().to_numpy()
    draft.change(LICENCES, in_force & chance(rng, per_day(0.004), plan.height), {"revoked_on": draft.today})


def _grant(draft: Draft, granted: pl.DataFrame) -> None:
    first = draft.plans[LICENCES].height + 1
    rows = granted.with_columns(
        valid_until=pl.col("valid_from") + TERM, licence_no=counted("XK", first + np.arange(granted.height), 8)
    )
    rng = draft.rng(f"licence codes {first}")
    draft.append(LICENCES, records.by_code(rng, rows, draft.firms, draft.plans[REGISTER]))


def supervise(draft: Draft) -> None:
    """Inspections, penalties, notices and maintenance of a working day."""
    if not is_working_day(draft.today):
        return
    rng = draft.rng("supervision")
    working = 248
    firms_count = draft.firms.height

    def today(per_year: float) -> Array:
        return np.repeat(draft.dates, int(rng.poisson(firms_count * per_year / working)))

    plans = draft.plans
    _coded(
        draft,
        "inspections",
        supervision.plan_inspections(
            rng,
            today(generation.INSPECTIONS_PER_FIRM_AND_YEAR),
            draft.firms,
            draft.ground,
            plans["market_supervision.inspections"].height + 1,
        ),
    )
    _coded(
        draft,
        "penalties",
        supervision.plan_penalties(
            rng,
            today(generation.PENALTIES_PER_FIRM_AND_YEAR),
            draft.firms,
            draft.ground,
            plans["market_supervision.penalties"].height + 1,
        ),
    )
    for double, (per_year, _) in supervision.DOUBLES.items():
        first = draft.plans["market_supervision.lifecycle_notices"].height + 1
        _coded(
            draft,
            "lifecycle_notices",
            supervision.plan_notices(rng, double, today(per_year), draft.firms, draft.ground, draft.today, first),
        )
    equipment = plans[EQUIPMENT]
    due = (equipment["next_due_on"] < draft.today + dt.timedelta(days=20)).to_numpy()
    late = (equipment["next_due_on"] < draft.today).to_numpy()
    done = due & chance(rng, np.where(late, 0.01, 0.12), equipment.height)
    draft.change(
        EQUIPMENT, done, {"last_maintained_on": draft.today, "next_due_on": draft.today + dt.timedelta(days=365)}
    )


def _coded(draft: Draft, name: str, rows: pl.DataFrame) -> None:
    rng = draft.rng(f"codes {name} {rows.height}")
    draft.append(f"market_supervision.{name}", records.by_code(rng, rows, draft.firms, draft.plans[REGISTER]))


def newcomers(draft: Draft, name: str, count: int, ages: tuple[float, float], male: float) -> pl.DataFrame:
    """People from outside the register who appear today; they are added to the true persons."""
    rows = people.outsiders(draft.seed, name, count, ages, draft.today, male)
    taken = set(draft.people["citizen_no"])
    rows = rows.filter(~pl.col("citizen_no").is_in(list(taken)))
    draft.add_people(rows)
    return rows
