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
    ("market_supervision.enterprises", "_firm", "registered", None),
    ("urban_management.sites", "_manager", "property_company", "property_uscc"),
    ("urban_management.cases", "_party", "party", "party_name"),
    ("care_homes.institutions", "_firm", "care_home_operator", None),
]
# A market fact speaks of a firm by itself only where no register row carries its code.
FACTS = {
    "licences": "licence_holder",
    "inspections": "inspected",
    "penalties": "penalised",
    "special_equipment": "equipment_user",
    "lifecycle_notices": "notified",
}


def persons(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row per record that speaks of a person: system, table, key, role, true_id."""
    return _records(tables, PERSONS)


def enterprises(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row per record that speaks of an enterprise: system, table, key, role, true_id."""
    return pl.concat([_records(tables, ENTERPRISES), _stray_facts(tables)])


def _stray_facts(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    known = tables["market_supervision.enterprises"]["uscc"].to_list()
    stray = {f"market_supervision.{name}": tables[f"market_supervision.{name}"] for name in FACTS}
    stray = {name: rows.filter(~pl.col("uscc").is_in(known)) for name, rows in stray.items()}
    return _records(stray, [(f"market_supervision.{name}", "_firm", role, None) for name, role in FACTS.items()])


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
