"""The ledger of runs, and the fingerprint that tells whether a run has anything to build.

The fingerprint covers everything the built tables depend on: the content version and state of every source table,
whether it keeps its freshness promise, the newest decision of identity review, the business date, and the code that
builds. Two runs with one fingerprint would build the same tables (law 5), so the second one builds nothing (law 6).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg

from warehouse.database import Database
from warehouse.errors import TransientError
from warehouse.paths import DBT_PROJECT_DIR, PROJECT_ROOT
from warehouse.settings import TIMEZONE

_CODE = ("models", "macros", "seeds", "tests", "dbt_project.yml")


class RunLock:
    """One run at a time may build and release: between the gate and the publishing nobody else rebuilds the tables.

    Held on a connection of its own until it is let go or the process ends, however it ends.
    """

    _key = 724_310_119

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None

    def take(self, database: Database, *, wait: bool) -> None:
        """Take the lock, or keep it when this process has it.

        Raises:
            TransientError: another run has it, and `wait` is False.
        """
        if self._connection is not None:
            return
        connection = database.psycopg("pipeline", autocommit=True)
        connection.execute("select set_config('application_name', 'cityhub run', false)")
        if wait:
            connection.execute("select pg_advisory_lock(%s)", [self._key])
        else:
            row = connection.execute("select pg_try_advisory_lock(%s)", [self._key]).fetchone()
            if row is None or not row[0]:
                connection.close()
                raise TransientError(
                    "Another run is under way.",
                    where=_holder(database),
                    expected="one run at a time",
                    do="wait until it has ended (`cityhub status`, or the runs in Dagster), then run again",
                )
        self._connection = connection

    def let_go(self) -> None:
        """Give the lock back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


run_lock = RunLock()


def _holder(database: Database) -> str:
    with database.psycopg("pipeline") as connection:
        row = connection.execute(
            "select run_id, started_at from ops.runs where state = 'running' order by started_at desc limit 1"
        ).fetchone()
    return "the warehouse" if row is None else f"run {row[0]}, started {row[1]:%Y-%m-%d %H:%M:%S} UTC"


def start_run(database: Database, run_id: str) -> None:
    """Enter the run; one that is already there (a retried run) goes on."""
    with database.psycopg("pipeline") as connection:
        connection.execute("insert into ops.runs (run_id) values (%s) on conflict (run_id) do nothing", [run_id])


def finish_run(database: Database, run_id: str, state: str) -> None:
    """Record how the run ended: released | unchanged | refused | failed."""
    with database.psycopg("pipeline") as connection:
        connection.execute(
            "update ops.runs set state = %s, finished_at = clock_timestamp() where run_id = %s", [state, run_id]
        )


def record_inputs(database: Database, run_id: str, business_date: date, fingerprint: str) -> None:
    """Record what the run builds from."""
    with database.psycopg("pipeline") as connection:
        connection.execute(
            "update ops.runs set business_date = %s, fingerprint = %s where run_id = %s",
            [business_date, fingerprint, run_id],
        )


def run_row(database: Database, run_id: str) -> dict[str, Any]:
    """State, business date and fingerprint of a run."""
    with database.psycopg("pipeline") as connection:
        row = connection.execute(
            "select state, business_date, fingerprint from ops.runs where run_id = %s", [run_id]
        ).fetchone()
    if row is None:
        raise LookupError(f"run {run_id} is not in ops.runs")
    return {"state": row[0], "business_date": row[1], "fingerprint": row[2]}


def released_fingerprint(database: Database) -> str | None:
    """The fingerprint of the current release, None before the first."""
    with database.psycopg("pipeline") as connection:
        row = connection.execute(
            "select r.fingerprint from release.releases as r join release.pointer as p using (release_id)"
        ).fetchone()
    return None if row is None else row[0]


def fingerprint(database: Database, business_date: date) -> str:
    """Digest of everything the built tables depend on."""
    with database.psycopg("pipeline") as connection:
        states = connection.execute(
            f"""
            select
                system, table_name, state, content_version,
                as_of is null or freshness_hours is null
                or as_of + make_interval(hours => freshness_hours)
                >= (%s::date + 1)::timestamp at time zone '{TIMEZONE}'
            from ops.source_states order by system, table_name
            """,
            [business_date],
        ).fetchall()
        # What two people decide about a pair moves records as surely as a source does.
        decided = connection.execute("select max(decision_id) from identity.decisions").fetchone()
    parts = [business_date.isoformat(), code_version(), states, decided]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


@lru_cache(maxsize=1)
def code_version() -> str:
    """Digest of the SQL, seeds and Python that build subjects and releases."""
    digest = hashlib.sha256()
    for path in _code_files():
        digest.update(str(path.relative_to(PROJECT_ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _code_files() -> Iterator[Path]:
    for name in _CODE:
        root = DBT_PROJECT_DIR / name
        yield from sorted(path for path in ([root] if root.is_file() else root.rglob("*")) if path.is_file())
    for room in ("identity", "sharing"):
        yield from sorted(path for path in (PROJECT_ROOT / room).rglob("*") if path.suffix in (".py", ".sql"))
