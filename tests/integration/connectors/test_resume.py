"""A pull of the demo's real HTTP service that breaks in the middle of paging: where the next one goes on, or begins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import load_contracts
from connectors.landing import LandingResult, land_table
from demo import systems
from demo.city import generate
from demo.systems import market_store
from tests.integration.connectors.conftest import Gate, fingerprint
from warehouse.database import Database
from warehouse.errors import TransientError
from warehouse.settings import get_settings

SYSTEM = "market_supervision"
PAGE = 10
DAY = date(2026, 6, 30)
SECRET = "the secret of this test"


@dataclass
class Market:
    """The service, and what its store holds."""

    store: Path
    table: str = "enterprises"

    def do(self, statement: str, *values: Any) -> list[Any]:
        with market_store.opened(self.store) as connection:
            return connection.execute(statement, values).fetchall()

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(body) for (body,) in self.do(f"select body from {self.table}")]

    def land(self, database: Database, **options: Any) -> LandingResult:
        whole = load_contracts()[SYSTEM]
        # Small pages, so that a small city has many.
        contract = replace(whole, access=replace(whole.access, page_size=PAGE))
        options = {"run_id": "run", "gate": Gate(), "business_date": DAY, "raise_transient": False} | options
        return land_table(database, get_settings(), contract, contract.table(self.table), **options)

    def in_raw(self, database: Database) -> set[str]:
        key = load_contracts()[SYSTEM].table(self.table).key[0]
        with database.psycopg("pipeline") as connection:
            return {
                k
                for (k,) in connection.execute(f"select {key} from raw_{SYSTEM}.{self.table} where _deleted_at is null")
            }

    def break_at(self, page: int) -> None:
        self.do("insert into faults values ('error', ?, ?)", self.table, page)

    def repair(self) -> None:
        self.do("delete from faults")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("market") / "store.sqlite"
    market_store.build(store, generate(600, 7))
    return store


@pytest.fixture
def market(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    store = tmp_path / "store.sqlite"
    store.write_bytes(built.read_bytes())
    with systems._in_thread(store, 0, SECRET, 1000.0) as port:
        for name, value in {"URL": f"http://127.0.0.1:{port}", "KEY_ID": systems.KEY_ID, "SECRET": SECRET}.items():
            monkeypatch.setenv(f"CITYHUB_SOURCE_{SYSTEM.upper()}_{name}", value)
        yield Market(store)


def state(database: Database, *columns: str) -> tuple[Any, ...]:
    with database.psycopg("pipeline") as connection:
        found = connection.execute(f"select {', '.join(columns)} from ops.source_states").fetchone()
    assert found is not None
    return found


def content(database: Database) -> list[Any]:
    with database.psycopg("pipeline") as connection:
        return connection.execute(
            f"select uscc, _row_hash from raw_{SYSTEM}.enterprises where _deleted_at is null order by 1"
        ).fetchall()


def test_a_pull_broken_at_a_page_goes_on_behind_the_last_committed_one(database: Database, market: Market) -> None:
    total = len(market.rows())
    assert total > 3 * PAGE
    market.break_at(3)

    broken = market.land(database)

    assert (broken.state, broken.is_current, broken.read) == ("admitted", False, 2 * PAGE)
    assert broken.read == broken.inserted + broken.updated + broken.unchanged + broken.quarantined
    assert "HTTP 500" in (broken.broken or "")
    assert "goes on there" in (broken.reason or "")
    told = state(database, "state", "cursor", "last_error", "last_admitted_batch_id", "swept_on")
    assert told == ("stale", broken.cursor, broken.broken, broken.batch_id, DAY)
    in_order = sorted(row["updated_at"] for row in market.rows())
    assert broken.cursor in in_order[: 2 * PAGE], "no row behind the break moved the cursor"

    # Still broken, a page further on: nothing already committed is asked for again but the overlap.
    market.repair()
    market.break_at(2)
    further = market.land(database)
    assert (further.state, further.is_current, further.read) == ("admitted", False, PAGE)

    market.repair()
    rest = market.land(database)
    assert (rest.state, rest.is_current) == ("admitted", True)
    assert rest.read < total - PAGE
    assert state(database, "state", "last_error") == ("admitted", None)
    in_pieces = content(database)
    # Every row is there once, as one whole pull brings them.
    whole = market.land(database, full=True)
    assert (whole.read, whole.inserted, whole.updated, whole.deleted) == (total, 0, 0, 0)
    assert content(database) == in_pieces


def test_the_next_try_of_the_same_run_goes_on(database: Database, market: Market) -> None:
    market.break_at(3)
    with pytest.raises(TransientError, match="HTTP 500"):
        market.land(database, raise_transient=True)
    market.repair()
    assert market.land(database, raise_transient=True).inserted < len(market.rows()) - PAGE


def test_a_sweep_that_breaks_is_still_due_and_marks_nothing_deleted(database: Database, market: Market) -> None:
    market.land(database)
    gone, silent = (row["uscc"] for row in sorted(market.rows(), key=lambda row: row["updated_at"])[:2])
    assert {gone, silent} <= market.in_raw(database)
    market.do("delete from enterprises where key = ?", gone)
    market.do("update enterprises set body = json_set(body, '$.address', 'moved') where key = ?", silent)
    market.break_at(2)

    later = date(2026, 7, 7)
    broken = market.land(database, business_date=later)

    assert (broken.is_current, broken.updated, broken.deleted) == (False, 1, 0)
    assert state(database, "swept_on") == (DAY,)
    market.repair()
    swept = market.land(database, business_date=later)
    assert (swept.is_current, swept.deleted) == (True, 1)
    assert gone not in market.in_raw(database)


@pytest.mark.parametrize("why", ["snapshot", "order", "gate"])
def test_where_the_head_of_a_pull_proves_nothing_none_of_it_is_kept(
    database: Database, market: Market, why: str
) -> None:
    """A snapshot is one or none; rows out of the promised order leave holes; the gate refused what came."""
    gate = Gate(("rejects",) if why == "gate" else ())
    if why == "snapshot":
        market.table = "licences"
    if why == "order":
        market.do("update enterprises set changed = -changed")
    market.break_at(3)

    broken = market.land(database, gate=gate)

    assert (broken.state, broken.read, broken.cursor) == ("failed", 0, None)
    assert "HTTP 500" in (broken.reason or "")
    assert state(database, "state", "cursor", "swept_on") == ("stale", None, None)
    assert market.in_raw(database) == set()
    market.repair()
    assert market.land(database).is_current
    assert len(market.in_raw(database)) > 2 * PAGE


def test_what_is_committed_stays_bit_for_bit_when_the_next_pull_breaks_at_once(
    database: Database, market: Market
) -> None:
    market.land(database)
    table = load_contracts()[SYSTEM].table("enterprises")
    before = fingerprint(database, table)
    market.break_at(1)
    assert market.land(database).state == "failed"
    assert fingerprint(database, table) == before
