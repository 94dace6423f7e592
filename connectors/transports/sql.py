"""Pulls from any database SQLAlchemy speaks: Postgres, MariaDB, SQLite, and others by their URL.

The hub is a guest there: it opens a read-only transaction where the dialect offers one, names its columns, and streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    NoSuchTableError,
    OperationalError,
)
from sqlalchemy.pool import NullPool

from connectors.contract import SystemContract, TableContract
from connectors.transports import postgres
from connectors.transports.base import (
    CHUNK_ROWS,
    Pull,
    require_columns,
    text_column,
)
from connectors.transports.budget import Budget
from connectors.transports.clock import since
from connectors.transports.copied import CopyForm, with_offsets
from connectors.transports.received import Columns, Received, positions
from warehouse.errors import CityhubError, ConfigurationError, PermanentError, TransientError
from warehouse.settings import mask_url

CONNECT_SECONDS = 10
# What a server answers that no second try changes: wrong login, unknown database, no rights, no such object.
# By SQLSTATE where the driver has it, by MySQL's and MariaDB's own numbers otherwise; for the latter half of these
# (host not allowed, way of login unknown, password expired, account locked) the server has no SQLSTATE but HY000.
PERMANENT_SQLSTATES = ("28", "3D", "42")
PERMANENT_MYSQL = frozenset({1044, 1045, 1049, 1142, 1143, 1146, 1698, 1130, 1251, 2059, 1820, 1862, 3118, 4151})
TIMED_OUT_MYSQL = frozenset({1969, 3024})
# Times of type TIMESTAMP come in the session's zone, which the server chooses unless told.
MYSQL_SESSION = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SET SESSION time_zone = '+00:00'"
# A refused connection carries no SQLSTATE in libpq: its English text is all there is.
PERMANENT_TEXTS = ("authentication failed", "no password supplied", "does not exist", "pg_hba.conf", "not a database")


class SqlTransport:
    """Tables of one database."""

    def __init__(self, url: str, contract: SystemContract) -> None:
        self.contract = contract
        self._url = _parse(url, contract.system)
        self._engine: sa.Engine | None = None

    @property
    def address(self) -> str:
        return mask_url(self._url.render_as_string(hide_password=False))

    def check(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        with self._connection() as connection:
            for table in self.contract.tables:
                types = self._discover(connection, table)
                found[table.name] = require_columns(table, list(types), self._place(table))
                # Columns can be seen that may not be read.
                connection.execute(_query(table, types, None, self._dialect).where(sa.false()))
        return found

    def pull(self, table: TableContract, cursor: str | None) -> Pull:
        start = since(table, cursor)
        pull = Pull(iter(()), is_complete=start is None and table.load_mode != "append")
        # The query asks for that order.
        pull.is_ordered = table.cursor is not None
        pull.batches = self._batches(table, start, pull)
        return pull

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _batches(self, table: TableContract, start: datetime | None, pull: Pull) -> Iterator[Received]:
        """By COPY where there is one. It cannot be paced: what the server has sent is in the line's buffers."""
        with self._connection() as connection:
            types = self._discover(connection, table)
            pull.saw(require_columns(table, list(types), self._place(table)))
            is_paced = self.contract.access.rows_per_second is not None
            is_postgres = self._dialect == "postgresql"
            names = tuple(table.column_names)
            zoned = frozenset(name for name in names if is_postgres and getattr(types[name], "timezone", False))
            if is_postgres and postgres.can_copy(connection) and not is_paced:
                query = _query(table, types, start, self._dialect, is_copied=True)
                layout = CopyForm(names, tuple(postgres.kind_of(types[name]) for name in names), zoned)
                yield from postgres.copied(connection, query, layout, CHUNK_ROWS)
                return
            query = _query(table, types, start, self._dialect)
            seen = 0
            for frame in self._streamed(connection, query, names):
                place = positions(row=range(seen + 1, seen + frame.height + 1))
                yield Columns(with_offsets(frame, zoned).with_columns(place))
                seen += frame.height

    def _streamed(
        self, connection: sa.Connection, query: sa.Select[Any], names: Sequence[str]
    ) -> Iterator[pl.DataFrame]:
        budget = Budget(self.contract.access.rows_per_second, CHUNK_ROWS)
        with connection.execution_options(yield_per=budget.block_rows).execute(query) as result:
            for rows in result.partitions():
                values = zip(names, zip(*rows, strict=True), strict=True)
                yield pl.DataFrame([text_column(name, column) for name, column in values])
                budget.rest(len(rows))

    @property
    def _dialect(self) -> str:
        return self._url.get_backend_name()

    def _place(self, table: TableContract) -> str:
        return f"table {table.source_name} at {self.address}"

    def _discover(self, connection: sa.Connection, table: TableContract) -> dict[str, Any]:
        schema, name = _names(table)
        try:
            if connection.dialect.name in ("mysql", "mariadb"):
                return _mysql_columns(connection, schema, name)
            return {c["name"]: c["type"] for c in sa.inspect(connection).get_columns(name, schema=schema)}
        except NoSuchTableError:
            raise PermanentError(
                "The source has no such table.",
                where=self._place(table),
                expected=f"the table {table.source_name} of the contract {self.contract.system} {table.version}",
                do="check the address; ask the owner whether the table was renamed or our rights were withdrawn",
            ) from None

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        self._require_file()
        try:
            with self._open_engine().connect() as connection, connection.begin():
                _limit(connection, self.contract.access.statement_timeout_seconds)
                yield connection
        except DBAPIError as error:
            raise _source_error(error, self.contract, self.address) from None

    def _open_engine(self) -> sa.Engine:
        if self._engine is None:
            options: dict[str, Any] = {"poolclass": NullPool}
            if self._dialect == "postgresql":
                options["execution_options"] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            if self._dialect in ("postgresql", "mysql", "mariadb") and "connect_timeout" not in self._url.query:
                options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
            self._engine = sa.create_engine(self._url, **options)
            session = {"sqlite": ("PRAGMA query_only = 1",), "mysql": MYSQL_SESSION, "mariadb": MYSQL_SESSION}
            _on_connect(self._engine, session.get(self._dialect, ()))
            event.listen(self._engine, "handle_error", _forget_the_rest)
            if self._dialect == "sqlite":
                _begin_in_earnest(self._engine)
        return self._engine

    def _require_file(self) -> None:
        """SQLite would create a database that is not there, and then report its tables as missing."""
        if self._dialect != "sqlite" or self._url.database in (None, "", ":memory:"):
            return
        if not Path(str(self._url.database).removeprefix("file:")).exists():
            raise PermanentError(
                "The source's database file does not exist.",
                where=self.address,
                expected="an SQLite file",
                do=f"correct CITYHUB_SOURCE_{self.contract.system.upper()}_URL or restore the file",
            )


