"""dbt as Dagster assets, in two steps with identity between them, and dbt's results in the quality ledger.

`records`   staging and the records that speak of persons and firms (tag phase_records)
`subjects`  everything after identity: subjects, scenarios, indicators, scorecards

The manifest is parsed once per state of the project, never at import. When nothing that the tables depend on has
changed, `records` yields nothing and everything behind it is skipped (law 6).
"""

import os
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from orchestration.alerts import tell_incidents
from orchestration.dbt_manifest import business_date_variable, keep_partial_parse, manifest_path
from orchestration.hub import hub_contracts, hub_database, hub_settings
from orchestration.ledger import (
    fingerprint,
    finish_run,
    record_inputs,
    released_fingerprint,
    run_lock,
    run_row,
    start_run,
)
from orchestration.marts import MartBuild, begin_build, forget_build, note_links
from orchestration.progress import reporter
from orchestration.run_config import HubConfig
from warehouse.database import Database

RECORDS = "tag:phase_records"
_STATUS = {"pass": "passed", "success": "passed", "no-op": "passed", "warn": "warned"}


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
    manifest = manifest_path()
    translator = Translator()

    @dbt_assets(manifest=manifest, select=RECORDS, name="records", dagster_dbt_translator=translator)
    def records(context: dg.AssetExecutionContext, dbt: DbtCliResource, hub: HubConfig) -> Iterator[Any]:
        database = hub_database()
        run_lock.take(database, wait=True)
        start_run(database, context.run.run_id)
        # The pulls are over, and whatever the run makes of them, the owners should know.
        for failure in tell_incidents(database, hub_settings(), hub_contracts()).failures.values():
            reporter().note(failure)
        require_something_admitted(database, context.run.run_id)
        business_date = hub.day
        inputs = fingerprint(database, business_date)
        record_inputs(database, context.run.run_id, business_date, inputs)
        if inputs == released_fingerprint(database) and not hub.whole:
            context.log.info("Nothing that the tables depend on has changed since the current release.")
            finish_run(database, context.run.run_id, "unchanged")
            return
        build = begin_build(
            database, context.run.run_id, business_date, contracts_dir=hub_settings().contracts_dir, whole=hub.whole
        )
        context.log.info("An increment." if build.base_id else f"Everything is built whole: {build.why_whole}.")
        yield from _build(context, dbt, business_date, build, "records")

    @dbt_assets(manifest=manifest, exclude=RECORDS, name="subjects", dagster_dbt_translator=translator)
    def subjects(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        business_date = run_row(hub_database(), context.run.run_id)["business_date"]
        build = note_links(hub_database(), context.run.run_id)
        yield from _build(context, dbt, business_date, build, "subjects")

    return [records, subjects]


def require_something_admitted(database: Database, run_id: str) -> None:
    """A hub to which no system has ever delivered has nothing to show, and an empty release is not nothing."""
    with database.psycopg("pipeline") as connection:
        row = connection.execute(
            "select exists (select from ops.source_states where last_admitted_batch_id is not null)"
        ).fetchone()
    if row is None or not row[0]:
        finish_run(database, run_id, "refused")
        raise dg.Failure("No source table has ever been admitted: there is nothing to build.", allow_retries=False)


def _build(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, business_date: date, build: MartBuild, stage: str
) -> Iterator[Any]:
    database = hub_database()
    os.environ.update(database.dbt_env())
    os.environ.update(business_date_variable(business_date) | build.variable())
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    reporter().begin(stage, len(context.selected_output_names) + len(context.selected_asset_check_keys))
    invocation = dbt.cli(arguments, context=context, raise_on_error=False)
    forget_build()
    for event in invocation.stream():
        reporter().step(stage, "")
        yield event
    reporter().end(stage)
    failed = record_results(database, context.run.run_id, invocation.get_artifact("run_results.json"))
    keep_partial_parse(invocation.target_path)
    if failed or not invocation.is_successful():
        finish_run(database, context.run.run_id, "refused")
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
