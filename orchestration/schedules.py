"""The jobs and when they run."""

from __future__ import annotations

import dagster as dg

from orchestration.hub import hub_contracts
from orchestration.raw_assets import raw_asset_key
from warehouse.settings import TIMEZONE

# Sources whose cases and alarms leadership watches during the day.
HOURLY = {"urban_management": None, "care_homes": ("device_alarms",)}

# One process, one step at a time: the machine has two cores, dbt takes its threads itself, and a second
# writer would only wait for the first one's locks.
EXECUTOR = dg.in_process_executor


def build_jobs() -> dict[str, dg.UnresolvedAssetJobDefinition]:
    """`daily` takes the whole road; `hourly` and `drops` pull what changes by the hour, or came as files."""
    hourly = [
        raw_asset_key(table)
        for system, wanted in HOURLY.items()
        if system in hub_contracts()
        for table in hub_contracts()[system].tables
        if wanted is None or table.name in wanted
    ]
    everything = dg.AssetSelection.all()
    raw = dg.AssetSelection.groups(*hub_contracts())
    delivered = [
        raw_asset_key(table)
        for contract in hub_contracts().values()
        if contract.transport == "files"
        for table in contract.tables
    ]
    return {
        "daily": dg.define_asset_job(
            "daily", selection=everything, executor_def=EXECUTOR, description="Pull, join, score and release everything"
        ),
        "hourly": dg.define_asset_job(
            "hourly",
            selection=(everything - raw) | dg.AssetSelection.assets(*hourly),
            executor_def=EXECUTOR,
            description="Pull urban management and alarms, then join, score and release",
        ),
        "drops": dg.define_asset_job(
            "drops",
            selection=(everything - raw) | dg.AssetSelection.assets(*delivered),
            executor_def=EXECUTOR,
            description="Take delivered files, then join, score and release",
        ),
    }


def build_schedules(jobs: dict[str, dg.UnresolvedAssetJobDefinition]) -> list[dg.ScheduleDefinition]:
    """Daily at 02:00 and hourly at five past, in Shanghai. Both start switched off: a person turns them on."""
    return [
        dg.ScheduleDefinition("daily_0200", job=jobs["daily"], cron_schedule="0 2 * * *", execution_timezone=TIMEZONE),
        dg.ScheduleDefinition("hourly", job=jobs["hourly"], cron_schedule="5 * * * *", execution_timezone=TIMEZONE),
    ]
