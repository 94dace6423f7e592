"""The SQL transport against a real MariaDB, and a table landed from it."""

from __future__ import annotations

import datetime as dt
import gc
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.transports import open_transport
from tests.integration.mariadb import PASSWORD, USER, MariaDB
from warehouse.database import Database
from warehouse.errors import CityhubError, HeldBatch, PermanentError, TransientError
from warehouse.settings import get_settings

# One server serves all tests of it, on one worker.
pytestmark = pytest.mark.xdist_group("mariadb")
NAME = "王𡈽㐂·😀"
MORNING = dt.datetime(2026, 6, 30, 0, 0, tzinfo=dt.UTC)  # 08:00 in Shanghai


class Source:
    """The table `checks` in a database of its own."""

    def __init__(self, mariadb: MariaDB, database: str) -> None:
        self.mariadb = mariadb
        self.database = database

    def create(self, rows: list[tuple[Any, ...]], *, flag: str = "tinyint(1)", instant: str = "datetime") -> None:
        marks = ", ".join(["%s"] * len(rows[0]))
        with self.mariadb.administrator(self.database) as cursor:
            # What is entered here is Shanghai's time, and an old application's mode lets zero dates in.
            cursor.execute("set time_zone = '+08:00', sql_mode = ''")
            cursor.execute(
                "create table checks (site_no varchar(20) primary key, name varchar(60) character set utf8mb4,"
                f" id_no varchar(40), checked_on date, fee_cny decimal(10,2), is_ok {flag}, level int,"
                f" updated_at {instant} null)"
            )
            cursor.executemany(f"insert into checks values ({marks})", rows)

    def do(self, *statements: str) -> None:
        with self.mariadb.administrator(self.database) as cursor:
            cursor.execute("set time_zone = '+08:00'")
            for statement in statements:
                cursor.execute(statement)


@pytest.fixture
def source(mariadb: MariaDB, mariadb_database: str, kit: Any) -> Source:
    kit.address(mariadb.url(mariadb_database))
    return Source(mariadb, mariadb_database)


def test_typed_source_lands_as_it_is(database: Database, kit: Any, source: Source, make_row: Any, raw: Any) -> None:
    empty = dict.fromkeys(("id_no", "checked_on", "fee_cny", "is_ok", "level"))
    source.create([make_row(0, name=NAME), make_row(1, is_ok=0, fee_cny="99999999.99"), make_row(2, **empty)])
    contract = kit.contract("sql", "snapshot")
    result = kit.land(database, contract)
    assert (result.state, result.read, result.inserted) == ("admitted", 3, 3)
    day, number = dt.date(2026, 6, 30), "11010519491231002X"
    assert raw(database, contract) == [
        ("S000", NAME, number, day, Decimal("12.50"), True, 3, MORNING),
        ("S001", "滨江消防站", number, day, Decimal("99999999.99"), False, 3, MORNING),
        ("S002", "滨江消防站", None, None, None, None, None, MORNING),
    ]


def test_zero_dates_of_old_applications_go_to_the_quarantine(
    database: Database, kit: Any, source: Source, make_row: Any
) -> None:
    source.create([make_row(0), make_row(1, checked_on="0000-00-00"), make_row(2)])
    result = kit.land(database, kit.contract("sql", "snapshot"))
    assert (result.state, result.inserted, result.quarantined) == ("admitted", 2, 1)
    with database.psycopg("pipeline") as connection:
        rejected = connection.execute("select payload->>'checked_on' from quarantine.rejected_rows").fetchall()
    assert rejected == [("0000-00-00",)]


