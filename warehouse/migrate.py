"""Versioned migrations of the schemas that outlive a run, by Alembic, under the owner role.

dbt's schemas are not here (dbt builds them) and neither are the raw tables (the contracts describe them).
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from warehouse.paths import MIGRATIONS_DIR
from warehouse.roles import ROLE_NAMES

_MIGRATION_LOCK = 724_310_116


def head_revision() -> str:
    """The newest revision: files are numbered, so the last name is the head (a test compares with Alembic)."""
    return max(path.name.split("_", 1)[0] for path in (MIGRATIONS_DIR / "versions").glob("[0-9]*_*.py"))


def current_revision(connection: psycopg.Connection[Any]) -> str | None:
    """The revision this database is at, None before the first migration."""
    there = connection.execute("select to_regclass('ops.alembic_version')").fetchone()
    if there is None or there[0] is None:
        return None
    row = connection.execute("select version_num from ops.alembic_version").fetchone()
    return None if row is None else str(row[0])


def migrate(connection: psycopg.Connection[Any]) -> None:
    """Bring the database to the newest revision; one look-up when it already is."""
    if current_revision(connection) == head_revision():
        return
    # Importing Alembic costs 0.3 s, which a command that only reads should not pay.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    conninfo = make_conninfo(connection.info.dsn, password=connection.info.password or None)
    with psycopg.connect(conninfo) as own:
        own.execute("select pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        _prepare_schemas(own)
        own.commit()
        engine = create_engine("postgresql+psycopg://", creator=lambda: own, poolclass=StaticPool)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS_DIR))
        with engine.connect() as sqlalchemy_connection:
            config.attributes["connection"] = sqlalchemy_connection
            command.upgrade(config, "head")
        own.execute("select pg_advisory_unlock(%s)", [_MIGRATION_LOCK])


def _prepare_schemas(connection: psycopg.Connection[Any]) -> None:
    """What needs the login itself rather than the owner role: the right to create schemas, and the ops schema."""
    owner = ROLE_NAMES["owner"]
    pipeline = ROLE_NAMES["pipeline"]
    connection.execute(
        f"do $$ begin execute format('grant create on database %I to {owner}, {pipeline}', current_database()); end $$"
    )
    connection.execute(f"create schema if not exists ops authorization {owner}")
