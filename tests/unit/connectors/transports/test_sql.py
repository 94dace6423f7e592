"""The SQL transport over SQLite; Postgres is in the integration tests."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import oracle

from connectors.contract import Access
from connectors.transports.clock import since
from connectors.transports.sql import SqlTransport, _query
from warehouse.errors import CityhubError, ConfigurationError, HeldBatch, PermanentError, TransientError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "cases.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table cases (case_no, seq integer, at datetime, note, extra)")
        connection.executemany(
            "insert into cases values (?, ?, ?, ?, 1)",
            [
                ("C1", 1, "2026-06-30 08:00:00", None),
                ("C2", "two", "2026-06-30 09:30:00", 0.1),
                ("C3", 3, None, "😀\x00"),
                ("C4", 4, "2026-06-30 10:00:00", b"\xff"),
            ],
        )
    connection.close()
    return path


def rows(transport: SqlTransport, table: Any, cursor: str | None = None) -> pl.DataFrame:
    return pl.concat(list(transport.pull(table, cursor).frames))


def test_values_come_as_received_with_their_position(source: Path, contract: Any) -> None:
    system = contract("sql")
    transport = SqlTransport(f"sqlite:///{source}", system)
    pull = transport.pull(system.tables[0], None)
    frame = pl.concat(list(pull.frames))
    assert set(frame.drop("_position").schema.dtypes()) == {pl.String()}
    assert frame.rows()[1:] == [
        ("C2", "two", "2026-06-30 09:30:00", "0.1", {"row": 2}),
        ("C3", "3", None, "😀\x00", {"row": 3}),
        ("C4", "4", "2026-06-30 10:00:00", "\\xff", {"row": 4}),
    ]
    assert (pull.is_complete, pull.new_columns) == (True, ["extra"])


def test_incremental_pull_goes_back_by_the_overlap_and_takes_rows_without_cursor(source: Path, contract: Any) -> None:
    system = contract("sql", load_mode="incremental", cursor="at")
    transport = SqlTransport(f"sqlite:///{source}", system)
    # 02:00 UTC is 10:00 in Shanghai, less the overlap of one hour.
    found = rows(transport, system.tables[0], "2026-06-30T02:00:00+00:00")
    assert found.get_column("case_no").to_list() == ["C3", "C2", "C4"]
    assert not transport.pull(system.tables[0], "2026-06-30T02:00:00+00:00").is_complete


def test_many_chunks_are_streamed(source: Path, contract: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.transports.sql.CHUNK_ROWS", 3)
    system = contract("sql")
    pull = SqlTransport(f"sqlite:///{source}", system).pull(system.tables[0], None)
    frames = list(pull.frames)
    assert [frame.height for frame in frames] == [3, 1]
    assert frames[1].get_column("_position").to_list() == [{"row": 4}]


def test_source_is_opened_read_only(source: Path, contract: Any) -> None:
    transport = SqlTransport(f"sqlite:///{source}", contract("sql"))
    with pytest.raises(CityhubError), transport._connection() as connection:
        connection.exec_driver_sql("delete from cases")
    assert rows(transport, transport.contract.tables[0]).height == 4


def test_all_statements_of_a_pull_see_one_state(source: Path, contract: Any) -> None:
    writer = sqlite3.connect(source)
    writer.execute("pragma journal_mode = wal")
    transport = SqlTransport(f"sqlite:///{source}", contract("sql"))
    with transport._connection() as connection:
        assert connection.exec_driver_sql("select count(*) from cases").scalar() == 4
        with writer:
            writer.execute("delete from cases")
        assert connection.exec_driver_sql("select count(*) from cases").scalar() == 4
    writer.close()
    with transport._connection() as connection:
        assert connection.exec_driver_sql("select count(*) from cases").scalar() == 0


def test_long_pull_is_ended(source: Path, contract: Any) -> None:
    with sqlite3.connect(source) as connection:
        connection.execute(
            "create view endless as with recursive n(seq) as (select 1 union all select seq + 1 from n)"
            " select 'C' as case_no, seq, null as at, null as note from n where seq < 0"
        )
    connection.close()
    system = replace(contract("sql", source_name="endless"), access=Access(statement_timeout_seconds=1))
    with pytest.raises(TransientError, match="ended the pull's statement") as caught:
        rows(SqlTransport(f"sqlite:///{source}", system), system.tables[0])
    assert "within 1 s" in caught.value.expected


def test_paced_pull_takes_no_more_rows_a_second_than_allowed(source: Path, contract: Any) -> None:
    with sqlite3.connect(source) as connection:
        connection.executemany("insert into cases values (?, 1, null, null, 1)", [(f"D{n}",) for n in range(1496)])
    connection.close()
    system = replace(contract("sql"), access=Access(rows_per_second=1000))
    pull = SqlTransport(f"sqlite:///{source}", system).pull(system.tables[0], None)
    arrived = [(monotonic(), frame.height) for frame in pull.frames]
    assert sum(count for _, count in arrived) == 1500
    for start, _ in arrived:
        assert sum(count for at, count in arrived if start <= at < start + 1) <= 1000


def test_renamed_column_is_held_by_name(source: Path, contract: Any) -> None:
    with sqlite3.connect(source) as connection:
        connection.execute("alter table cases rename column note to remark")
    connection.close()
    system = contract("sql")
    with pytest.raises(HeldBatch) as caught:
        rows(SqlTransport(f"sqlite:///{source}", system), system.tables[0])
    assert caught.value.what == "The source no longer delivers column note."
    assert "remark" in caught.value.expected
    assert caught.value.do


@pytest.mark.parametrize(
    ("own", "url", "what"),
    [
        ({"source_name": "gone"}, None, "no such table"),
        ({}, "sqlite:////nowhere/x.sqlite", "file does not exist"),
    ],
)
def test_what_is_not_there_is_permanent(source: Path, contract: Any, own: Any, url: str | None, what: str) -> None:
    system = contract("sql", **own)
    with pytest.raises(PermanentError, match=what):
        SqlTransport(url or f"sqlite:///{source}", system).check()


def test_file_that_is_no_database_is_permanent(tmp_path: Path, contract: Any) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(PermanentError, match="refuses the pull"):
        SqlTransport(f"sqlite:///{tmp_path / 'x.sqlite'}", contract("sql")).check()


def test_oracle_is_asked_in_its_own_dialect(contract: Any) -> None:
    table = contract("sql", source_name="traffic.cases", load_mode="incremental", cursor="at").tables[0]
    types = {**dict.fromkeys(table.column_names, sa.String()), "at": oracle.DATE()}
    start = since(table, "2026-06-30T02:00:00+00:00")
    compiled = _query(table, types, start, "oracle").compile(dialect=oracle.dialect())
    assert str(compiled).replace("\n", "") == (
        "SELECT traffic.cases.case_no, traffic.cases.seq, traffic.cases.at, traffic.cases.note FROM traffic.cases"
        " WHERE traffic.cases.at >= :at_1 OR traffic.cases.at IS NULL ORDER BY traffic.cases.at"
    )
    assert str(compiled.params["at_1"]) == "2026-06-30 09:00:00"


def test_address_hides_the_password(contract: Any) -> None:
    transport = SqlTransport("mysql+pymysql://hub:s3cret@db.example/city?charset=utf8mb4", contract("sql"))
    assert transport.address == "mysql+pymysql://hub:***@db.example/city"


def test_unreadable_url_is_a_configuration_error(contract: Any) -> None:
    for url in ("no url, s3cret", "nosuchdb://hub:s3cret@host/x"):
        with pytest.raises(ConfigurationError) as caught:
            SqlTransport(url, contract("sql"))
        assert "s3cret" not in str(caught.value)
