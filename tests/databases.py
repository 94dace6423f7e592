"""Throw-away databases on the session's embedded server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import conninfo as pgconninfo
from psycopg import sql

from warehouse.database import Database


@contextmanager
def throw_away_database(admin: str, template: str) -> Iterator[Database]:
    """A copy of a migrated template, dropped at the end with whoever is still in it."""
    name = f"cityhub_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        # Rights on a database are not copied from its template.
        connection.execute(
            sql.SQL("grant create on database {} to cityhub_owner, cityhub_pipeline").format(sql.Identifier(name))
        )
    database = Database(pgconninfo.make_conninfo(admin, dbname=name), shown="test database", embedded_admin=admin)
    yield database
    database.dispose()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