@pytest.mark.parametrize(("flag", "instant"), [("tinyint(1)", "datetime"), ("bit(1)", "timestamp")])
def test_only_what_changed_since_the_cursor_comes(
    database: Database, kit: Any, source: Source, make_row: Any, raw: Any, flag: str, instant: str
) -> None:
    # The server's zone is not Shanghai's: a `timestamp` must not arrive in it.
    source.create([make_row(n, is_ok=1) for n in range(3)], flag=flag, instant=instant)
    contract = kit.contract("sql", "incremental")
    first = kit.land(database, contract)
    assert (first.state, first.inserted, first.cursor) == ("admitted", 3, "2026-06-30T08:00:00+08:00")
    assert raw(database, contract)[0][5:] == (True, 3, MORNING)

    source.do(
        "update checks set name = '新名', updated_at = '2026-06-30 07:15:00' where site_no = 'S001'",
        "update checks set name = '太旧', updated_at = '2026-06-30 06:59:59' where site_no = 'S002'",
        "insert into checks (site_no, name, updated_at) values ('S003', '新', '2026-06-30 09:30:00')",
    )
    second = kit.land(database, contract)
    assert (second.read, second.inserted, second.updated, second.unchanged) == (3, 1, 1, 1)
    assert second.cursor == "2026-06-30T09:30:00+08:00"


def test_pull_is_one_read_only_snapshot(kit: Any, source: Source, make_row: Any) -> None:
    source.create([make_row(0)])
    transport = open_transport(get_settings(), kit.contract("sql", "snapshot"))
    with transport._connection() as connection:  # type: ignore[attr-defined]
        count = sa.text("select count(*) from checks")
        assert connection.execute(count).scalar() == 1
        source.do("insert into checks (site_no) values ('S009')")
        assert connection.execute(count).scalar() == 1
        assert connection.exec_driver_sql("select @@tx_isolation").scalar() == "REPEATABLE-READ"
    # The login may write; the transaction may not (1792).
    with pytest.raises(CityhubError), transport._connection() as connection:  # type: ignore[attr-defined]
        connection.execute(sa.text("delete from checks"))
    with transport._connection() as connection:  # type: ignore[attr-defined]
        assert connection.execute(count).scalar() == 2


