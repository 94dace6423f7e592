"""The graph that Dagster shows: every source table, every model, the gates as checks, the schedules."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from connectors.contract import load_contracts
from expectations.admission import KNOWN_COLUMNS
from orchestration import hub, raw_assets
from orchestration.run_config import HubConfig
from sharing.release import RELEASED_TABLES
from warehouse.settings import get_settings

# One worker loads Dagster and parses the dbt project for all of them.
pytestmark = pytest.mark.xdist_group("definitions")


@pytest.fixture(scope="module")
def definitions(postgres_home: Path, postgres_admin: str) -> Iterator[dg.Definitions]:
    """The code location as `dagster dev` loads it, in the session's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CITYHUB_HOME", str(postgres_home))
        patch.setenv("CITYHUB_TOKEN_KEY", "a key for tests, long enough")
        patch.setenv("DBT_TARGET_PATH", "")
        get_settings.cache_clear()
        hub.hub_database.cache_clear()
        from orchestration.definitions import build_definitions

        yield build_definitions()
        hub.hub_database().dispose()
        hub.hub_database.cache_clear()
        get_settings.cache_clear()


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> dg.AssetGraph:
    return definitions.resolve_asset_graph()


def test_every_source_table_is_an_asset_of_its_system_with_its_gate(graph: dg.AssetGraph) -> None:
    for system, contract in load_contracts().items():
        for table in contract.tables:
            key = raw_assets.raw_asset_key(table)
            assert graph.get(key).group_name == system
            assert dg.AssetCheckKey(key, "admission_gate") in graph.asset_check_keys


def test_every_released_table_is_upstream_of_the_release_and_its_gate_blocks(graph: dg.AssetGraph) -> None:
    release = graph.get(dg.AssetKey(["release", "current"]))
    assert release.parent_keys == {dg.AssetKey([table.built_schema, table.name]) for table in RELEASED_TABLES}
    gate = graph.get(dg.AssetCheckKey(release.key, "release_gate"))
    assert gate.blocking


def test_identity_stands_between_the_records_and_the_subjects(graph: dg.AssetGraph) -> None:
    links = graph.get(dg.AssetKey(["identity", "current_links"]))
    assert {key.path[-1] for key in links.parent_keys} == {"int_person_records", "int_enterprise_records"}
    behind = graph.get_ancestor_asset_keys(dg.AssetKey(["subjects", "residents"]))
    assert links.key in behind
    assert dg.AssetKey(["raw_civil_affairs", "residents"]) in behind


def test_layers_are_groups(graph: dg.AssetGraph) -> None:
    groups = {graph.get(key).group_name for key in graph.materializable_asset_keys}
    assert groups >= {*load_contracts(), "staging", "identity", "subjects", "scenarios", "scoring", "release"}


def test_schedules_are_in_shanghai(definitions: dg.Definitions) -> None:
    schedules = {schedule.name: schedule for schedule in definitions.schedules or []}
    assert schedules["daily_0200"].cron_schedule == "0 2 * * *"
    assert {schedule.execution_timezone for schedule in schedules.values()} == {"Asia/Shanghai"}
    repository = definitions.get_repository_def()
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(
            instance, scheduled_execution_time=datetime(2026, 6, 30, 2, tzinfo=ZoneInfo("Asia/Shanghai"))
        )
        for name in schedules:
            assert repository.get_schedule_def(name).evaluate_tick(context).run_requests


def test_the_hourly_job_pulls_urban_management_and_alarms_only(definitions: dg.Definitions) -> None:
    keys = definitions.resolve_job_def("hourly").asset_layer.executable_asset_keys
    pulled = {key.path[0] + "." + key.path[1] for key in keys if key.path[0].startswith("raw_")}
    urban = {f"raw_urban_management.{table.name}" for table in load_contracts()["urban_management"].tables}
    assert pulled == urban | {"raw_care_homes.device_alarms"}
    assert dg.AssetKey(["release", "current"]) in keys


