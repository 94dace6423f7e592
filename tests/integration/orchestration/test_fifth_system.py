"""docs/tutorial/add-a-fifth-system.md, followed: its files and commands as they stand on the page, no Python added."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from psycopg import conninfo
from sqlalchemy import URL
from typer.testing import CliRunner

from connectors.contract import load_contracts
from orchestration import hub, raw_assets
from orchestration.cli.main import app
from orchestration.run_config import HubConfig
from tests.fifth_system import BLOCKS, COMMANDS
from tests.fifth_system import checkout as files_of_the_page
from warehouse.database import Database
from warehouse.paths import PROJECT_ROOT
from warehouse.settings import get_settings

KEY = dg.AssetKey(["raw_fire_inspections", "inspections"])


@pytest.fixture
def checkout(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A reader's directory after steps 1, 2 and 4: the drop, the contract beside the other four, the address."""
    found = files_of_the_page(tmp_path)
    parts = {name: str(value) for name, value in conninfo.conninfo_to_dict(database.conninfo).items()}
    query = {name: value for name, value in parts.items() if name in ("host", "port", "user")}
    url = URL.create("postgresql", database=parts["dbname"], query=query)
    for name, value in {
        "CITYHUB_DATABASE_URL": url.render_as_string(hide_password=False),
        **found,
        "CITYHUB_HOME": str(tmp_path / "home"),
        "DBT_TARGET_PATH": "",
        "DBT_LOG_PATH": str(tmp_path / "home" / "logs"),
        "PYTHONPATH": str(PROJECT_ROOT),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    caches = (get_settings, hub.hub_database, hub.hub_contracts, raw_assets.admission_gate)
    for cached in caches:
        cached.cache_clear()
    yield tmp_path
    hub.hub_database().dispose()
    for cached in caches:
        cached.cache_clear()
    # Made while these contracts were in force.
    sys.modules.pop("orchestration.definitions", None)


def follow(command: str, *more: str) -> str:
    """A command of the page; it must succeed."""
    assert command in COMMANDS
    program, *arguments = command.split()
    if program == "cityhub":
        told = CliRunner().invoke(app, [*arguments, *more], catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return told.output
    done = subprocess.run([sys.executable, *arguments, *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tutorial_adds_a_system_with_one_yaml_file(checkout: Path) -> None:
    checked = follow("cityhub contract check connectors/contracts/fire_inspections.yaml")
    assert "fire_inspections.yaml  1.0.0  1 tables" in checked.replace("\n", "")
    assert "contact_phone" in follow("cityhub contract show fire_inspections.inspections")
    shown = json.loads(follow("cityhub contract show fire_inspections.inspections", "--json"))
    assert (shown["tables"][0]["zh"], shown["tables"][0]["columns"][-1]["mask"]) == ("消防检查记录", "phone")
    assert "ok" in follow("cityhub source check fire_inspections")

    # On the page these two write the project's own files.
    follow("python -m connectors.sources_yaml", "sources.yml")
    assert "raw_fire_inspections" in (checkout / "sources.yml").read_text("utf-8")
    follow("python -m connectors.data_dictionary", "dictionary.md")
    assert "`raw_fire_inspections.inspections`" in (checkout / "dictionary.md").read_text("utf-8")

    from orchestration.definitions import build_definitions

    definitions = build_definitions()
    graph = definitions.resolve_asset_graph()
    assert graph.get(KEY).group_name == "fire_inspections"
    assert dg.AssetCheckKey(KEY, raw_assets.GATE) in graph.asset_check_keys
    assert KEY in definitions.resolve_job_def("daily").asset_layer.executable_asset_keys
    assert graph.get(KEY).owners == ["team:fire_brigade"]

    # `cityhub run` takes this step for every table; the whole run beside the demo's four systems is in tests/e2e.
    table = load_contracts(checkout / "connectors" / "contracts")["fire_inspections"].tables[0]
    asset = raw_assets.build_raw_asset(hub.hub_contracts()["fire_inspections"], table)
    pulled = dg.materialize([asset], resources={"hub": HubConfig()})
    assert [check.passed for check in pulled.get_asset_check_evaluations()] == [True, True]

    status = json.loads(follow("cityhub status", "--json"))
    state = status["systems"]["fire_inspections"]["inspections"]
    assert (state["state"], state["read"], state["inserted"], state["quarantined"]) == ("admitted", 4, 3, 1)
    assert set(status["systems"]) == {*load_contracts(), "fire_inspections"}
    rejected = follow("cityhub quarantine list --system fire_inspections", "--json")
    for rule in ("enum(result)", "range(hazard_count)", "XF2026-0004"):
        assert rule in rejected
    assert "13900000004" not in rejected + json.dumps(status)


def test_the_page_asks_for_no_python() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "csv", "yaml", "console"}
    assert {command.split()[0] for command in COMMANDS} == {"cityhub", "python", "export"}
    assert {command for command in COMMANDS if command.startswith("python")} == {
        "python -m connectors.sources_yaml",
        "python -m connectors.data_dictionary",
    }