def test_rows_are_streamed_and_a_source_that_ends_half_way_is_transient(
    kit: Any,
    source: Source,
    make_row: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    monkeypatch.setattr("connectors.transports.sql.CHUNK_ROWS", 1000)
    source.create([make_row(0)])
    # 60 MB: more than the sockets' buffers take, so that the server must wait for its reader.
    source.do(
        "alter table checks modify name varchar(600) character set utf8mb4",
        "insert into checks (site_no, name) select concat('T', seq), repeat('x', 600) from seq_1_to_100000",
    )
    contract = kit.contract("sql", "snapshot")
    transport = open_transport(get_settings(), contract)
    batches = transport.pull(contract.tables[0], None).frames
    assert next(batches).height == 1000
    with source.mariadb.administrator() as cursor:
        cursor.execute("select id from information_schema.processlist where user = %s and info is not null", [USER])
        ((pull,),) = cursor.fetchall()
        cursor.execute(f"kill {pull}")
    with pytest.raises(TransientError) as caught:
        list(batches)
    assert "xxx" not in str(caught.value)
    transport.close()
    del batches, caught
    gc.collect()
    assert not caplog.records, "SQLAlchemy logs a cursor that cannot be closed, with the driver's text"
    assert not recwarn.list


def _guest(source: Source, user: str, grant: str) -> None:
    source.do(
        f"create or replace user {user}@'127.0.0.1' identified by '{PASSWORD}'",
        grant.format(user=f"{user}@'127.0.0.1'", database=source.database),
    )


def _assert_refused(kit: Any, source: Source, url: str, kind: type[CityhubError]) -> None:
    kit.address(url)
    contract = kit.contract("sql", "snapshot")
    transport = open_transport(get_settings(), contract)
    with pytest.raises(kind) as checked:
        transport.check()
    with pytest.raises(kind) as pulled:
        list(transport.pull(contract.tables[0], None).frames)
    for told in (checked.value, pulled.value):
        assert PASSWORD not in str(told)
        assert "s3cret" not in str(told)
        assert "127.0.0.1" in told.where


def test_refused_logins_and_rights_are_permanent_without_secrets(kit: Any, source: Source, make_row: Any) -> None:
    source.create([make_row(0)])
    server, name = source.mariadb, source.database
    _assert_refused(kit, source, server.url(name, password="s3cret"), PermanentError)
    _assert_refused(kit, source, server.url("no_such_database"), PermanentError)
    _guest(source, "guest_without_table", "grant insert on {database}.* to {user}")
    _guest(source, "guest_locked", "alter user {user} account lock")
    _guest(source, "guest_expired", "alter user {user} password expire")
    for user in ("guest_without_table", "guest_locked", "guest_expired"):
        _assert_refused(kit, source, server.url(name, user), PermanentError)


def test_columns_without_rights_hold_the_table(kit: Any, source: Source, make_row: Any) -> None:
    source.create([make_row(0)])
    _guest(source, "guest_of_columns", "grant select (site_no, name) on {database}.checks to {user}")
    _assert_refused(kit, source, source.mariadb.url(source.database, "guest_of_columns"), HeldBatch)


def test_a_server_that_is_not_there_is_transient(kit: Any, source: Source) -> None:
    _assert_refused(kit, source, f"mysql+pymysql://{USER}:s3cret@127.0.0.1:1/{source.database}", TransientError)


def test_a_guest_may_be_given_a_view_alone(
    database: Database, kit: Any, source: Source, make_row: Any, raw: Any
) -> None:
    source.create([make_row(0), make_row(1)], instant="timestamp")
    source.do("create sql security definer view shown as select * from checks where site_no = 'S001'")
    _guest(source, "guest_of_a_view", "grant select on {database}.shown to {user}")
    kit.address(source.mariadb.url(source.database, "guest_of_a_view"))
    contract = kit.contract("sql", "snapshot", source="shown")
    assert kit.land(database, contract).state == "admitted"
    assert [row[0] for row in raw(database, contract)] == ["S001"]
    assert raw(database, contract)[0][-1] == MORNING


def test_what_the_server_says_about_a_row_is_not_repeated(kit: Any, source: Source, make_row: Any) -> None:
    source.create([make_row(0, name=NAME)])
    source.do(
        "create function said(value text character set utf8mb4) returns int"
        " begin signal sqlstate '45000' set message_text = value; return 1; end",
        "create view shown as select site_no, name, id_no, checked_on, fee_cny, is_ok, said(name) as level, updated_at"
        " from checks",
    )
    contract = kit.contract("sql", "snapshot", source="shown")
    with pytest.raises(CityhubError) as caught:
        list(open_transport(get_settings(), contract).pull(contract.tables[0], None).frames)
    assert NAME not in str(caught.value)
    assert caught.value.__suppress_context__


def test_long_statements_are_ended_by_the_source(kit: Any, source: Source, make_row: Any) -> None:
    source.create([make_row(0)])
    source.do("create view slow as select * from checks where sleep(30) = 0")
    contract = kit.contract("sql", "snapshot", source="slow", server={"statementTimeoutSeconds": 1})
    with pytest.raises(TransientError, match="ended the pull's statement"):
        list(open_transport(get_settings(), contract).pull(contract.tables[0], None).frames)


def test_paced_pull_takes_no_more_rows_a_second_than_allowed(kit: Any, source: Source, make_row: Any) -> None:
    source.create([make_row(number) for number in range(240)])
    contract = kit.contract("sql", "snapshot", server={"rowsPerSecond": 200})
    batches = open_transport(get_settings(), contract).pull(contract.tables[0], None).batches
    arrived = [(monotonic(), frame.height) for frame in batches]
    assert sum(rows for _, rows in arrived) == 240
    for start, _ in arrived:
        assert sum(rows for at, rows in arrived if start <= at < start + 1) <= 200
