"""SQL fragments of a table's columns that several steps of the landing share."""

from __future__ import annotations

from connectors.contract import TableContract
from connectors.contract.ddl import quote, typed_columns

# What the landing keeps in its session while a batch is under way. Gone with the session, whatever ends it.
REJECTS = "landing_rejects"
SET_ASIDE = "landing_set_aside"
REPEATS = "landing_repeats"
PLAN = "landing_plan"
VANISHED = "landing_vanished"
DIFFERENCES = "landing_differences"
UNMATCHED = "landing_unmatched"


_INSTANT = "to_char({} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00:00'"


def stage_name(table: TableContract) -> str:
    """The table a batch is copied into. One per table: the lock lets one loader at a time use it."""
    return f"{table.raw_schema}._stage_{table.name}"


def roll_name(table: TableContract) -> str:
    """The table that lists every good row of a batch of which only what differs from raw is staged."""
    return f"{table.raw_schema}._roll_{table.name}"


def column_list(table: TableContract, alias: str = "") -> str:
    """The columns of a good row, in order."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{quote(name)}" for name, _ in typed_columns(table))


def key_list(table: TableContract, alias: str = "") -> str:
    """The key columns."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{quote(name)}" for name in table.key)


def same_key(table: TableContract, left: str, right: str) -> str:
    """The join condition over the key. Keys are required columns, so plain equality is enough."""
    return " and ".join(f"{left}.{quote(name)} = {right}.{quote(name)}" for name in table.key)


def key_text(table: TableContract, alias: str) -> str:
    """The key as the quarantine writes it: values joined by `|`, each as Polars writes it too, so that keys of refused
    rows, which never reach the database as values, can be compared with those of raw."""
    parts = []
    for name in table.key:
        value = f"{alias}.{quote(name)}"
        is_instant = table.column(name).pg_type == "timestamptz"
        parts.append(_INSTANT.format(value) if is_instant else f"{value}::text")
    return f"concat_ws('|', {', '.join(parts)})"
