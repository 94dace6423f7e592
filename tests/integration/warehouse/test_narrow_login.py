"""The pages' own login: a member of the roles it shows with, and of no other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from warehouse.database import Database, open_database
from warehouse.errors import PermanentError
from warehouse.settings import Settings


@pytest.fixture
def login(postgres_admin: str, database: Database) -> Iterator[str]:
    """A login that is a member of the reader's role alone."""
    name = f"pages_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_admin, autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login in role cityhub_reader").format(sql.Identifier(name)))
        yield name
        admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def settings_of(login: str, where: str, home: Path) -> Settings:
    parts = conninfo.conninfo_to_dict(where)
    return Settings(home=home, database_url=f"postgresql://{login}@/{parts['dbname']}?host={parts['host']}")


def test_it_reads_what_readers_see_and_nothing_else(database: Database, login: str, tmp_path: Path) -> None:
    narrow = open_database(settings_of(login, database.conninfo, tmp_path), ("reader",))
    with narrow.psycopg("reader") as connection:
        assert connection.execute("select count(*) from quality.releases").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from ops.runs")
    for role in ("pipeline", "owner", "clerk"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            narrow.psycopg(role)


def test_it_cannot_stand_in_for_the_hubs_login(database: Database, login: str, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="may not create the hub's roles"):
        open_database(settings_of(login, database.conninfo, tmp_path))


def test_it_says_that_no_hub_is_there(postgres_admin: str, database: Database, login: str, tmp_path: Path) -> None:
    elsewhere = conninfo.make_conninfo(postgres_admin, dbname="template1")
    with pytest.raises(PermanentError, match="no hub in this database"):
        open_database(settings_of(login, elsewhere, tmp_path), ("reader",))
