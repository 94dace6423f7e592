"""Urban management: SQLite by default, MariaDB by URL; local times as text, flags as 0 and 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from demo.city.state import City
from demo.city.tables import Table, tables_of
from demo.systems.rows import SQL, as_text, changed
from warehouse.errors import ConfigurationError, PermanentError, TransientError
from warehouse.settings import mask_url

SYSTEM = "urban_management"
SQLITE_TYPES = {
    "text": "text",
    "date": "text",
    "time": "text",
    "money": "real",
    "number": "real",
    "integer": "integer",
    "flag": "integer",
}
MARIADB_TYPES = {
    "text": "varchar(255)",
    "date": "date",
    "time": "datetime",
    "money": "decimal(14,2)",
    "number": "decimal(12,3)",
    "integer": "int",
    "flag": "tinyint",
}
DIALECTS = ("sqlite", "mysql", "mariadb")
# MariaDB's numbers for a connection that did not come about or was lost; all others say that it would fail again.
TRANSIENT = frozenset({1040, 1205, 1213, 1927, 2002, 2003, 2006, 2013})
BATCH = 20_000


def build(url: str, city: City) -> None:
    """Create the tables anew and load the city into them."""
    with opened(url) as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("pragma synchronous = off"))
        for table in tables_of(SYSTEM):
            connection.execute(text(f"drop table if exists {table.name}"))
            connection.execute(text(_ddl(table, connection.dialect.name)))
            _insert(connection, table, city, None)


def update(url: str, before: City, after: City) -> None:
    """Write the rows that changed between two days."""
    with opened(url) as connection:
        for table in tables_of(SYSTEM):
            _insert(connection, table, after, before)


def require_usable(url: str) -> None:
    """See that the city could be built there, before anything is given up for it.

    Raises:
        ConfigurationError, TransientError, PermanentError: as `build` would.
    """
    with opened(url) as connection:
        connection.execute(text("create table cityhub_probe (probe integer)"))
        connection.execute(text("drop table cityhub_probe"))


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """A transaction in the database.

    Raises:
        ConfigurationError, TransientError, PermanentError: without password, statement or values.
    """
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise _explained(error, url) from None
    finally:
        engine.dispose()


def masked(url: str) -> str:
    """The address without its password, as it is kept in city.json."""
    whole = make_url(url)
    # `URL.set(password=None)` means "leave the password as it is".
    return URL.create(
        whole.drivername,
        username=whole.username,
        host=whole.host,
        port=whole.port,
        database=whole.database,
        query={name: value for name, value in whole.query.items() if not name.startswith("passw")},
    ).render_as_string(hide_password=False)


def _engine(url: str) -> Engine:
    try:
        if make_url(url).get_backend_name() in DIALECTS:
            return create_engine(url)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
        pass
    raise ConfigurationError(
        "The address for the demo's urban management cannot be used.",
        where=f"option --urban-url or CITYHUB_DEMO_URBAN_URL: {mask_url(url)}",
        expected="a MariaDB address: mysql+pymysql://user:password@host:port/database",
        do="correct the address, or leave it out to keep urban management in SQLite",
    ) from None


def _explained(error: DBAPIError, url: str) -> PermanentError | TransientError:
    """What a driver's error means; its own text stays out, because it may quote rows or the login."""
    arguments = error.orig.args if error.orig is not None else ()
    number = arguments[0] if arguments and isinstance(arguments[0], int) else None
    label = str(number) if number else type(error.orig).__name__
    where = f"urban_management at {mask_url(url)}"
    if isinstance(error, OperationalError) and (number is None or number in TRANSIENT):
        return TransientError(
            f"The database of the demo's urban management does not answer or broke off ({label}).",
            where=where,
            expected="a server that accepts connections",
            do="check that it runs and that host and port are right; then repeat the command",
        )
    return PermanentError(
        f"The database of the demo's urban management refuses ({label}).",
        where=where,
        expected="a login that may create, fill, alter and drop tables in the database, and the city's tables in it",
        do="check user, password, database and rights in --urban-url or CITYHUB_DEMO_URBAN_URL",
    )


def _ddl(table: Table, dialect: str) -> str:
    types = SQLITE_TYPES if dialect == "sqlite" else MARIADB_TYPES
    columns = [
        f"{column} {'varchar(64)' if column in table.key and kind == 'text' else types[kind]}"
        for column, kind in table.columns.items()
    ]
    # SQLite keeps the rows in key order; MariaDB does so for every primary key.
    # By code point, as everywhere else: its usual collations take 'a' and 'A' for one key.
    tail = " without rowid" if dialect == "sqlite" else " character set utf8mb4 collate utf8mb4_bin"
    return f"create table {table.name} ({', '.join(columns)}, primary key ({', '.join(table.key)})){tail}"


def _insert(connection: Connection, table: Table, city: City, before: City | None) -> None:
    rows = city.shown[table.full_name]
    if before is not None:
        rows = changed(before.shown[table.full_name], rows, table.full_name)
    values = as_text(rows, table, SQL, city.breaks).rows()
    if not values:
        return
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    marks = ", ".join([mark] * len(table.columns))
    # Both SQLite and MariaDB know `replace into`.
    statement = f"replace into {table.name} ({', '.join(table.columns)}) values ({marks})"
    for start in range(0, len(values), BATCH):
        connection.exec_driver_sql(statement, values[start : start + BATCH])
