"""Incidents of source tables: their owner is told once when one begins, and once when the table is admitted again.

An incident lasts until the table's next admitted batch, whatever it is called on the way. What cannot be delivered is
tried again by the next run, and never breaks one. How a message looks on its way belongs to `orchestration.webhooks`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from connectors.contract import SystemContract
from orchestration.webhooks import Webhook, deliver, find_webhook
from warehouse.database import Database
from warehouse.errors import CityhubError
from warehouse.settings import TIMEZONE, Settings

logger = logging.getLogger(__name__)

# One teller at a time, so that nobody is told twice.
_LOCK = 724_310_121
_REASON_LENGTH = 300
_ADDRESS = re.compile(r"(\w[\w+.-]*://)(?:[^\s/@]*@)?([^\s/;,)]*)[^\s;,)]*")
_STATES = {"held": "暂扣 held", "stale": "未更新 stale"}

_BEGIN = """
insert into ops.incidents (system, table_name, state, batch_id, reason, began_at)
select system, table_name, state, last_batch_id, last_error, state_since
from ops.source_states
where state in ('held', 'stale')
on conflict (system, table_name) where ended_at is null do update set
    state = excluded.state, batch_id = excluded.batch_id, reason = excluded.reason
"""
_END = """
update ops.incidents as i set ended_at = s.state_since
from ops.source_states as s
where s.system = i.system and s.table_name = i.table_name and i.ended_at is null and s.state = 'admitted'
"""
# Of an incident that was over before anybody could be told, only those are told of whom telling was tried.
_DUE = """
select incident_id, system, table_name, state, reason, began_at, ended_at
from ops.incidents
where told_over_at is null
    and (case when ended_at is null then told_at is null else told_at is not null or attempts > 0 end)
order by system, table_name, incident_id
"""


@dataclass(frozen=True)
class Incident:
    """An incident its owner is to be told about: its beginning, or its end."""

    incident_id: int
    system: str
    table: str
    state: str
    reason: str | None
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Told:
    """What came of telling: incidents told, and departments that could not be reached, each with the cause."""

    told: int
    failures: Mapping[str, str]


def tell_incidents(database: Database, settings: Settings, contracts: Mapping[str, SystemContract]) -> Told:
    """Bring the ledger of incidents up to the source states and tell the owners what is due. Never raises."""
    try:
        return _tell(database, settings, contracts)
    except Exception as error:
        # A run must not fail for its messages; texts of database errors may quote values.
        logger.warning("incidents could not be told: %s", type(error).__name__)
        return Told(0, {"": f"unexpected {type(error).__name__}"})


def _tell(database: Database, settings: Settings, contracts: Mapping[str, SystemContract]) -> Told:
    with database.psycopg("pipeline", autocommit=True) as connection:
        row = connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
        if row is None or not row[0]:
            return Told(0, {})
        try:
            return _tell_due(connection, settings, contracts)
        finally:
            # The server sees a closed session only a moment later: the next teller would find the lock taken.
            connection.execute("select pg_advisory_unlock(%s)", [_LOCK])


def _tell_due(connection: psycopg.Connection[Any], settings: Settings, contracts: Mapping[str, SystemContract]) -> Told:
    connection.execute(_BEGIN)
    connection.execute(_END)
    by_department: dict[str, list[Incident]] = {}
    for found in connection.execute(_DUE):
        incident = Incident(*found)
        if incident.system in contracts:
            by_department.setdefault(contracts[incident.system].owner_department, []).append(incident)
    told, failures = 0, {}
    for department, incidents in by_department.items():
        try:
            webhook = find_webhook(settings, department)
            if webhook is None:
                continue
            _deliver(webhook, incidents, contracts)
        except CityhubError as error:
            failures[department] = str(error)
            logger.warning("%s", error)
            _note_failure(connection, incidents, error)
        else:
            told += len(incidents)
            _note_told(connection, incidents)
    return Told(told, failures)


def _deliver(webhook: Webhook, incidents: Sequence[Incident], contracts: Mapping[str, SystemContract]) -> None:
    begun = [incident for incident in incidents if incident.ended_at is None]
    over = [incident for incident in incidents if incident.ended_at is not None]
    parts = [f"{len(begun)} 张表未能接入 / not admitted"] if begun else []
    parts += [f"{len(over)} 张表已恢复 / admitted again"] if over else []
    content = {
        "type": "cityhub.incidents",
        "department": webhook.department,
        "incidents": [_content(incident, contracts) for incident in (*begun, *over)],
    }
    lines = [_line(incident, contracts) for incident in (*begun, *over)]
    deliver(webhook, f"城市数据枢纽 cityhub：{'；'.join(parts)}", lines, content)


def _line(incident: Incident, contracts: Mapping[str, SystemContract]) -> str:
    name = f"{_name(incident, contracts)}（{incident.system}.{incident.table}）"
    since = _local(incident.began_at)
    if incident.ended_at is not None:
        return f"✓ {name} 已恢复：{since} 至 {_local(incident.ended_at)}"
    return f"✗ {name} {_STATES[incident.state]}，自 {since}：{_reason(incident)}"


def _content(incident: Incident, contracts: Mapping[str, SystemContract]) -> dict[str, Any]:
    return {
        "id": incident.incident_id,
        "event": "begun" if incident.ended_at is None else "over",
        "system": incident.system,
        "table": incident.table,
        "name": _name(incident, contracts),
        "state": incident.state,
        "reason": _reason(incident),
        "began_at": incident.began_at.isoformat(),
        "ended_at": None if incident.ended_at is None else incident.ended_at.isoformat(),
    }


def _name(incident: Incident, contracts: Mapping[str, SystemContract]) -> str:
    """The table's Chinese name; one that its contract has lost meanwhile keeps its own."""
    tables = contracts[incident.system].tables
    return next((table.zh for table in tables if table.name == incident.table), incident.table)


def _reason(incident: Incident) -> str:
    """Why, as the ledger has it: without values. Of addresses only the host leaves the house."""
    text = _ADDRESS.sub(r"\1\2", incident.reason or "")
    return text if len(text) <= _REASON_LENGTH else f"{text[:_REASON_LENGTH]}…"


def _local(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(TIMEZONE)).strftime("%m-%d %H:%M")


def _note_told(connection: psycopg.Connection[Any], incidents: Sequence[Incident]) -> None:
    connection.execute(
        "update ops.incidents set told_at = coalesce(told_at, now()), attempts = attempts + 1, last_failure = null,"
        " told_over_at = case when incident_id = any(%s) then now() end where incident_id = any(%s)",
        [
            [incident.incident_id for incident in incidents if incident.ended_at is not None],
            [incident.incident_id for incident in incidents],
        ],
    )


def _note_failure(connection: psycopg.Connection[Any], incidents: Sequence[Incident], error: CityhubError) -> None:
    connection.execute(
        "update ops.incidents set attempts = attempts + 1, last_failure = %s where incident_id = any(%s)",
        [error.what, [incident.incident_id for incident in incidents]],
    )
