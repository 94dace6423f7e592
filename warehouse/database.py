"""Connections to the warehouse, each under one of the hub's roles.

`open_database` is the one door: it starts or joins the embedded server (or checks the external one), creates the
database, the roles and the migrated schemas, and hands out engines and connections.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import conninfo as pgconninfo
from psycopg import sql
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from warehouse.errors import ConfigurationError, PermanentError, TransientError
from warehouse.migrate import migrate
from warehouse.roles import ROLE_NAMES, Role, ensure_roles, granted_roles
from warehouse.settings import Settings, mask_url

MINIMUM_SERVER_VERSION = 160_000
EMBEDDED_DATABASE = "cityhub"


@dataclass(frozen=True)
class Database:
    """One warehouse database.

    Attributes:
        conninfo: libpq connection string of the login, which may hold a password: never print it.
        embedded_admin: conninfo of the embedded server's superuser (database `postgres`); None when external.
        shown: the address as it may be printed.
    """

    conninfo: str = field(repr=False)
    shown: str
    embedded_admin: str | None = field(default=None, repr=False)
    _engines: dict[Role, Engine] = field(default_factory=dict, repr=False, compare=False)

    def psycopg(self, role: Role, *, autocommit: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection under `role`; use it as a context manager (commits on success, closes at the end)."""
        options = f"-c role={ROLE_NAMES[role]} -c timezone=UTC -c client_min_messages=warning"
        return psycopg.connect(self.conninfo, options=options, autocommit=autocommit)

    def engine(self, role: Role) -> Engine:
        """The pooled SQLAlchemy engine of `role` in this process (connections are opened on first use)."""
        if role not in self._engines:
            self._engines[role] = create_engine(
                "postgresql+psycopg://",
                creator=lambda: self.psycopg(role),
                pool_pre_ping=True,
                # Error texts reach logs and screens; the values a statement was given must not (law 7).
                hide_parameters=True,
            )
        return self._engines[role]

    def url(self, role: Role) -> URL:
        """The SQLAlchemy URL of `role`, for libraries that open their own connections. Holds the password."""
        parts = self._parts()
        return URL.create(
            "postgresql+psycopg",
            username=parts["user"],
            password=parts.get("password"),
            # A socket directory cannot stand in the authority of a URL, so host travels as a query parameter.
            database=parts["dbname"],
            query={
                "host": parts["host"],
                "port": parts["port"],
                "options": f"-c role={ROLE_NAMES[role]} -c timezone=UTC",
            },
        )

    def dbt_env(self) -> dict[str, str]:
        """Environment variables that the dbt profile reads."""
        parts = self._parts()
        return {
            "CITYHUB_PG_HOST": parts["host"],
            "CITYHUB_PG_PORT": parts["port"],
            "CITYHUB_PG_USER": parts["user"],
            "CITYHUB_PG_PASSWORD": parts.get("password", ""),
            "CITYHUB_PG_DBNAME": parts["dbname"],
        }

    def dispose(self) -> None:
        """Close pooled connections."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()

    def _parts(self) -> dict[str, str]:
        parts = {name: str(value) for name, value in pgconninfo.conninfo_to_dict(self.conninfo).items()}
        return {"host": "localhost", "port": "5432", "user": "postgres", **parts}


def open_database(settings: Settings, roles: Collection[Role] = tuple(ROLE_NAMES)) -> Database:
    """Open the warehouse, ready to use: server up, database there, roles there, schemas migrated.

    Args:
        roles: what the caller takes on. A login that may take these on but not the owner is enough: it finds a hub
            that another login has set up, and changes nothing.

    Raises:
        ConfigurationError: the URL or the home directory cannot be used.
        TransientError: the server does not answer.
        PermanentError: the server refuses the login, is too old, or does not let the roles be created.
    """
    database = _embedded(settings) if settings.database_url is None else _external(settings)
    prepare(database, roles)
    return database


def prepare(database: Database, roles: Collection[Role] = tuple(ROLE_NAMES)) -> None:
    """Check the server's version, then create roles and migrate. Costs one round trip when nothing is to do."""
    with _connect(database) as connection:
        require_version(connection.info.server_version, database.shown)
        granted = granted_roles(connection)
        if "owner" not in granted and granted.issuperset(roles):
            _require_hub(connection, database.shown)
            return
        ensure_roles(connection)
        migrate(connection)


def _require_hub(connection: psycopg.Connection[tuple[Any, ...]], shown: str) -> None:
    row = connection.execute("select to_regnamespace('shared') is not null").fetchone()
    if row is None or not row[0]:
        raise PermanentError(
            "There is no hub in this database, and this login may not set one up.",
            where=shown,
            expected="a database that the hub's own login has opened before",
            do="run `cityhub status` with the login of the hub, or correct the database in CITYHUB_DATABASE_URL",
        )