def _parse(url: str, system: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
        raise ConfigurationError(
            "The address of the source database cannot be read.",
            where=f"environment variable CITYHUB_SOURCE_{system.upper()}_URL",
            expected="an SQLAlchemy URL whose driver is installed, e.g. postgresql+psycopg://user:password@host/database",
            do="correct the variable",
        ) from None
    return parsed


def _names(table: TableContract) -> tuple[str | None, str]:
    schema, _, name = table.source_name.rpartition(".")
    return schema or None, name


def _mysql_columns(connection: sa.Connection, schema: str | None, name: str) -> dict[str, Any]:
    """Columns by the catalogue: SQLAlchemy asks `show create table`, which a guest with a view alone may not."""
    found = connection.execute(
        sa.text(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = coalesce(:schema, database()) and table_name = :name order by ordinal_position"
        ),
        {"schema": schema, "name": name},
    ).all()
    if not found:
        raise NoSuchTableError(name)
    kinds: dict[str, Any] = mysql.dialect().ischema_names
    return {str(column): kinds.get(str(kind).lower(), sa.types.NullType)() for column, kind in found}


def _on_connect(engine: sa.Engine, statements: tuple[str, ...]) -> None:
    def run(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()

    event.listen(engine, "connect", run)


def _begin_in_earnest(engine: sa.Engine) -> None:
    """One transaction for all of a pull's statements: Python's driver begins none for a `select`."""

    def no_own_begin(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine, "connect", no_own_begin)
    event.listen(engine, "begin", begin)


def _limit(connection: sa.Connection, seconds: int) -> None:
    """Have the source end a statement of ours that takes too long."""
    dialect: Any = connection.dialect
    if dialect.name == "postgresql":
        postgres.prepare(connection, seconds)
    elif dialect.name in ("mysql", "mariadb"):
        limit = f"max_statement_time = {seconds}" if dialect.is_mariadb else f"max_execution_time = {seconds * 1000}"
        connection.exec_driver_sql(f"SET SESSION {limit}")
    elif dialect.name == "sqlite":
        until = monotonic() + seconds
        driver: Any = connection.connection.driver_connection
        # Asked every 100,000 steps of its machine, some milliseconds; it is the whole pull that is timed here.
        driver.set_progress_handler(lambda: monotonic() > until, 100_000)


def _forget_the_rest(error: sa.engine.ExceptionContext) -> None:
    """Keep PyMySQL from reading on in a stream that broke: it would fail again, and SQLAlchemy log both errors."""
    cursor = getattr(error.execution_context, "cursor", None)
    stream: Any = getattr(cursor, "_result", None)
    if getattr(stream, "unbuffered_active", False):
        stream.unbuffered_active = False


def _query(
    table: TableContract, types: dict[str, Any], start: datetime | None, dialect: str, *, is_copied: bool = False
) -> sa.Select[Any]:
    schema, name = _names(table)
    # Columns without a type: values come as the driver gives them, SQLAlchemy converts nothing.
    columns: list[sa.ColumnClause[Any]] = [sa.column(column) for column in table.column_names]
    plain = (postgres.wire_of if is_copied else postgres.text_of) if dialect == "postgresql" else _plain
    shown = [plain(column, types[column.name]) for column in columns]
    source = sa.table(name, *columns, schema=schema)
    query = sa.select(*shown).select_from(source)
    if table.cursor is None:
        return query
    cursor = source.c[table.cursor]
    if start is not None:
        # A row without a cursor value would never be seen again: it comes every time and meets its checks.
        query = query.where(sa.or_(cursor >= _bound(table, types[table.cursor], start, dialect), cursor.is_(None)))
    return query.order_by(cursor)


def _plain(column: sa.ColumnClause[Any], kind: Any) -> sa.ColumnElement[Any]:
    """The column, or what makes two types of MySQL and MariaDB readable: instants without a zone, bits as bytes."""
    if isinstance(kind, mysql.TIMESTAMP):
        return sa.func.concat(column, "+00:00").label(column.name)
    if isinstance(kind, mysql.BIT):
        return (column + 0).label(column.name)
    return column


def _bound(table: TableContract, kind: Any, start: datetime, dialect: str) -> Any:
    """`start` in the source's own type and local time."""
    local = start.replace(tzinfo=None)
    if dialect == "sqlite" or isinstance(kind, sa.String):
        is_date = table.cursor is not None and table.column(table.cursor).pg_type == "date"
        return local.date().isoformat() if is_date else local.isoformat(sep=" ", timespec="seconds")
    if isinstance(kind, sa.Date):
        return local.date()
    if isinstance(kind, mysql.TIMESTAMP):
        return start.astimezone(UTC).replace(tzinfo=None)
    return start if getattr(kind, "timezone", False) else local


def _source_error(error: DBAPIError, contract: SystemContract, address: str) -> CityhubError:
    """What a driver's error means. The driver's own text stays out: it may quote rows or the login."""
    origin: Any = error.orig
    state = str(getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None) or "")
    number = origin.args[0] if getattr(origin, "args", None) and isinstance(origin.args[0], int) else None
    label = state or (str(number) if number else type(origin).__name__)
    text = "" if state else str(origin)
    system = contract.system
    if state == "57014" or number in TIMED_OUT_MYSQL or getattr(origin, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
        return TransientError(
            f"The source database ended the pull's statement ({label}).",
            where=f"{system} at {address}",
            expected=f"an answer within {contract.access.statement_timeout_seconds} s (statementTimeoutSeconds)",
            do="ask the owner for an index on the cursor column; or give it more time in the contract's server entry",
        )
    permanent = (
        state.startswith(PERMANENT_SQLSTATES)
        or number in PERMANENT_MYSQL
        or any(phrase in text for phrase in PERMANENT_TEXTS)
        or not isinstance(error, (OperationalError, InterfaceError))
    )
    if permanent:
        return PermanentError(
            f"The source database refuses the pull ({label}).",
            where=f"{system} at {address}",
            expected="a login that may read the contract's tables",
            do=f"check user, password, database and rights in CITYHUB_SOURCE_{system.upper()}_URL",
        )
    return TransientError(
        f"The source database does not answer or broke off ({label}).",
        where=f"{system} at {address}",
        expected=f"a server that accepts connections within {CONNECT_SECONDS} s and serves the pull to its end",
        do="wait for the next run; if it lasts, ask the owner of the system",
    )
