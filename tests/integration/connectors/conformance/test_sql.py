"""Postgres, MariaDB and SQLite."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import conninfo as pgconninfo

from connectors.contract import SystemContract
from tests.integration.connectors.conformance.suite import Bench, Conformance, Row, kit_in, row
from tests.integration.connectors.conftest import COLUMNS, Kit
from tests.integration.mariadb import MariaDB
from warehouse.database import Database

TYPES = {
    "site_no": "varchar(40)",
    "checked_on": "date",
    "fee_cny": "numeric(10,2)",
    "is_ok": "boolean",
    "level": "integer",
}


def local(value: Any) -> Any:
    """As a department's database holds it: times are local and name no zone."""
    if isinstance(value, dt.datetime):
        return value.astimezone(ZoneInfo("Asia/Shanghai")).replace(tzinfo=None)
    return value


class Sqlite:
    def __init__(self, kit: Kit) -> None:
        self.kit = kit

    def contract(self, mode: str) -> SystemContract:
        return self.kit.contract("sql", mode)

    def put(self, rows: list[Row], columns: tuple[str, ...] = COLUMNS, as_text: tuple[str, ...] = ()) -> None:
        texts = [[self._value(item.get(name)) for name in columns] for item in rows]
        self.kit.sqlite(texts, columns)

    def change(self, rows: list[Row], changed: list[Row]) -> None:
        self.put(rows)

    @staticmethod
    def _value(value: Any) -> Any:
        return value if value is None or isinstance(value, int) else str(local(value))


class Postgres:
    """A schema beside the warehouse's own."""

    def __init__(self, kit: Kit, conninfo: str) -> None:
        self.kit = kit
        self.conninfo = conninfo
        parts = pgconninfo.conninfo_to_dict(conninfo)
        host = quote(str(parts["host"]))
        kit.address(f"postgresql+psycopg://{parts['user']}@/{parts['dbname']}?host={host}&port={parts['port']}")

    def contract(self, mode: str) -> SystemContract:
        return self.kit.contract("sql", mode, "city.checks")

    def put(self, rows: list[Row], columns: tuple[str, ...] = COLUMNS, as_text: tuple[str, ...] = ()) -> None:
        types = TYPES | {"updated_at": "timestamp"} | dict.fromkeys(as_text, "text")
        with psycopg.connect(self.conninfo) as connection, connection.cursor() as cursor:
            cursor.execute("create schema if not exists city")
            cursor.execute("drop table if exists city.checks")
            names = ", ".join(f"{name} {types.get(name, 'text')}" for name in columns)
            cursor.execute(f"create table city.checks ({names})".encode())
            values = [[local(item.get(name)) for name in columns] for item in rows]
            cursor.executemany(f"insert into city.checks values ({', '.join(['%s'] * len(columns))})".encode(), values)

    def change(self, rows: list[Row], changed: list[Row]) -> None:
        self.put(rows)


class Maria:
    def __init__(self, kit: Kit, server: MariaDB, database: str) -> None:
        self.kit = kit
        self.server = server
        self.database = database
        kit.address(server.url(database))

    def contract(self, mode: str) -> SystemContract:
        return self.kit.contract("sql", mode)

    def put(self, rows: list[Row], columns: tuple[str, ...] = COLUMNS, as_text: tuple[str, ...] = ()) -> None:
        types = TYPES | {"updated_at": "datetime"} | dict.fromkeys(as_text, "longtext")
        names = ", ".join(f"{name} {types.get(name, 'longtext')}" for name in columns)
        with self.server.administrator(self.database) as cursor:
            cursor.execute("drop table if exists checks")
            cursor.execute(f"create table checks ({names}) character set utf8mb4 collate utf8mb4_bin")
            values = [[local(item.get(name)) for name in columns] for item in rows]
            if values:
                cursor.executemany(f"insert into checks values ({', '.join(['%s'] * len(columns))})", values)

    def change(self, rows: list[Row], changed: list[Row]) -> None:
        self.put(rows)


class TestSqlite(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqlite]:
        with kit_in(tmp_path_factory.mktemp("sqlite")) as kit:
            yield Sqlite(kit)


class TestPostgres(Conformance):
    carries_nul = False

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, conformance_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
        with kit_in(tmp_path_factory.mktemp("postgres")) as kit:
            yield Postgres(kit, conformance_database.conninfo)

    def test_a_nul_byte_has_no_place_there(self, bench: Bench) -> None:
        with pytest.raises(psycopg.DataError):
            bench.source.put([row("nul", name="a\0b")])


class PacedPostgres(Postgres):
    """The same server, whose contract sets a budget of rows a second: read by a cursor, which can be paced."""

    def contract(self, mode: str) -> SystemContract:
        return self.kit.contract("sql", mode, "city.checks", server={"rowsPerSecond": 100_000})


class TestPacedPostgres(TestPostgres):
    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, conformance_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
        with kit_in(tmp_path_factory.mktemp("paced")) as kit:
            yield PacedPostgres(kit, conformance_database.conninfo)


@pytest.mark.xdist_group("mariadb")
class TestMariaDB(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maria]:
        with kit_in(tmp_path_factory.mktemp("mariadb")) as kit, mariadb.database() as database:
            yield Maria(kit, mariadb, database)
