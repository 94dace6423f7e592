"""Starts a run when a complete drop arrives. What a complete drop is, and which are taken, the landing knows."""

from __future__ import annotations

import json
from typing import Any

import dagster as dg

from connectors.landing.waiting import waiting_drops
from orchestration.hub import hub_contracts, hub_database, hub_settings
from warehouse.errors import CityhubError

# A listing of the folders per system and look.
INTERVAL_SECONDS = 60


def build_sensors(jobs: dict[str, dg.UnresolvedAssetJobDefinition]) -> list[dg.SensorDefinition]:
    """`new_drop`. Starts switched off, as the schedules do: a person turns it on."""

    @dg.sensor(
        name="new_drop",
        job=jobs["drops"],
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="Starts a run when a complete drop arrives that was not taken; each delivery once",
    )
    def new_drop(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return look(context.cursor)

    return [new_drop]


def look(cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    """One look at all drop folders.

    The cursor holds, by system, the newest drop seen and the key of the deliveries a run was started for. A delivery
    that was held is not tried again until it is delivered anew.
    """
    seen: dict[str, Any] = json.loads(cursor) if cursor else {}
    arrived: list[str] = []
    notes: list[str] = []
    for system, contract in hub_contracts().items():
        if contract.transport != "files" or hub_settings().source_url(system) is None:
            continue
        try:
            waiting = waiting_drops(hub_database(), hub_settings(), contract)
        except CityhubError as error:
            # One folder out of reach must not hide what arrived in another.
            notes.append(str(error))
            continue
        if waiting is None:
            notes.append(f"{system}: every drop is taken")
        elif waiting.key == seen.get(system, {}).get("key"):
            notes.append(f"{system}: a run was started for what lies there")
        else:
            newest = waiting.newest.isoformat() if waiting.newest else seen.get(system, {}).get("newest")
            seen[system] = {"newest": newest, "key": waiting.key}
            arrived.append(system)
    if not arrived:
        return dg.SkipReason("; ".join(notes) or "no source delivers files here")
    keys = [f"{system} {seen[system]['newest'] or '-'} {seen[system]['key']}" for system in arrived]
    # One run takes what arrived everywhere: two at once would only wait for each other.
    request = dg.RunRequest(run_key="; ".join(keys), tags={"cityhub/drops": ",".join(arrived)})
    return dg.SensorResult(run_requests=[request], cursor=json.dumps(seen, sort_keys=True))
