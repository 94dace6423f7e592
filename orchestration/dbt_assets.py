"""dbt as Dagster assets, in two steps with identity between them, and dbt's results in the quality ledger.

`records`   staging and the records that speak of persons and firms (tag phase_records)
`subjects`  everything after identity: subjects, scenarios, indicators, scorecards

The manifest is parsed once per state of the project, never at import. When nothing that the tables depend on has
changed, `records` yields nothing and everything behind it is skipped (law 6).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets

from orchestration.hub import default_business_date, hub_contracts, hub_database
from orchestration.ledger import (
    code_version,
    fingerprint,
    finish_run,
    record_inputs,
    released_fingerprint,
    run_row,
    start_run,
)
from orchestration.progress import reporter
from warehouse.database import Database
from warehouse.errors import PermanentError
from warehouse.paths import DBT_PROJECT_DIR

RECORDS = "tag:phase_records"
DBT = str(Path(sys.executable).with_name("dbt"))
# Parsing needs a profile but no server.
_PARSE_ENV = {"CITYHUB_PG_HOST": "localhost", "CITYHUB_PG_USER": "nobody", "CITYHUB_PG_DBNAME": "none"}
_STATUS = {"pass": "passed", "success": "passed", "warn": "warned"}


class HubConfig(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What a run may be given.

    Attributes:
        business_date: the day the scorecards speak of, YYYY-MM-DD; empty: see `default_business_date`.
    """

    business_date: str = ""


@lru_cache(maxsize=1)
def dbt_project() -> DbtProject:
    """The dbt project with a manifest that is true to its files."""
    project = DbtProject(DBT_PROJECT_DIR, profiles_dir=DBT_PROJECT_DIR)
    stamp = DBT_PROJECT_DIR / "target" / ".parsed"
    if not (stamp.exists() and project.manifest_path.exists() and stamp.read_text() == code_version()):
        parse_manifest()
        stamp.write_text(code_version())
    return project


def parse_manifest() -> None:
    """Run `dbt parse`.

    Raises:
        PermanentError: the project does not parse.
    """
    command = [DBT, "--quiet", "parse", "--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)]
    done = subprocess.run(command, env={**os.environ, **_PARSE_ENV}, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise PermanentError(
            "The dbt project does not parse.",
            where=str(DBT_PROJECT_DIR),
            expected="a project that `dbt parse` accepts",
            do="correct what dbt says: " + done.stdout.strip()[-600:],
        )


class Translator(DagsterDbtTranslator):
    """Groups by layer; descriptions as written in the project."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        schema: str = dbt_resource_props["config"].get("schema") or dbt_resource_props["schema"]
        return "seeds" if dbt_resource_props["resource_type"] == "seed" else schema

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        description: str = dbt_resource_props.get("description", "")
        return description


def build_dbt_assets() -> list[dg.AssetsDefinition]:
    """The two dbt steps."""
    project = dbt_project()
    translator = Translator()

    @dbt_assets(manifest=project.manifest_path, select=RECORDS, name="records", dagster_dbt_translator=translator)
    def records(context: dg.AssetExecutionContext, dbt: DbtCliResource, hub: HubConfig) -> Iterator[Any]:
        database = hub_database()
        start_run(database, context.run_id)
        business_date = hub.business_date or default_business_date().isoformat()
        inputs = fingerprint(database, _date(business_date))
        record_inputs(database, context.run_id, _date(business_date), inputs)
        if inputs == released_fingerprint(database):
            context.log.info("Nothing that the tables depend on has changed since the current release.")
            finish_run(database, context.run_id, "unchanged")
            return
        yield from _build(context, dbt, business_date, "records")

    @dbt_assets(manifest=project.manifest_path, exclude=RECORDS, name="subjects", dagster_dbt_translator=translator)
    def subjects(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        business_date = run_row(hub_database(), context.run_id)["business_date"].isoformat()
        yield from _build(context, dbt, business_date, "subjects")

    return [records, subjects]


def _date(text: str) -> Any:
    from datetime import date

    return date.fromisoformat(text)


def _build(context: dg.AssetExecutionContext, dbt: DbtCliResource, business_date: str, stage: str) -> Iterator[Any]:
    database = hub_database()
    os.environ.update(database.dbt_env())
    arguments = [
        "build", "--exclude-resource-type", "unit_test", "--vars", json.dumps({"business_date": business_date}),
    ]  # fmt: skip
    reporter().begin(stage, len(context.selected_output_names) + len(context.selected_asset_check_keys))
    invocation = dbt.cli(arguments, context=context, raise_on_error=False)
    for event in invocation.stream():
        reporter().step(stage, "")
        yield event
    reporter().end(stage)
    failed = record_results(database, context.run_id, invocation.get_artifact("run_results.json"))
    if failed or not invocation.is_successful():
        finish_run(database, context.run_id, "refused")
        raise dg.Failure(
            f"dbt refuses {', '.join(failed) or 'to build'}: nothing is released. "
            "`cityhub status` lists failed checks; the run's log has dbt's own words.",
            allow_retries=False,
        )


def record_results(database: Database, run_id: str, run_results: Mapping[str, Any]) -> list[str]:
    """Write dbt's test results and failed models to `quality.check_results` (counts, no values).

    Returns:
        Names of what failed.
    """
    rows = []
    for result in run_results["results"]:
        kind, name = result["unique_id"].split(".")[0], result["unique_id"].split(".")[2]
        status = _STATUS.get(result["status"], "failed")
        if result["status"] == "skipped" or (kind != "test" and status == "passed"):
            continue
        severity = "warn" if status == "warned" else "error"
        rows.append((run_id, name, severity, status, result.get("failures")))
    with database.psycopg("pipeline") as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into quality.check_results (run_id, gate, check_name, severity, status, observed, expected)"
            " values (%s, 'dbt', %s, %s, %s, %s, 'no failing row')",
            rows,
        )
    return [name for _, name, _, status, _ in rows if status == "failed"]


def expected_systems() -> int:
    """How many tables a full pull lands."""
    return sum(len(contract.tables) for contract in hub_contracts().values())
