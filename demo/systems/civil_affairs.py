"""Civil affairs: a Postgres database of its own, loaded by COPY. Times are local and carry no zone."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import psycopg
from psycopg import conninfo as pgconninfo
from psycopg import sql

from demo.city.state import City
from demo.city.tables import Table, tables_of
from demo.systems.rows import SQL, as_text, changed

SYSTEM = "civil_affairs"
DATABASE = "city_civil_affairs"
TYPES = {
    "text": "text",
    "date": "date",
    "time": "timestamp(0)",
    "money": "numeric(14,2)",
    "number": "numeric(12,3)",
    "integer": "integer",
    "flag": "boolean",
}


def build(admin_dsn: str, database: str, city: City) -> None:
    """Create the database anew and load the city's tables into it."""
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        name = sql.Identifier(database)
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        admin.execute(sql.SQL("create database {}").format(name))
    with psycopg.connect(pgconninfo.make_conninfo(admin_dsn, dbname=database)) as connection:
        for table in tables_of(SYSTEM):
            connection.execute(_ddl(table))
            _copy(connection, table, sql.Identifier(table.name), city, None)


def update(admin_dsn: str, database: str, before: City, after: City) -> None:
    """Write the rows that changed between two days."""
    with psycopg.connect(pgconninfo.make_conninfo(admin_dsn, dbname=database)) as connection:
        for table in tables_of(SYSTEM):
            stage = sql.Identifier("stage")
            target = sql.Identifier(table.name)
            connection.execute(sql.SQL("create temp table stage (like {}) on commit drop").format(target))
            _copy(connection, table, stage, after, before)
            connection.execute(_upsert(table))
            connection.execute("drop table stage")


def url(admin_dsn: str, database: str) -> str:
    """SQLAlchemy address of the database, password included where the login has one."""
    parts = pgconninfo.conninfo_to_dict(admin_dsn)
    user = quote(str(parts.get("user") or "postgres"))
    password = f":{quote(str(parts['password']), safe='')}" if parts.get("password") else ""
    query = urlencode({k: str(parts[k]) for k in ("host", "port") if parts.get(k)})
    return f"postgresql+psycopg://{user}{password}@/{database}?{query}"


def _ddl(table: Table) -> sql.Composed:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(TYPES[kind])) for column, kind in table.columns.items()
    ]
    columns.append(sql.SQL("primary key ({})").format(sql.SQL(", ").join(map(sql.Identifier, table.key))))
    return sql.SQL("create table {} ({})").format(sql.Identifier(table.name), sql.SQL(", ").join(columns))


def _copy(
    connection: psycopg.Connection[tuple[object, ...]],
    table: Table,
    target: sql.Identifier,
    city: City,
    before: City | None,
) -> None:
    rows = city.shown[table.full_name]
    if before is not None:
        rows = changed(before.shown[table.full_name], rows, table.full_name)
    text = as_text(rows, table, SQL, city.breaks)
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("copy {} from stdin with (format csv, null '\\N')").format(target)) as copy,
    ):
        copy.write(text.write_csv(include_header=False, null_value="\\N"))


def _upsert(table: Table) -> sql.Composed:
    columns = [sql.Identifier(column) for column in table.columns]
    keys = [sql.Identifier(column) for column in table.key]
    others = [sql.Identifier(column) for column in table.columns if column not in table.key]
    return sql.SQL("insert into {} select {} from stage on conflict ({}) do update set {}").format(
        sql.Identifier(table.name),
        sql.SQL(", ").join(columns),
        sql.SQL(", ").join(keys),
        sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(column) for column in others),
    )
