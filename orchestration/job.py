"""The daily job in this process: what `cityhub run` and `cityhub demo` execute, and what came of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orchestration.hub as hub
from orchestration.dbt_manifest import begin_parse
from orchestration.ledger import finish_run, run_lock, run_row
from orchestration.progress import reporter
from warehouse.database import Database
from warehouse.errors import ConfigurationError, ContractError, PermanentError, TransientError

if TYPE_CHECKING:
    import dagster as dg

Outcome = Literal["released", "unchanged", "refused", "failed"]

KNOWN_ERRORS = {kind.__name__ for kind in (ConfigurationError, ContractError, PermanentError, TransientError)}
DAGSTER_YAML = """telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  module: orchestration.event_log
  class: OpenSqliteEventLogStorage
"""


@dataclass(frozen=True)
class RunReport:
    """How a run ended.

    Attributes:
        outcome: released | unchanged (nothing to build) | refused (a gate said no) | failed (it broke).
        troubled: tables that are held or stale, with the reason.
        reason: why it was refused or failed.
    """

    run_id: str
    outcome: Outcome
    business_date: date | None
    troubled: dict[str, str]
    reason: str

    @property
    def exit_code(self) -> int:
        """0: all well; 1: nothing was released; 3: released, but some tables are held or stale."""
        if self.outcome in ("refused", "failed"):
            return 1
        return 3 if self.troubled else 0


def dagster_home(home: Path) -> Path:
    """Dagster's own directory in this home; made on first use."""
    directory = home / "dagster"
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "dagster.yaml"
    if not config.exists():
        config.write_text(DAGSTER_YAML)
    os.environ["DAGSTER_HOME"] = str(directory)
    return directory


def run_job(business_date: date | None = None, job: str = "daily", **told: Any) -> RunReport:
    """Execute a job in this process and say how it ended. Sources must be within reach (`hub.sources`).

    `told`: further fields of `orchestration.run_config.HubConfig`.
    """
    settings = hub.hub_settings()
    dagster_home(settings.home)
    database = hub.hub_database()
    run_lock.take(database, wait=False)
    try:
        return _execute(database, settings.home, business_date, job, told)
    finally:
        # Said by the run's own steps already, unless it broke before them.
        # Imported here: httpx takes 0.1 s, which the other commands should not pay.
        from orchestration.alerts import tell_incidents

        tell_incidents(database, settings, hub.hub_contracts())
        run_lock.let_go()


def _execute(
    database: Database, home: Path, business_date: date | None, job: str, told: Mapping[str, Any]
) -> RunReport:
    begin_parse()
    reporter().begin("load", 0)
    # Imported here: Dagster takes 3 s, which the other commands should not pay.
    import dagster as dg

    from orchestration.definitions import defs

    # Under the name of its core too: building an instance sets the level of the first anew.
    for name in ("dagster", "dagster._core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    hub_config = {"business_date": business_date.isoformat() if business_date else "", **told}
    config = {
        "resources": {"hub": {"config": hub_config}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    with dg.DagsterInstance.get() as instance, _output_to(home / "logs" / "run.log"):
        resolved = defs.resolve_job_def(job)
        reporter().begin("pull", sum(len(contract.tables) for contract in hub.hub_contracts().values()))
        result = resolved.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
    reason = _reason(result)
    run = run_row(database, result.run_id)
    if not result.success and run["state"] == "running":
        finish_run(database, result.run_id, "failed")
        run["state"] = "failed"
    return RunReport(result.run_id, run["state"], run["business_date"], _troubled(), reason)


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """What steps print (dbt's own words, above all) belongs in a log: standard output is for the command's answer."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file, redirect_stdout(file):
        yield


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """Why the first failed step failed. An error nobody foresaw is named by its type alone: its text may hold rows."""
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        failure = event.step_failure_data
        if failure.user_failure_data is not None and failure.user_failure_data.description:
            return failure.user_failure_data.description
        cause = failure.error.cause if failure.error is not None else None
        if cause is None:
            return f"step {event.step_key} failed"
        if cause.cls_name in KNOWN_ERRORS:
            return cause.message.partition(": ")[2].strip()
        return f"step {event.step_key} failed with {cause.cls_name}; the run in Dagster has the details"
    return ""


def _troubled() -> dict[str, str]:
    with hub.hub_database().psycopg("pipeline") as connection:
        rows = connection.execute(
            "select system || '.' || table_name, state || ': ' || coalesce(last_error, '')"
            " from ops.source_states where state in ('held', 'stale') order by 1"
        ).fetchall()
    return dict(rows)
