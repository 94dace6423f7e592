"""One warehouse for the tests of the suite: each forgets what the one before landed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import conninfo as pgconninfo
from psycopg import sql

from warehouse.database import Database


@pytest.fixture(scope="session")
def conformance_database(postgres_admin: str, _template: str) -> Iterator[Database]:
    """A migrated database of the session."""
    name = f"cityhub_conformance_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_admin, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(_template))
        )
        connection.execute(
            sql.SQL("grant create on database {} to cityhub_owner, cityhub_pipeline").format(sql.Identifier(name))
        )
    database = Database(
        pgconninfo.make_conninfo(postgres_admin, dbname=name), shown="test database", embedded_admin=postgres_admin
    )
    yield database
    database.dispose()
    with psycopg.connect(postgres_admin, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
