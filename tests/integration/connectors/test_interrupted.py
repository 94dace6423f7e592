"""A loader killed anywhere, two at once, one whose connection is cut: started again, nothing is lost and nothing
doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import Any

import psycopg
import pytest

from warehouse.database import Database
from warehouse.errors import TransientError

# Runs one landing in a process of its own and dies at the named moment, the way kill -9 does.
LOADER = """
import os, signal, sys
from pathlib import Path
import connectors.landing.land as land
from connectors.contract import load_contract
from connectors.landing import GateResult, land_table
from connectors.landing.stage import Stage
from connectors.transports.sql import SqlTransport
from warehouse.database import Database
from warehouse.settings import get_settings

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def dying_after(function):
    def run(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return run

moment = sys.argv[3]
gate = die if moment == "gate" else lambda request: GateResult(True)
if moment == "reading":
    SqlTransport._streamed = die
if moment == "quarantine stage":
    Stage._copy_rejected = dying_after(Stage._copy_rejected)
if moment == "first chunk":
    Stage.add = dying_after(Stage.add)
if moment == "quarantine":
    land.store_rejected = dying_after(land.store_rejected)
if moment == "merge":
    land.merge = dying_after(land.merge)
if moment == "ledger":
    land.ledger.record = dying_after(land.ledger.record)
contract = load_contract(Path(sys.argv[2]))
database = Database(sys.argv[1], shown="test")
result = land_table(database, get_settings(), contract, contract.tables[0], run_id="killed", gate=gate)
if moment == "none":
    sys.exit(0 if result.is_current else 1)
die()
"""
MOMENTS = [
    "reading", "first chunk", "quarantine stage", "gate", "quarantine", "merge", "ledger", "after commit",
]  # fmt: skip


def loader(database: Database, kit: Any, moment: str) -> subprocess.Popen[bytes]:
    """A loader in a process of its own."""
    arguments = [database.conninfo, str(kit.folder / "fire_safety.yaml"), moment]
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(LOADER), *arguments], env=dict(os.environ))


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_loader_leaves_nothing_behind(
    database: Database, kit: Any, make_row: Any, raw: Any, moment: str
) -> None:
    contract = kit.contract("sql", "incremental")
    kit.sqlite([make_row(n) for n in range(20)] + [make_row("X", level="?")])
    assert loader(database, kit, moment).wait(timeout=60) == -signal.SIGKILL

    done = moment == "after commit"
    with database.psycopg("pipeline") as connection:
        kept = connection.execute("select count(*) from quarantine.rejected_rows").fetchone()
        there = connection.execute("select to_regclass('raw_fire_safety.checks') is not null").fetchone() == (True,)
    # All of the batch or none of it: neither its refused rows alone nor its good ones.
    assert kept == (int(done),)
    assert (len(raw(database, contract)) if there else 0) == (20 if done else 0)
    result = kit.land(database, contract)

    expected = (21, 0, 0, 20, 1) if done else (21, 20, 0, 0, 1)
    assert (result.read, result.inserted, result.updated, result.unchanged, result.quarantined) == expected
    assert len(raw(database, contract)) == 20
    with database.psycopg("pipeline") as connection:
        states = connection.execute("select state from ops.batches order by batch_id").fetchall()
        stages = connection.execute("select relname from pg_class where relname like '\\_stage\\_%'").fetchall()
        rejected = connection.execute("select count(*) from quarantine.rejected_rows").fetchall()
    assert states == [("admitted" if done else "failed",), ("admitted",)]
    assert (stages, rejected) == ([], [(1,)])


def test_two_loaders_at_once_take_turns(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "incremental")
    kit.sqlite([make_row(n) for n in range(20)] + [make_row("X", level="?")])
    both = [loader(database, kit, "none"), loader(database, kit, "none")]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert len(raw(database, contract)) == 20
    with database.psycopg("pipeline") as connection:
        batches = connection.execute(
            "select state, read_count, inserted_count, unchanged_count, quarantined_count from ops.batches"
            " order by inserted_count"
        ).fetchall()
    assert batches == [("admitted", 21, 0, 20, 1), ("admitted", 21, 20, 0, 1)]
    assert kit.land(database, contract).inserted == 0


def test_cut_connection_is_a_transient_failure(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])

    def cutting(request: Any) -> Any:
        with psycopg.connect(database.conninfo) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'cityhub landing%'"
            )
        return kit.gate(request)

    with pytest.raises(TransientError):
        kit.land(database, contract, gate=cutting)
    with database.psycopg("pipeline") as connection:
        assert connection.execute("select state from ops.source_states").fetchall() == [("stale",)]
    assert kit.land(database, contract).inserted == 1
    assert len(raw(database, contract)) == 1
