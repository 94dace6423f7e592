"""Fixtures of tests that need another server beside Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.mariadb import MariaDB, installed, running


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """One private MariaDB server per session."""
    if not installed():
        pytest.skip("mariadbd and mariadb-install-db are not installed (Debian: apt-get install mariadb-server)")
    with running() as server:
        yield server


@pytest.fixture
def mariadb_database(mariadb: MariaDB) -> Iterator[str]:
    """A throw-away database on that server, by its name."""
    with mariadb.database() as name:
        yield name
