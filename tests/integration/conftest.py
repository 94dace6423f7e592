"""Fixtures of tests that need another server beside Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.mariadb import MariaDB, installed, running
from tests.integration.sshd import Sshd
from tests.integration.sshd import installed as sshd_installed
from tests.integration.sshd import running as sshd_running


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


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    """One private SFTP server per session."""
    if not sshd_installed():
        pytest.skip("sshd is not installed (Debian: apt-get install openssh-server)")
    with sshd_running() as server:
        yield server
