"""One city, landed once, for the tests that build the dbt project over it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from connectors.contract import load_contracts
from connectors.landing import GateResult, land_table
from demo import systems
from demo.city.generation import generate
from demo.city.state import City
from tests.conftest import TEST_TOKEN_KEY
from tests.databases import throw_away_database
from warehouse.database import Database
from warehouse.settings import Settings


@pytest.fixture(scope="session")
def landed_city(
    postgres_admin: str, _template: str, postgres_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, City]]:
    """A city of 1,000 in the four systems, landed without a gate: the name of the database, to be copied, and it."""
    with throw_away_database(postgres_admin, _template) as database:
        # What landing wants of the environment leaves with it: the tests of other rooms follow on this worker.
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("CITYHUB_TOKEN_KEY", TEST_TOKEN_KEY)
            home = postgres_home / f"city_{uuid.uuid4().hex[:8]}"
            monkeypatch.setenv("CITYHUB_HOME", str(home))
            city = _land(database, home, postgres_admin, monkeypatch)
        name = database.dbt_env()["CITYHUB_PG_DBNAME"]
        database.dispose()
        yield name, city


@pytest.fixture
def landed(postgres_admin: str, landed_city: tuple[str, City]) -> Iterator[tuple[Database, City]]:
    """A throw-away database with the city in raw."""
    name, city = landed_city
    with throw_away_database(postgres_admin, name) as database:
        yield database, city


def _land(database: Database, home: Path, admin: str, monkeypatch: pytest.MonkeyPatch) -> City:
    civil = f"city_{uuid.uuid4().hex[:12]}"
    city = generate(1_000, 7)
    systems.build(home, city, admin, civil_database=civil)
    try:
        with systems.serving(home, admin_dsn=admin, rate=10_000, in_thread=True) as addresses:
            for name, value in addresses.items():
                monkeypatch.setenv(name, value)
            for contract in load_contracts().values():
                for table in contract.tables:
                    land_table(
                        database, Settings(), contract, table, run_id="r1", gate=lambda _: GateResult(passed=True)
                    )
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(civil)))
    return city
