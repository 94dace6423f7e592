"""A city being changed: one day's working copy and the few ways its tables may change.

`days` and the modules beside it say what happens; here is how a row is appended or edited so that `updated_at`,
contract breaks and column types stay in order.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from demo.city import breaks
from demo.city.dirt import DirtRates
from demo.city.draw import Array, Rng, chance, clock_times, day, stream
from demo.city.geography import Geography
from demo.city.state import City

Edit = pl.Expr | pl.Series | str | float | bool | dt.date | None


@dataclass
class Draft:
    """State of the city while day `today` happens."""

    seed: int
    today: dt.date
    rates: DirtRates
    ground: Geography
    people: pl.DataFrame
    firms: pl.DataFrame
    homes: pl.DataFrame
    devices: pl.DataFrame
    places: pl.DataFrame
    broken: list[pl.DataFrame]
    plans: dict[str, pl.DataFrame]

    @classmethod
    def of(cls, city: City) -> Draft:
        """The day after the city's clock."""
        return cls(
            seed=city.seed,
            today=city.clock + dt.timedelta(days=1),
            rates=city.rates,
            ground=city.geography,
            people=city.people,
            firms=city.firms,
            homes=city.homes,
            devices=city.devices,
            places=city.places,
            broken=[city.breaks],
            plans=dict(city.plans),
        )

    def finished(self, city: City) -> City:
        """The city at the end of the day."""
        return replace(
            city,
            clock=self.today,
            people=self.people,
            firms=self.firms,
            homes=self.homes,
            devices=self.devices,
            places=self.places,
            breaks=pl.concat(self.broken),
            plans=self.plans,
        )

    def rng(self, name: str) -> Rng:
        """The day's random stream of that name."""
        return stream(self.seed, name, self.today)

    @property
    def dates(self) -> Array:
        """Today as a one-element array."""
        return np.array([day(self.today)])

    @property
    def locals(self) -> pl.DataFrame:
        """People of the register, dead or alive."""
        return self.people.filter(pl.col("is_local"))

    def append(self, name: str, rows: pl.DataFrame) -> None:
        """Add rows to a table; a few of them break its contract."""
        if rows.height == 0:
            return
        plan = self.plans[name]
        fitted = fit(rows, plan)
        self.plans[name] = pl.concat([plan, fitted])
        self.broken.append(breaks.plant(self.rng(f"breaks {name}"), name, fitted, self.rates.contract_breaks))

    def add_people(self, rows: pl.DataFrame) -> None:
        """Add true persons."""
        self.people = pl.concat([self.people, fit(rows, self.people)])

    def add_firms(self, rows: pl.DataFrame) -> None:
        """Add true enterprises."""
        self.firms = pl.concat([self.firms, fit(rows, self.firms)])

    def change(self, name: str, where: Array | pl.Series, edits: dict[str, Edit], *, touch: bool = True) -> None:
        """Set columns of the rows chosen by `where` (one flag per row); `updated_at` moves for all but a few."""
        chosen = np.asarray(where, dtype=bool)
        if not chosen.any():
            return
        plan = self.plans[name]
        mask = pl.Series(chosen)
        sets = [
            pl.when(mask).then(literal(v)).otherwise(pl.col(c)).cast(plan.schema[c]).alias(c) for c, v in edits.items()
        ]
        if touch and "updated_at" in plan.columns:
            rng = self.rng(f"times {name} {'-'.join(edits)}")
            moved = chosen & ~chance(rng, self.rates.silent_changes, len(chosen))
            times = clock_times(rng, np.repeat(self.dates, len(chosen)))
            sets.append(
                pl.when(pl.Series(moved)).then(pl.Series(times)).otherwise(pl.col("updated_at")).alias("updated_at")
            )
        self.plans[name] = plan.with_columns(sets)

    def change_people(self, where: Array | pl.Series, edits: dict[str, Edit]) -> None:
        """Set columns of true persons."""
        self.people = _set(self.people, where, edits)

    def change_firms(self, where: Array | pl.Series, edits: dict[str, Edit]) -> None:
        """Set columns of true enterprises."""
        self.firms = _set(self.firms, where, edits)


def literal(value: Edit) -> pl.Expr:
    """A value, a column of values or an expression as an expression."""
    return value if isinstance(value, pl.Expr) else pl.lit(value)


def fit(rows: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
    """`rows` with the columns, order and types of `like`; columns it lacks are missing values."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in like.schema.items()
    )


def _set(frame: pl.DataFrame, where: Array | pl.Series, edits: dict[str, Edit]) -> pl.DataFrame:
    mask = pl.Series(np.asarray(where, dtype=bool))
    return frame.with_columns(
        pl.when(mask).then(literal(v)).otherwise(pl.col(c)).cast(frame.schema[c]).alias(c) for c, v in edits.items()
    )


def per_day(yearly: float | Array) -> float | Array:
    """The daily chance of what happens with that chance in a year."""
    return 1 - (1 - yearly) ** (1 / 365)
