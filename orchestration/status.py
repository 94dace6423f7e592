"""The one object that `cityhub status --json` prints. Keys are added, never renamed: other systems read them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from orchestration.hub import hub_contracts, hub_database

SYSTEMS = """
select
    s.system, s.table_name, s.state,
    coalesce(b.read_count, 0) as read, coalesce(b.inserted_count, 0) as inserted,
    coalesce(b.updated_count, 0) as updated, coalesce(b.unchanged_count, 0) as unchanged,
    coalesce(b.deleted_count, 0) as deleted, coalesce(b.quarantined_count, 0) as quarantined,
    s.cursor, s.as_of, s.last_error as reason, s.new_columns, s.swept_on
from ops.source_states as s
left join ops.batches as b on b.batch_id = s.last_batch_id
order by s.system, s.table_name
"""

# The newest result of every check: an admission check by its table, the rest by the last run that had them.
CHECKS = """
with latest as (
    select distinct on (gate, system, table_name, check_name)
        gate, system, table_name, check_name, status
    from quality.check_results
    order by gate, system, table_name, check_name, check_id desc
)
select
    count(*) filter (where status = 'passed') as passed,
    count(*) filter (where status = 'warned') as warned,
    count(*) filter (where status = 'failed') as failed,
    coalesce(
        array_agg(concat_ws(' ', gate, system || '.' || table_name, check_name) order by gate, system, check_name)
        filter (where status = 'failed'), '{}'
    ) as failed_names
from latest
"""

IDENTITY = """
select subject_kind, method, count(*) as records
from shared.subject_records group by subject_kind, method order by subject_kind, method
"""

# Pairs, not records: what two people have still to look at.
IN_REVIEW = """
select subject_kind, count(*) as pairs from identity.review_items
where state in ('open', 'disputed') group by subject_kind
"""

INDICATORS = """
select
    indicator_code as code, dimension, period, numerator, denominator, value, target, score, status
from scorecards.indicator_values
where dimension = 'district' order by indicator_code, period
"""


def status() -> dict[str, Any]:
    """Release, systems, checks, identity and the district's indicators, as plain data."""
    with hub_database().psycopg("pipeline") as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        release = _release(connection)
        return {
            "release": release,
            "systems": _systems(connection),
            "checks": _checks(connection),
            "identity": _identity(connection) if release else {},
            "indicators": _rows(connection, INDICATORS) if release else [],
        }


def _rows(connection: Connection[Any], query: str) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_plain(row) for row in cursor.execute(query).fetchall()]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    # numeric comes as Decimal; a count stays a whole number, a share becomes a float.
    if hasattr(value, "as_integer_ratio") and not isinstance(value, int | float):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _release(connection: Connection[Any]) -> dict[str, Any] | None:
    rows = _rows(
        connection,
        "select r.release_id as id, r.published_at, r.business_date, r.run_id, r.tables"
        " from release.releases as r join release.pointer as p using (release_id)",
    )
    if not rows:
        return None
    row = rows[0]
    row["tables"] = {name: counts["rows"] for name, counts in sorted(row["tables"].items())}
    return row


def _systems(connection: Connection[Any]) -> dict[str, dict[str, dict[str, Any]]]:
    empty = dict.fromkeys(("read", "inserted", "updated", "unchanged", "deleted", "quarantined"), 0)
    never: dict[str, Any] = {
        "state": "never",
        **empty,
        "cursor": None,
        "as_of": None,
        "reason": None,
        "new_columns": [],
    }
    never |= {"swept_on": None, "sweep_due_on": None}
    systems: dict[str, dict[str, dict[str, Any]]] = {
        system: {table.name: dict(never) for table in contract.tables} for system, contract in hub_contracts().items()
    }
    for row in _rows(connection, SYSTEMS):
        system, table = row.pop("system"), row.pop("table_name")
        row["sweep_due_on"] = _sweep_due_on(system, table, row["swept_on"])
        systems.setdefault(system, {})[table] = row
    return systems


def _sweep_due_on(system: str, table_name: str, swept_on: str | None) -> str | None:
    """The first business date on which a run pulls the table whole again; None where it sees every row anyway."""
    contract = hub_contracts().get(system)
    days = next((t.sweep_every_days for t in contract.tables if t.name == table_name), None) if contract else None
    if days is None or swept_on is None:
        return None
    return (date.fromisoformat(swept_on) + timedelta(days=days)).isoformat()


def _checks(connection: Connection[Any]) -> dict[str, Any]:
    row = _rows(connection, CHECKS)[0]
    return {**{name: row[name] for name in ("passed", "warned", "failed")}, "failed_names": row["failed_names"]}


KINDS = {"resident": "residents", "enterprise": "enterprises"}


def _identity(connection: Connection[Any]) -> dict[str, Any]:
    kinds: dict[str, Any] = {}
    in_review = {row["subject_kind"]: row["pairs"] for row in _rows(connection, IN_REVIEW)}
    for row in _rows(connection, IDENTITY):
        kind = kinds.setdefault(
            KINDS[row["subject_kind"]],
            {"records": 0, "subjects": 0, "by_method": {}, "in_review": in_review.get(row["subject_kind"], 0)},
        )
        kind["records"] += row["records"]
        kind["by_method"][row["method"]] = row["records"]
    for kind, counts in kinds.items():
        counts["subjects"] = _rows(connection, f"select count(*) as subjects from shared.{kind}")[0]["subjects"]
    return kinds
