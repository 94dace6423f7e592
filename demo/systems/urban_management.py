"""Urban management: SQLite by default, MariaDB by URL; local times as text, flags as 0 and 1."""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from demo.city.state import City
from demo.city.tables import Table, tables_of
from demo.systems.rows import SQL, as_text, changed

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
BATCH = 20_000


def build(url: str, city: City) -> None:
    """Create the tables anew and load the city into them."""
    engine = create_engine(url)
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("pragma synchronous = off"))
        for table in tables_of(SYSTEM):
            connection.execute(text(f"drop table if exists {table.name}"))
            connection.execute(text(_ddl(table, connection.dialect.name)))
            _insert(connection, table, city, None)
    engine.dispose()


def update(url: str, before: City, after: City) -> None:
    """Write the rows that changed between two days."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in tables_of(SYSTEM):
            _insert(connection, table, after, before)
    engine.dispose()


def masked(url: str) -> str:
    """The address without its password, as it is kept in city.json."""
    return make_url(url).set(password=None).render_as_string(hide_password=False)


def _ddl(table: Table, dialect: str) -> str:
    types = SQLITE_TYPES if dialect == "sqlite" else MARIADB_TYPES
    columns = [
        f"{column} {'varchar(64)' if column in table.key and kind == 'text' else types[kind]}"
        for column, kind in table.columns.items()
    ]
    # SQLite keeps the rows in key order; MariaDB does so for every primary key.
    tail = " without rowid" if dialect == "sqlite" else " character set utf8mb4"
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
