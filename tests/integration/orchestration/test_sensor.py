"""The sensor `new_drop` over a real folder and a real warehouse: each delivery starts one run, none is missed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from connectors.contract import SystemContract, load_contracts
from connectors.landing import GateResult, land_table
from orchestration import sensors
from warehouse.database import Database
from warehouse.settings import get_settings

TABLES = ("beds", "device_uptime")


@pytest.fixture
def homes(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SystemContract:
    """Care homes with one snapshot and one append table, delivered into an empty folder."""
    whole = load_contracts()["care_homes"]
    contract = dataclasses.replace(whole, tables=tuple(whole.table(name) for name in TABLES))
    monkeypatch.setenv("CITYHUB_SOURCE_CARE_HOMES_URL", str(tmp_path))
    monkeypatch.setattr(sensors, "hub_contracts", lambda: {"care_homes": contract})
    monkeypatch.setattr(sensors, "hub_database", lambda: database)
    return contract


@pytest.fixture
def new_drop() -> dg.SensorDefinition:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def drops() -> None:
        nothing()

    [sensor] = sensors.build_sensors({"drops": drops})  # type: ignore[dict-item]
    return sensor


def deliver(root: Path, contract: SystemContract, day: str, number: int = 1, *, manifest: bool = True) -> None:
    folder = root / day
    folder.mkdir(exist_ok=True)
    files = {}
    for table in contract.tables:
        row: dict[str, Any] = {column.name: None for column in table.columns}
        row |= dict.fromkeys(table.key, f"N{number}")
        text = ",".join(row) + "\n" + ",".join(str(value or "") for value in row.values()) + "\n"
        content = text.encode() if table.source_format == "csv" else (json.dumps(row) + "\n").encode()
        (folder / table.source_name).write_bytes(content)
        files[table.source_name] = {"rows": 1, "sha256": hashlib.sha256(content).hexdigest()}
    if manifest:
        (folder / "_manifest.json").write_text(json.dumps({"files": files}))


def look(sensor: dg.SensorDefinition, cursor: str | None) -> tuple[list[str], str | None, str | None]:
    """Run keys asked for, the next cursor, and why nothing was asked for."""
    with dg.build_sensor_context(dg.DagsterInstance.ephemeral(), cursor=cursor) as context:
        data = sensor.evaluate_tick(context)
    return [str(request.run_key) for request in data.run_requests or []], data.cursor or cursor, data.skip_message


def take(database: Database, contract: SystemContract) -> None:
    for table in contract.tables:
        land_table(database, get_settings(), contract, table, run_id="run", gate=lambda request: GateResult(True))


def test_each_delivery_starts_one_run(
    database: Database, homes: SystemContract, new_drop: dg.SensorDefinition, tmp_path: Path
) -> None:
    keys, cursor, why = look(new_drop, None)
    assert (keys, why) == ([], "care_homes: every drop is taken")
    deliver(tmp_path, homes, "2026-06-29", manifest=False)
    assert look(new_drop, cursor)[0] == []

    deliver(tmp_path, homes, "2026-06-29")
    keys, cursor, _ = look(new_drop, cursor)
    assert len(keys) == 1
    assert keys[0].startswith("care_homes 2026-06-29 ")
    assert json.loads(cursor or "")["care_homes"]["newest"] == "2026-06-29"
    again, cursor, why = look(new_drop, cursor)
    assert (again, why) == ([], "care_homes: a run was started for what lies there")
    # Delivered anew before it was taken: other bytes, another run.
    deliver(tmp_path, homes, "2026-06-29", number=2)
    anew, cursor, _ = look(new_drop, cursor)
    assert len(anew) == 1
    assert anew != keys

    take(database, homes)
    assert look(new_drop, cursor)[2] == "care_homes: every drop is taken"
    deliver(tmp_path, homes, "2026-06-30")
    assert look(new_drop, cursor)[0][0].startswith("care_homes 2026-06-30 ")


def test_late_drop_starts_a_run(
    database: Database, homes: SystemContract, new_drop: dg.SensorDefinition, tmp_path: Path
) -> None:
    deliver(tmp_path, homes, "2026-06-30")
    _, cursor, _ = look(new_drop, None)
    take(database, homes)
    deliver(tmp_path, homes, "2026-06-28")
    keys, cursor, _ = look(new_drop, cursor)
    assert len(keys) == 1
    take(database, homes)
    assert look(new_drop, cursor)[2] == "care_homes: every drop is taken"


def test_folder_out_of_reach_is_said(
    homes: SystemContract, new_drop: dg.SensorDefinition, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CITYHUB_SOURCE_CARE_HOMES_URL", str(tmp_path / "nowhere"))
    keys, _, why = look(new_drop, None)
    assert keys == []
    assert "The drop folder does not exist." in (why or "")