def create_database(admin_conninfo: str, name: str) -> str:
    """Create database `name` on the server where it is missing and return its conninfo.

    Text is ordered by code point by the server itself where it can (from 17 on): the same order as the C library's
    C.UTF-8, at half the cost of every sort and every index on text.
    """
    with psycopg.connect(admin_conninfo, autocommit=True) as connection:
        there = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
        if not there:
            statement = sql.SQL("create database {}").format(sql.Identifier(name))
            if connection.info.server_version >= 170_000:
                statement += sql.SQL(
                    " template template0 encoding 'UTF8' locale_provider builtin builtin_locale 'C.UTF-8'"
                )
            connection.execute(statement)
    return pgconninfo.make_conninfo(admin_conninfo, dbname=name)


def _embedded(settings: Settings) -> Database:
    from warehouse.server import start

    admin = start(settings.home)
    conninfo = create_database(admin, EMBEDDED_DATABASE)
    return Database(conninfo, shown=f"embedded Postgres in {settings.home / 'postgres'}", embedded_admin=admin)


def _external(settings: Settings) -> Database:
    assert settings.database_url is not None
    text = settings.database_url.get_secret_value()
    try:
        url = make_url(text)
        if not url.drivername.startswith("postgresql"):
            raise ArgumentError
    except ArgumentError:
        raise ConfigurationError(
            "The database address cannot be read.",
            where="environment variable CITYHUB_DATABASE_URL",
            expected="postgresql://user:password@host:5432/database",
            do="correct the variable, or unset it to use the embedded Postgres",
        ) from None
    parts: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
    given = {name: value for name, value in {**parts, **url.query}.items() if value is not None}
    conninfo = pgconninfo.make_conninfo(dbname=url.database or EMBEDDED_DATABASE, **given)
    return Database(conninfo, shown=mask_url(text))


@contextmanager
def _connect(database: Database) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    try:
        connection = psycopg.connect(database.conninfo, connect_timeout=10, autocommit=True)
    except psycopg.OperationalError as error:
        raise connection_error(error, database.shown) from None
    with connection:
        yield connection


def is_out_of_room(error: Exception) -> bool:
    """Whether the server could not go on for want of disk. A quota or file limit has no SQLSTATE of its own: the server
    calls it an internal error and adds the hint it gives for a full disk."""
    return isinstance(error, psycopg.Error) and (
        error.sqlstate == "53100" or (error.diag.message_hint or "").startswith("Check free disk space")
    )


def connection_error(error: Exception, shown: str) -> PermanentError | TransientError:
    """What a failed Postgres connection means, told without the server's own text (it may quote the login)."""
    text = str(error)
    state = (error.sqlstate if isinstance(error, psycopg.Error) else None) or ""
    if is_out_of_room(error):
        return TransientError(
            f"The database has no room left on its disk (SQLSTATE {state}).",
            where=shown,
            expected="room for a second copy of the batch under way",
            do="free or add space where the database keeps its files; the next run goes on from there",
        )
    if state.startswith("53"):
        return TransientError(
            f"The database is out of memory, locks or connections (SQLSTATE {state}).",
            where=shown,
            expected="a server that can serve the hub's few sessions",
            do="look what else uses the server; then run the command again",
        )
    if "password" in text or "authentication failed" in text or "no pg_hba.conf entry" in text:
        return PermanentError(
            "The database refuses the login.",
            where=shown,
            expected="a user and password that the server accepts",
            do="correct user and password in CITYHUB_DATABASE_URL",
        )
    if "does not exist" in text:
        return PermanentError(
            "The database or the user does not exist.",
            where=shown,
            expected="an existing database and login",
            do="create them, or correct CITYHUB_DATABASE_URL",
        )
    return TransientError(
        "The database does not answer.",
        where=shown,
        expected="a Postgres server accepting connections within 10 s",
        do="check host, port and network in CITYHUB_DATABASE_URL, then run the command again",
    )


def require_version(server_version: int, shown: str) -> None:
    """Refuse a server older than the SQL of the hub needs (`pg_input_is_valid` came with 16).

    Raises:
        PermanentError: the server is too old.
    """
    if server_version < MINIMUM_SERVER_VERSION:
        raise PermanentError(
            f"The database is too old: Postgres {server_version // 10_000}.",
            where=shown,
            expected=f"Postgres {MINIMUM_SERVER_VERSION // 10_000} or newer",
            do="upgrade the server, or unset CITYHUB_DATABASE_URL to use the embedded Postgres 18",
        )
