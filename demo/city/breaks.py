"""Rows that break their contract: an unknown code, an impossible date, a required value missing.

They are kept beside the tables as (table, key, column, value as text) and put in when a system's store is written,
because a typed frame cannot hold the thirtieth of February.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.city.draw import Rng, chance
from demo.city.tables import TABLES
from demo.city.truth import row_key

SCHEMA = {"table": pl.String, "key": pl.String, "column": pl.String, "value": pl.String}
# Postgres refuses impossible dates itself, so civil affairs breaks codes and required values only; urban management
# too, so that the same city fits a typed MariaDB.
KINDS: dict[str, list[tuple[str, str | None]]] = {
    "civil_affairs.residents": [("sex", "未知"), ("name", None)],
    "civil_affairs.benefits": [("kind", "temporary")],
    "market_supervision.enterprises": [
        ("kind", "外国企业常驻代表机构"),
        ("name", None),
        ("established_on", "2021-02-30"),
    ],
    "market_supervision.licences": [("valid_until", "2027-13-01"), ("status", "注销")],
    "market_supervision.inspections": [("inspected_on", "2025-02-30")],
    "market_supervision.penalties": [("amount_cny", "-500.0")],
    "market_supervision.lifecycle_notices": [("double", "other")],
    "urban_management.cases": [("channel", "wechat"), ("scenario_code", None)],
    "urban_management.case_steps": [("actor_kind", "robot")],
    "urban_management.waste_weighings": [("wet_kg", "-12.5")],
    "care_homes.stays": [("admitted_on", "2026-02-30"), ("care_level", "9")],
    "care_homes.staff": [("role", "洗衣工")],
    "care_homes.device_alarms": [("kind", "flood"), ("raised_at", "2026-06-31T08:00:00+08:00")],
    "care_homes.device_uptime": [("hours_online", "31.5")],
}
# One broken row in a thousand of these, but one in five thousand of the large measured tables.
LARGE = {"urban_management.case_steps", "urban_management.waste_weighings", "care_homes.device_uptime"}


def none() -> pl.DataFrame:
    """No broken rows."""
    return pl.DataFrame(schema=SCHEMA)


def plant(rng: Rng, name: str, rows: pl.DataFrame, rate: float) -> pl.DataFrame:
    """Breaks for a share `rate` of `rows` of table `name`."""
    kinds = KINDS.get(name)
    if not kinds:
        return none()
    chosen = np.flatnonzero(chance(rng, rate / 5 if name in LARGE else rate, rows.height))
    which = rng.integers(0, len(kinds), len(chosen))
    keys = rows[chosen].select(row_key(TABLES[name].key)).to_series()
    return pl.DataFrame(
        {
            "table": [name] * len(chosen),
            "key": keys,
            "column": [kinds[i][0] for i in which],
            "value": [kinds[i][1] for i in which],
        },
        schema=SCHEMA,
    )
