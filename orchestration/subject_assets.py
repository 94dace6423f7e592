"""Identity and release as assets: the two steps of the road that are not SQL models."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg

from expectations.release_gate import run_release_gate
from identity.repair import propose_repairs
from orchestration.dbt_manifest import manifest_path
from orchestration.hub import hub_contracts, hub_database, hub_settings
from orchestration.ledger import finish_run, run_row
from orchestration.marts import build_of
from orchestration.progress import reporter
from sharing.increment import MartIncrement, conditions_from_manifest
from sharing.release import masks_from_manifest, publish_release
from warehouse.database import Database

LINKS = dg.AssetKey(["identity", "current_links"])
RELEASE = dg.AssetKey(["release", "current"])
GATE = "release_gate"


@dg.asset(
    key=LINKS,
    group_name="identity",
    kinds={"postgres"},
    deps=[["identity", "int_person_records"], ["identity", "int_enterprise_records"]],
    description="每条记录所属的主体，编号永不改变 / The subject of every record; ids never change",
)
def current_links(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Link the records of this run to subjects."""
    # Imported here: linkage brings Polars and DuckDB, which the other commands should not pay.
    from identity.link import link
    from identity.resolve import EVENTS

    reporter().begin("identity", 2)
    settings = hub_settings()
    results = link(hub_database(), run_id=context.run.run_id, home=settings.home, engine=settings.linkage_engine)
    reporter().step("identity", "")
    repairs = propose_repairs(hub_database(), run_id=context.run.run_id)
    reporter().step("identity", "")
    reporter().end("identity")
    metadata: dict[str, dg.MetadataValue] = {}
    for kind, result in results.items():
        for name in (*EVENTS, "linked"):
            metadata[f"{kind}/{name}"] = dg.MetadataValue.int(getattr(result.resolved, name))
        for name in ("compared", "pairs", "asked"):
            metadata[f"{kind}/{name}"] = dg.MetadataValue.int(getattr(result, name))
        metadata[f"{kind}/mode"] = dg.MetadataValue.text(f"{result.mode}, {result.model_version}")
    for name in ("examined", "proposed", "superseded", "opened"):
        metadata[f"repairs/{name}"] = dg.MetadataValue.int(getattr(repairs, name))
    return dg.MaterializeResult(metadata=metadata)


def build_release_asset(released: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset that checks the built tables and publishes them.

    Args:
        released: keys of the dbt models that a release takes its tables from.
    """

    @dg.asset(
        key=RELEASE,
        group_name="release",
        kinds={"postgres"},
        deps=released,
        check_specs=[dg.AssetCheckSpec(GATE, asset=RELEASE, description="Built tables may be shown", blocking=True)],
        description="读者所见的当前发布 / The release that readers see",
    )
    def current_release(context: dg.AssetExecutionContext) -> Iterator[Any]:
        database = hub_database()
        run = run_row(database, context.run.run_id)
        reporter().begin("release", 2)
        gate = run_release_gate(
            database,
            run_id=context.run.run_id,
            business_date=run["business_date"],
            contracts=list(hub_contracts().values()),
        )
        reporter().step("release", "gate")
        yield dg.AssetCheckResult(
            check_name=GATE,
            passed=gate.passed,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"failed": dg.MetadataValue.json(list(gate.failed)), "warned": list(gate.warned)},
        )
        if not gate.passed:
            finish_run(database, context.run.run_id, "refused")
            raise dg.Failure(
                f"The release gate refuses {', '.join(gate.failed)}: readers keep the previous release. "
                "`cityhub status` lists failed checks.",
                allow_retries=False,
            )
        result = publish_release(
            database,
            run_id=context.run.run_id,
            business_date=run["business_date"],
            fingerprint=run["fingerprint"],
            systems=system_states(database),
            checks=check_counts(database, context.run.run_id),
            masks=masks_from_manifest(manifest_path()),
            build=_increment(database, context.run.run_id),
        )
        reporter().step("release", "published")
        reporter().end("release")
        finish_run(database, context.run.run_id, "released" if result.changed else "unchanged")
        yield dg.MaterializeResult(
            metadata={"release_id": result.release_id, "tables": dg.MetadataValue.json(dict(result.tables))}
        )

    return current_release


def _increment(database: Database, run_id: str) -> MartIncrement | None:
    build = build_of(database, run_id)
    conditions = conditions_from_manifest(json.loads(manifest_path().read_text(encoding="utf-8")))
    return None if build is None else MartIncrement(build.build_id, conditions)


def system_states(database: Database) -> dict[str, dict[str, str]]:
    """State of every source table, as the release records it."""
    with database.psycopg("pipeline") as connection:
        rows = connection.execute(
            "select system, table_name, state from ops.source_states order by system, table_name"
        ).fetchall()
    states: dict[str, dict[str, str]] = {}
    for system, table, state in rows:
        states.setdefault(system, {})[table] = state
    return states


def check_counts(database: Database, run_id: str) -> dict[str, int]:
    """How many checks of the run passed, warned and failed."""
    with database.psycopg("pipeline") as connection:
        rows = connection.execute(
            "select status, count(*) from quality.check_results where run_id = %s group by status", [run_id]
        ).fetchall()
    return {"passed": 0, "warned": 0, "failed": 0, **dict(rows)}
