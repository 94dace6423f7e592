"""The truth beside the dirt: which record speaks of which person or firm. Never given to the hub."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from demo.city.tables import TABLES

# table, hidden column that names the subject, role, column that must hold something for the record to speak of anybody
PERSONS = [
    ("civil_affairs.residents", "_person", "resident", None),
    ("market_supervision.enterprises", "_representative", "legal_representative", "legal_rep_name"),
    ("urban_management.cases", "_reporter", "reporter", "reporter_name"),
    ("care_homes.stays", "_person", "elder", None),
    ("care_homes.staff", "_person", "staff", None),
]
ENTERPRISES = [
    ("market_supervision.enterprises", "_firm", "register", None),
    ("urban_management.sites", "_manager", "property", "property_uscc"),
    ("urban_management.cases", "_party", "party", "party_name"),
    ("care_homes.institutions", "_firm", "operator", None),
]


def persons(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row per record that speaks of a person: system, table, key, role, true_id."""
    return _records(tables, PERSONS)


def enterprises(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row per record that speaks of an enterprise: system, table, key, role, true_id."""
    return _records(tables, ENTERPRISES)


def _records(tables: Mapping[str, pl.DataFrame], sources: list[tuple[str, str, str, str | None]]) -> pl.DataFrame:
    parts = []
    for name, subject, role, holds in sources:
        table = TABLES[name]
        rows = tables[name].filter(pl.col(subject).is_not_null())
        if holds is not None:
            rows = rows.filter(pl.col(holds).is_not_null())
        parts.append(
            rows.select(
                system=pl.lit(table.system),
                table=pl.lit(table.name),
                key=row_key(table.key),
                role=pl.lit(role),
                true_id=pl.col(subject),
            )
        )
    return pl.concat(parts)


def row_key(key: tuple[str, ...]) -> pl.Expr:
    """The key values joined by `|`."""
    return pl.concat_str([pl.col(column).cast(pl.String) for column in key], separator="|")