def pull_civil_affairs(
    url: str, monkeypatch: pytest.MonkeyPatch, **told: Any
) -> tuple[dg.ExecuteInProcessResult, list[str]]:
    """Materialise civil affairs' first table from `url`; the result and the state of every batch it tried."""
    monkeypatch.setenv("CITYHUB_SOURCE_CIVIL_AFFAIRS_URL", url)
    monkeypatch.setattr(raw_assets, "RETRY_SECONDS", 0)
    contract = load_contracts()["civil_affairs"]
    assets = [raw_assets.build_raw_asset(contract, contract.tables[0])]
    result = dg.materialize(assets, resources={"hub": HubConfig(**told)}, raise_on_error=False)
    with hub.hub_database().psycopg("pipeline") as connection:
        rows = connection.execute(
            "select state from ops.batches where run_id = %s order by batch_id", [result.run_id]
        ).fetchall()
    return result, [state for (state,) in rows]


@pytest.mark.usefixtures("definitions")
def test_a_column_beyond_the_contract_is_a_warning_until_it_is_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = ", ".join(load_contracts()["civil_affairs"].tables[0].column_names)

    def pulled() -> tuple[bool, list[tuple[str, float]]]:
        result, _ = pull_civil_affairs(f"sqlite:///{tmp_path / 'city.sqlite'}", monkeypatch)
        (check,) = (c for c in result.get_asset_check_evaluations() if c.check_name == KNOWN_COLUMNS)
        assert check.severity == dg.AssetCheckSeverity.WARN
        assert check.passed or "nickname" in (check.description or "")
        with hub.hub_database().psycopg("reader") as connection:
            rows = connection.execute(
                "select status, observed from quality.check_results where run_id = %s and check_name = %s",
                [result.run_id, KNOWN_COLUMNS],
            ).fetchall()
        return check.passed, rows

    with sqlite3.connect(tmp_path / "city.sqlite") as source:
        source.execute(f"create table residents ({names}, nickname)")
    assert pulled() == (False, [("warned", 1.0)])
    with sqlite3.connect(tmp_path / "city.sqlite") as source:
        source.execute("alter table residents drop column nickname")
    assert pulled() == (True, [("passed", 0.0)])
    # Nothing new to tell.
    assert pulled() == (True, [])


@pytest.mark.usefixtures("definitions")
def test_a_sweep_asked_for_may_lose_rows_only_by_leave(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'city.sqlite'}"
    with sqlite3.connect(tmp_path / "city.sqlite") as source:
        source.execute(
            f"create table residents ({', '.join(load_contracts()['civil_affairs'].tables[0].column_names)})"
        )
        people = [(f"P{n}", "甲", "2026-06-30 08:00:00") for n in range(20)]
        source.executemany("insert into residents (person_no, name, updated_at) values (?, ?, ?)", people)
    assert pull_civil_affairs(url, monkeypatch, sweep="all")[1] == ["admitted"]
    with sqlite3.connect(tmp_path / "city.sqlite") as source:
        source.execute("delete from residents where person_no <> 'P7'")
    assert pull_civil_affairs(url, monkeypatch, sweep="none")[1] == ["admitted"]
    assert pull_civil_affairs(url, monkeypatch, sweep="all")[1] == ["held"]
    leave = {"allow_shrink": ["civil_affairs.residents"], "allowed_by": "王主任", "why": "a town left the district"}
    result, states = pull_civil_affairs(url, monkeypatch, sweep="all", **leave)
    assert states == ["admitted"]
    with hub.hub_database().psycopg("reader") as connection:
        kept = connection.execute(
            "select gone_count, before_count, allowed_by, why from quality.allowances inner join quality.batches"
            " using (batch_id) where run_id = %s",
            [result.run_id],
        ).fetchall()
    assert kept == [(19, 20, "王主任", "a town left the district")]


@pytest.mark.usefixtures("definitions")
def test_only_a_transient_failure_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent, tried = pull_civil_affairs("postgresql+psycopg://hub@127.0.0.1:9/nobody", monkeypatch)
    assert tried == ["failed"] * (1 + raw_assets.MAX_RETRIES)

    with sqlite3.connect(tmp_path / "city.sqlite") as source:
        source.execute("create table residents (person_number text)")
    renamed, held = pull_civil_affairs(f"sqlite:///{tmp_path / 'city.sqlite'}", monkeypatch)
    assert held == ["held"]

    for result in (silent, renamed):
        # The other systems go on: the step succeeds and its check tells what happened.
        assert result.success
        (check,) = (c for c in result.get_asset_check_evaluations() if c.check_name == raw_assets.GATE)
        assert not check.passed
        assert check.severity == dg.AssetCheckSeverity.WARN
