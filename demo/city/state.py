"""A city at one instant: what is true, what the systems hold, and how both are kept between two days."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from demo.city import findings, geography, truth, views
from demo.city.dirt import DirtRates
from demo.city.tables import TABLES

FRAMES = ("people", "firms", "homes", "devices", "places", "breaks")


@dataclass(frozen=True)
class City:
    """The synthetic district.

    Attributes:
        people, firms, homes, devices, places: true state (places: true sites).
        plans: per `system.table` what the system holds and will hold, hidden columns included.
        breaks: rows that break their contract (see `breaks`).
        clock: the last day that has happened.
    """

    seed: int
    residents: int
    clock: dt.date
    rates: DirtRates
    people: pl.DataFrame = field(repr=False)
    firms: pl.DataFrame = field(repr=False)
    homes: pl.DataFrame = field(repr=False)
    devices: pl.DataFrame = field(repr=False)
    places: pl.DataFrame = field(repr=False)
    breaks: pl.DataFrame = field(repr=False)
    plans: dict[str, pl.DataFrame] = field(repr=False)

    @cached_property
    def geography(self) -> geography.Geography:
        """Towns and estates; the same for every day of the city."""
        return geography.build(self.seed, self.residents)

    @cached_property
    def shown(self) -> dict[str, pl.DataFrame]:
        """What each system shows now, per `system.table`, hidden columns included."""
        stays = self.plans["care_homes.stays"]
        return {name: views.visible(name, plan, self.clock, stays=stays) for name, plan in self.plans.items()}

    def held(self, name: str) -> pl.DataFrame:
        """What a system holds of `name` (`system.table`) now: the source's columns only, contract breaks aside."""
        return self.shown[name].select(list(TABLES[name].columns))

    def truth(self) -> dict[str, pl.DataFrame]:
        """The truth tables `persons`, `enterprises`, `findings` and `breaks`."""
        return {
            "persons": truth.persons(self.shown),
            "enterprises": truth.enterprises(self.shown),
            "findings": findings.evaluate(self.clock, self.people, self.firms, self.shown),
            "breaks": self.breaks,
        }

    def save(self, folder: Path) -> None:
        """Keep the whole state as Parquet files in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in FRAMES:
            _write(getattr(self, name), folder / f"{name}.parquet")
        for name, plan in self.plans.items():
            _write(plan, folder / f"{name}.parquet")

    def facts(self) -> dict[str, Any]:
        """What `load` needs beside the frames."""
        return {
            "seed": self.seed,
            "residents": self.residents,
            "clock": self.clock.isoformat(),
            "rates": asdict(self.rates),
        }


def load(folder: Path, facts: dict[str, Any]) -> City:
    """The city kept in `folder`."""
    frames = {name: pl.read_parquet(folder / f"{name}.parquet") for name in FRAMES}
    return City(
        seed=facts["seed"],
        residents=facts["residents"],
        clock=dt.date.fromisoformat(facts["clock"]),
        rates=DirtRates(**facts["rates"]),
        plans={name: pl.read_parquet(folder / f"{name}.parquet") for name in TABLES},
        **frames,
    )


def _write(frame: pl.DataFrame, path: Path) -> None:
    partial = path.with_suffix(".partial")
    frame.write_parquet(partial, compression="lz4", statistics=False)
    partial.replace(path)
