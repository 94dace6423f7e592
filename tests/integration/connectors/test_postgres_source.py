"""The SQL transport against a real Postgres, and a table landed from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from time import monotonic
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import conninfo as pgconninfo
from psycopg import sql

from connectors.checks.values import as_texts
from connectors.transports import open_transport
from warehouse.database import Database
from warehouse.errors import PermanentError, TransientError
from warehouse.settings import get_settings


@pytest.fixture
def source(database: Database, kit: Any, make_row: Any) -> Iterator[str]:
    """A department's database of its own on the same server; yields its conninfo."""
    name = f"city_{pgconninfo.conninfo_to_dict(database.conninfo)['dbname']}"
    with psycopg.connect(str(database.embedded_admin), autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    conninfo = pgconninfo.make_conninfo(str(database.embedded_admin), dbname=name)
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "create table checks (site_no text primary key, name text, id_no text, checked_on date,"
            " fee_cny numeric(10,2), is_ok boolean, level integer, updated_at timestamp)"
        )
        for number in range(3):
            connection.execute("insert into checks values (%s, %s, %s, %s, %s, %s, %s, %s)", make_row(number))
    parts = pgconninfo.conninfo_to_dict(conninfo)
    kit.address(f"postgresql+psycopg://{parts['user']}@/{name}?host={quote(str(parts['host']))}&port={parts['port']}")
    yield conninfo
    with psycopg.connect(str(database.embedded_admin), autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_typed_source_lands_as_it_is(database: Database, kit: Any, source: str, raw: Any) -> None:
    contract = kit.contract("sql", "incremental", source="public.checks")
    result = kit.land(database, contract)
    assert (result.state, result.inserted, result.cursor) == ("admitted", 3, "2026-06-30T08:00:00+08:00")
    moment = dt.datetime(2026, 6, 30, 0, 0, tzinfo=dt.UTC)
    expected = ("S000", "滨江消防站", "11010519491231002X", dt.date(2026, 6, 30), Decimal("12.50"), True, 3, moment)
    assert raw(database, contract)[0] == expected
    with database.psycopg("pipeline") as connection:
        grades = connection.execute(
            "select distinct _id_no_grade, length(_id_no_key) from raw_fire_safety.checks"
        ).fetchall()
    assert grades == [("certified", 64)]

    with psycopg.connect(source) as connection:
        connection.execute("update checks set name = '新名', updated_at = '2026-06-30 07:15' where site_no = 'S001'")
        connection.execute("update checks set name = '太旧', updated_at = '2026-06-30 06:45' where site_no = 'S002'")
    second = kit.land(database, contract)
    assert (second.read, second.updated, second.unchanged) == (2, 1, 1)


def test_pull_is_one_read_only_snapshot(database: Database, kit: Any, source: str) -> None:
    transport = open_transport(get_settings(), kit.contract("sql", "snapshot"))
    with transport._connection() as connection:  # type: ignore[attr-defined]
        settings = [
            connection.exec_driver_sql(f"show {name}").scalar()
            for name in ("transaction_read_only", "transaction_isolation")
        ]
    assert settings == ["on", "repeatable read"]


def test_refused_logins_and_rights_are_permanent_without_secrets(database: Database, kit: Any, source: str) -> None:
    contract = kit.contract("sql", "snapshot")
    parts = pgconninfo.conninfo_to_dict(source)
    for user, name in (("nobody_here", parts["dbname"]), ("postgres", "no_such_database")):
        kit.address(f"postgresql+psycopg://{user}:s3cret@/{name}?host={quote(str(parts['host']))}&port={parts['port']}")
        with pytest.raises(PermanentError) as caught:
            open_transport(get_settings(), contract).check()
        assert "s3cret" not in str(caught.value)
        assert "CITYHUB_SOURCE_FIRE_SAFETY_URL" in caught.value.do


def test_source_that_ends_half_way_fails_the_batch(
    database: Database, kit: Any, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.transports.sql.CHUNK_ROWS", 1)
    contract = kit.contract("sql", "snapshot")
    transport = open_transport(get_settings(), contract)
    batches = transport.pull(contract.tables[0], None).batches
    next(batches)
    with psycopg.connect(source, autocommit=True) as admin:
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    with pytest.raises(Exception, match=r"SQLSTATE|57P01|broke off") as caught:
        list(batches)
    assert caught.value.kind == "transient"  # type: ignore[attr-defined]


ODD = """
create view odd as select site_no, name, id_no, checked_on, fee_cny::{number} as fee_cny, is_ok, level, updated_at
from (values
    ('S1', '', null, date '0001-01-01', 0.10::numeric, true, 1::bigint, timestamptz '2026-06-30 08:00:00.12+08'),
    ('S2', e'two\\nlines\\r\\n"quoted", \\\\N \\\\.', '\\.', date '9999-12-31', 99999999999.99, false,
        -9223372036854775808, timestamptz '1969-12-31 23:59:59.999999+00'),
    ('S3', '😀𡈽㐂', ' ', null, 'NaN', null, null, 'infinity'),
    ('S4', 'a', 'b', date '0044-03-15 BC', 1, true, 1, null),
    ('S5', 'a', 'b', date 'infinity', 1, true, 1, null),
    (null, null, null, null, null, null, null, null)
) as v (site_no, name, id_no, checked_on, fee_cny, is_ok, level, updated_at)
"""


# Numbers of no declared length come as their text, others as what they are.
@pytest.mark.parametrize(("number", "one"), [("numeric", "1"), ("numeric(14,2)", "1.00")])
def test_copy_gives_the_values_a_cursor_gives(
    database: Database, kit: Any, source: str, monkeypatch: pytest.MonkeyPatch, number: str, one: str
) -> None:
    with psycopg.connect(source) as connection:
        # A server's own ideas of writing values must not reach us.
        connection.execute("alter role current_user set datestyle = 'SQL, DMY'")
        connection.execute("alter role current_user set timezone = 'Asia/Kolkata'")
        connection.execute(ODD.format(number=number).encode())
    contract = kit.contract("sql", "snapshot", source="odd")
    found = []
    try:
        for is_copied in (True, False):
            monkeypatch.setattr("connectors.transports.postgres.can_copy", lambda connection, yes=is_copied: yes)
            transport = open_transport(get_settings(), contract)
            found += [as_texts(frame, frame.columns) for frame in transport.pull(contract.tables[0], None).frames]
    finally:
        with psycopg.connect(source) as connection:
            connection.execute("alter role current_user reset all")
    copied, streamed = found
    assert copied.equals(streamed)
    two = 'two\nlines\r\n"quoted", \\N \\.'
    assert copied.drop("_position").rows() == [
        ("S1", "", None, "0001-01-01", "0.10", "true", "1", "2026-06-30T00:00:00.12+00:00"),
        (
            *("S2", two, "\\.", "9999-12-31", "99999999999.99", "false", "-9223372036854775808"),
            "1969-12-31T23:59:59.999999+00:00",
        ),
        ("S3", "😀𡈽㐂", " ", None, "NaN", None, None, "infinity"),
        ("S4", "a", "b", "0044-03-15 BC", one, "true", "1", None),
        ("S5", "a", "b", "infinity", one, "true", "1", None),
        (None, None, None, None, None, None, None, None),
    ]


def test_instants_with_fractions_land_to_the_microsecond(database: Database, kit: Any, source: str, raw: Any) -> None:
    with psycopg.connect(source) as connection:
        connection.execute("alter table checks alter updated_at type timestamptz using updated_at at time zone 'UTC'")
        connection.execute("update checks set updated_at = '2026-06-30 08:00:00.000001+08' where site_no = 'S001'")
    contract = kit.contract("sql", "incremental", source="public.checks")
    assert kit.land(database, contract).inserted == 3
    assert raw(database, contract)[1][-1] == dt.datetime(2026, 6, 30, 0, 0, 0, 1, tzinfo=dt.UTC)
    assert kit.land(database, contract).unchanged == 2


def test_pull_let_go_half_way_leaves_nothing_running(
    database: Database, kit: Any, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.transports.sql.CHUNK_ROWS", 1000)
    with psycopg.connect(source) as connection:
        connection.execute(
            "create view many as select n::text as site_no, repeat('x', 600) as name, null as id_no,"
            " null as checked_on, null as fee_cny, null as is_ok, null as level, null as updated_at"
            " from generate_series(1, 1000000) as n"
        )
    contract = kit.contract("sql", "snapshot", source="many")
    batches = open_transport(get_settings(), contract).pull(contract.tables[0], None).batches
    assert next(batches).height == 1000
    batches.close()  # type: ignore[attr-defined]
    with psycopg.connect(source) as connection:
        others = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            " and state <> 'idle' and backend_type = 'client backend'"
        ).fetchone()
    assert others == (0,)


def test_long_statements_are_ended_by_the_source(database: Database, kit: Any, source: str) -> None:
    with psycopg.connect(source) as connection:
        connection.execute("create view slow as select c.* from checks as c, pg_sleep(30)")
    contract = kit.contract("sql", "snapshot", source="slow", server={"statementTimeoutSeconds": 1})
    started = monotonic()
    with pytest.raises(TransientError, match="ended the pull's statement") as caught:
        list(open_transport(get_settings(), contract).pull(contract.tables[0], None).batches)
    assert monotonic() - started < 15
    assert "within 1 s" in caught.value.expected


def test_paced_pull_takes_no_more_rows_a_second_than_allowed(database: Database, kit: Any, source: str) -> None:
    with psycopg.connect(source) as connection:
        connection.execute("insert into checks (site_no) select n from generate_series(1, 500) as n")
    contract = kit.contract("sql", "snapshot", server={"rowsPerSecond": 400})
    arrived = [
        (monotonic(), frame.height)
        for frame in open_transport(get_settings(), contract).pull(contract.tables[0], None).batches
    ]
    assert sum(rows for _, rows in arrived) == 503
    for start, _ in arrived:
        assert sum(rows for at, rows in arrived if start <= at < start + 1) <= 400
