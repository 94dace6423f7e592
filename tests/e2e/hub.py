"""A hub as its user has it: the console script in a process of its own, and what it left in the warehouse.

Nothing here calls the hub's code but to keep its embedded server up; Postgres is read as any client would read it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
from psycopg import conninfo as pgconninfo
from psycopg import sql

from warehouse.server import start

COMMAND = Path(sys.executable).with_name("cityhub")
LONGEST_SECONDS = 300
RAW_SCHEMAS = ("raw_civil_affairs", "raw_market_supervision", "raw_urban_management", "raw_care_homes")
READER_SCHEMAS = ("shared", "scorecards")
# Tells of all releases that ever were, so it is no part of any one of them; `history_hash` covers what it reads.
OVER_RELEASES = "subject_history"


@dataclass
class Hub:
    """One home directory."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    spoken: list[str] = field(default_factory=list)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `cityhub …` to its end; what it said is kept in `spoken`."""
        done = subprocess.run(
            [str(COMMAND), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
            env=self._environment(),
            cwd=self.home,
        )
        self.spoken += [done.stdout, done.stderr]
        return done

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `cityhub …` as the leader of a process group."""
        return subprocess.Popen(
            [str(COMMAND), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment(),
            cwd=self.home,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> Ran:
        """`cityhub run --json …`, and the state it left."""
        return self.ran("run", "--json", *arguments)

    def ran(self, *arguments: str) -> Ran:
        """A command that runs the road with `--json`, and the state it left."""
        done = self.command(*arguments)
        # Joined from here on: the commands that follow find the server up.
        start(self.home)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(
                f"cityhub {' '.join(arguments)} printed no JSON:\n{done.stdout}\n{done.stderr}"
            ) from None
        return Ran(done.returncode, report, self.status(), self.table_hashes(), self.history_hash(), done.stderr)

    def status(self) -> dict[str, Any]:
        """`cityhub status --json`."""
        done = self.command("status", "--json")
        assert done.returncode == 0, done.stderr
        state: dict[str, Any] = json.loads(done.stdout)
        return state

    def connect(self, role: str | None = None, database: str = "cityhub") -> psycopg.Connection[Any]:
        """A session on the home's server, under a role of the hub or as its superuser."""
        options = "-c timezone=UTC" + (f" -c role=cityhub_{role}" if role else "")
        where = pgconninfo.make_conninfo(
            host=str(self.home / "postgres"), user="postgres", dbname=database, options=options
        )
        return psycopg.connect(where)

    def frame(self, query: str, role: str | None = None) -> pd.DataFrame:
        """The result of a query, values as Python objects."""
        with self.connect(role) as connection:
            cursor = connection.execute(query.encode())
            names = [column.name for column in cursor.description or ()]
            return pd.DataFrame(cursor.fetchall(), columns=names, dtype=object)

    def do(self, statement: str, *values: Any, role: str | None = None, database: str = "cityhub") -> None:
        """Execute one statement."""
        with self.connect(role, database) as connection:
            connection.execute(statement.encode(), values or None)

    def reader_views(self) -> list[tuple[str, str]]:
        """Every table and view a reader sees of a release."""
        with self.connect("reader") as connection:
            return connection.execute(
                "select table_schema, table_name from information_schema.tables"
                " where table_schema = any(%s) and table_name <> %s order by 1, 2",
                [list(READER_SCHEMAS), OVER_RELEASES],
            ).fetchall()

    def table_hashes(self) -> dict[str, str]:
        """MD5 over the ordered rows of everything in `shared` and `scorecards`, as the reader role sees it."""
        hashes = {}
        with self.connect("reader") as connection:
            for schema, name in self.reader_views():
                hashes[f"{schema}.{name}"] = _hash(connection, sql.Identifier(schema, name))
        return hashes

    def history_hash(self) -> dict[str, str]:
        """The same over the whole history behind the views, unmasked, with the releases each row belongs to."""
        with self.connect() as connection:
            return {name: _hash(connection, sql.Identifier("release", name)) for name in self.released_tables()}

    def released_tables(self) -> list[str]:
        """Tables with a history."""
        found = self.frame(
            "select table_name from information_schema.columns"
            " where table_schema = 'release' and column_name = '_from_release' order by 1"
        )
        return list(found["table_name"])

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL to the command and everything it started."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)

    def _environment(self) -> dict[str, str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CITYHUB_", "DAGSTER_", "DBT_", "PYTEST_"))
        }
        return {**clean, "CITYHUB_HOME": str(self.home), "COLUMNS": "200", **self.environment}


@dataclass(frozen=True)
class Ran:
    """A run that ended, and the state it left."""

    code: int
    report: dict[str, Any]
    status: dict[str, Any]
    tables: dict[str, str]
    history: dict[str, str]
    errors: str

    @property
    def release_id(self) -> int:
        return int(self.status["release"]["id"])

    def state(self, system: str, table: str) -> str:
        """admitted, held, stale or never."""
        return str(self.status["systems"][system][table]["state"])

    def reason(self, system: str, table: str) -> str:
        """Why a table is held or stale."""
        return str(self.status["systems"][system][table]["reason"])

    def troubled(self) -> set[tuple[str, str]]:
        """Tables that are not admitted."""
        return {
            (system, table)
            for system, tables in self.status["systems"].items()
            for table, entry in tables.items()
            if entry["state"] != "admitted"
        }


def _hash(connection: psycopg.Connection[Any], relation: sql.Identifier) -> str:
    query = sql.SQL("select md5(coalesce(string_agg(t::text, E'\\n' order by t::text collate \"C\"), '')) from {} as t")
    row = connection.execute(query.format(relation)).fetchone()
    assert row is not None
    return str(row[0])
