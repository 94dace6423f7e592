"""What every transport must do, landed for real: one class of tests that each transport inherits with a small source.

A transport is conformant when no test can tell through which of them the rows came.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest

from connectors.contract import SystemContract
from connectors.landing import LandingResult
from connectors.transports import open_transport
from tests.integration.connectors.conftest import COLUMNS, Gate, Kit
from warehouse.database import Database
from warehouse.errors import HeldBatch
from warehouse.settings import get_settings

Row = dict[str, Any]
SHANGHAI = dt.timezone(dt.timedelta(hours=8))
NAME = '王𡈽㐂·😀👨‍👩‍👧 O\'Brien "引",号\\n'
DATES = {
    "day before spreadsheets": dt.date(1899, 12, 31),
    "first Gregorian year": dt.date(1000, 1, 1),
    "leap day": dt.date(2000, 2, 29),
    "end of time": dt.date(9999, 12, 31),
}
DECIMALS = {name: Decimal(name) for name in ("0.00", "0.01", "0.10", "1234567.89", "99999999.99")}
# Shanghai had summer time from 1986 to 1991: nine hours from Greenwich, not eight.
MOMENTS = {
    "new year": dt.datetime(2025, 12, 31, 16, 0, tzinfo=dt.UTC),
    "summer time": dt.datetime(1988, 6, 30, 15, 0, tzinfo=dt.UTC),
    "a second before midnight": dt.datetime(2026, 6, 30, 15, 59, 59, tzinfo=dt.UTC),
}


def row(key: str, **changes: Any) -> Row:
    """A good row as Python knows it."""
    values: Row = {
        "site_no": key,
        "name": "滨江消防站",
        "id_no": "11010519491231002X",
        "checked_on": dt.date(2026, 6, 30),
        "fee_cny": Decimal("12.50"),
        "is_ok": True,
        "level": 3,
        "updated_at": dt.datetime(2026, 6, 30, 0, 0, tzinfo=dt.UTC),
    }
    return values | changes


class Source(Protocol):
    """A real source of one kind."""

    kit: Kit

    def contract(self, mode: str) -> SystemContract:
        """The contract of its table; `changes` where rows come by what changed, `snapshot` otherwise."""
        ...

    def put(self, rows: list[Row], columns: tuple[str, ...] = COLUMNS, as_text: tuple[str, ...] = ()) -> None:
        """The source holds exactly these rows now; columns in `as_text` are of a text type there."""
        ...

    def change(self, rows: list[Row], changed: list[Row]) -> None:
        """The source holds these rows now, of which some changed since it was last read."""
        ...


@dataclass
class Bench:
    """A source and the warehouse it lands in."""

    database: Database
    source: Source
    gate: Gate = field(default_factory=Gate)

    def land(self, mode: str = "snapshot") -> LandingResult:
        self.gate.fails = ()
        return self.source.kit.land(self.database, self.source.contract(mode), gate=self.gate)

    def raw(self, mode: str = "snapshot") -> dict[str, Row]:
        """Raw rows by key."""
        name = self.source.contract(mode).tables[0].qualified_name
        with self.database.psycopg("pipeline") as connection:
            found = connection.execute(f"select {', '.join(COLUMNS)} from {name}".encode()).fetchall()
        return {values[0]: dict(zip(COLUMNS, values, strict=True)) for values in found}

    def refused(self) -> dict[str, list[str]]:
        """Rules that refused rows, by key."""
        with self.database.psycopg("pipeline") as connection:
            found = connection.execute("select row_key, reasons from quarantine.rejected_rows").fetchall()
        return {key: [reason["rule"] for reason in reasons] for key, reasons in found}

    def new_columns(self) -> tuple[list[str], list[str]]:
        """Columns beyond the contract, as the ledger has them: of the last batch, and of the table now."""
        with self.database.psycopg("pipeline") as connection:
            found = connection.execute(
                "select b.new_columns, s.new_columns from ops.source_states as s"
                " inner join ops.batches as b on b.batch_id = s.last_batch_id"
            ).fetchone()
        assert found is not None
        return found[0], found[1]

    def forget(self) -> None:
        """A warehouse that never saw the source."""
        with self.database.psycopg("owner") as connection:
            connection.execute("set role none")
            connection.execute("drop schema if exists raw_fire_safety cascade")
            connection.execute(
                "truncate ops.batches, ops.source_states, ops.taken_drops, quarantine.rejected_rows cascade"
            )


@contextmanager
def kit_in(folder: Path) -> Iterator[Kit]:
    """A kit that outlives one test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CITYHUB_TOKEN_KEY", "a key for tests, long enough")
        get_settings.cache_clear()
        yield Kit(folder, patch)
    get_settings.cache_clear()


class Conformance:
    """Inherit it, give a class-scoped fixture `source`, and say what the source cannot hold."""

    widest: ClassVar[int] = 200_000
    carries_nul: ClassVar[bool] = True
    """Whether a text of the source can hold a NUL byte at all."""
    changes: ClassVar[str] = "incremental"
    """The load mode in which the transport brings what changed."""

    @pytest.fixture(scope="class")
    @classmethod
    def shared_bench(cls, conformance_database: Database, source: Source) -> Bench:
        return Bench(conformance_database, source)

    @pytest.fixture
    def bench(self, shared_bench: Bench) -> Bench:
        shared_bench.forget()
        return shared_bench

    @pytest.fixture(scope="class")
    @classmethod
    def edges(cls, shared_bench: Bench) -> dict[str, Row]:
        """Raw after one landing of everything that lies at an edge."""
        rows = [row("emoji", name=NAME), row("wide", name="很" * cls.widest)]
        rows += [row(key, checked_on=day) for key, day in DATES.items()]
        rows += [row(key, fee_cny=fee) for key, fee in DECIMALS.items()]
        rows += [row(key, updated_at=moment) for key, moment in MOMENTS.items()]
        rows += [row("false", is_ok=False, level=-7), row("null", **dict.fromkeys(COLUMNS[2:]))]
        rows += [row("nul", name="a\0b")] if cls.carries_nul else []
        shared_bench.forget()
        shared_bench.source.put(rows)
        landed = shared_bench.land()
        refused = shared_bench.refused()
        assert (landed.state, landed.read) == ("admitted", len(rows)), (landed.reason, refused)
        assert refused == ({"nul": ["nul_byte"]} if cls.carries_nul else {})
        return shared_bench.raw()

    def test_discovery(self, bench: Bench) -> None:
        bench.source.put([row("1")])
        contract = bench.source.contract("snapshot")
        with closing(open_transport(get_settings(), contract)) as transport:
            transport.check()
        bench.source.put([row("1")], tuple(name for name in COLUMNS if name != "level"))
        renamed = open_transport(get_settings(), contract)
        with closing(renamed), pytest.raises(HeldBatch, match="no longer delivers column level"):
            renamed.check()
        held = bench.land()
        assert (held.state, held.read) == ("held", 0)

    def test_a_new_column_is_recorded_and_reported_and_stops_nothing(self, bench: Bench) -> None:
        bench.source.put([row("1", colour="red"), row("2", colour=None)], (*COLUMNS, "colour"))
        with closing(open_transport(get_settings(), bench.source.contract("snapshot"))) as transport:
            assert transport.check() == {"checks": ["colour"]}
        landed = bench.land()
        assert (landed.state, landed.inserted, landed.new_columns) == ("admitted", 2, ("colour",))
        assert landed.reason == "not in the contract, not pulled: column colour"
        assert bench.new_columns() == (["colour"], ["colour"])
        bench.source.put([row("1"), row("2")])
        assert bench.land().new_columns == ()
        assert bench.new_columns() == ([], [])

    def test_a_missing_column_holds_the_batch(self, bench: Bench) -> None:
        bench.source.put([row("1"), row("2")])
        assert bench.land().inserted == 2
        bench.source.put([row("1"), row("2")], tuple(name for name in COLUMNS if name != "fee_cny"))
        held = bench.land()
        assert (held.state, held.read, held.new_columns) == ("held", 0, None)
        assert "no longer delivers column fee_cny" in (held.reason or "")
        assert bench.raw()["1"]["fee_cny"] == row("1")["fee_cny"]

    def test_a_retyped_column_holds_the_batch_and_one_bad_value_does_not(self, bench: Bench) -> None:
        rows = [row(str(number)) for number in range(4)]
        bench.source.put(rows)
        assert bench.land().inserted == 4
        one = [{**item, "level": "three" if item["site_no"] == "1" else "3"} for item in rows]
        bench.source.put(one, as_text=("level",))
        landed = bench.land()
        assert (landed.state, landed.unchanged, landed.quarantined) == ("admitted", 3, 1)
        bench.source.put([{**item, "level": "three"} for item in rows], as_text=("level",))
        held = bench.land()
        assert (held.state, held.read, held.quarantined) == ("held", 4, 4)
        assert "level no longer reads as integer (none of 4 values does)" in (held.reason or "")
        assert {values["level"] for values in bench.raw().values()} == {3}

    def test_types(self, edges: dict[str, Row]) -> None:
        assert edges["0.10"] == row("0.10", fee_cny=Decimal("0.10"))
        assert edges["false"] == row("false", is_ok=False, level=-7)
        assert edges["null"] == row("null", **dict.fromkeys(COLUMNS[2:]))

    def test_keys_are_kept_as_they_are(self, bench: Bench) -> None:
        keys = ["7", "007", "a", "A", "1e5", "１"]
        bench.source.put([row(key) for key in keys])
        assert bench.land().inserted == len(keys)
        assert sorted(bench.raw()) == sorted(keys)

    def test_paging(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("sql", "files", "rest"):
            # Small portions, so that their seams are many.
            monkeypatch.setattr(f"connectors.transports.{module}.CHUNK_ROWS", 500)
        rows = [row(f"S{number:04d}", level=number) for number in range(1203)]
        bench.source.put(rows)
        landed = bench.land()
        assert (landed.state, landed.read, landed.inserted) == ("admitted", 1203, 1203)
        assert [values["level"] for _, values in sorted(bench.raw().items())] == list(range(1203))

    def test_resume(self, bench: Bench) -> None:
        """What was not admitted comes again; what was comes once more only where the overlap asks for it."""
        rows = [row(str(number)) for number in range(3)]
        bench.source.put(rows)
        bench.gate.fails = ("volume",)
        contract = bench.source.contract(self.changes)
        held = bench.source.kit.land(bench.database, contract, gate=bench.gate)
        assert (held.state, held.cursor) == ("held", None)
        first = bench.land(self.changes)
        assert (first.state, first.inserted) == ("admitted", 3)
        assert first.cursor is not None

        later = dt.datetime(2026, 7, 1, 0, 0, tzinfo=dt.UTC)
        changed = [row("1", name="新名", updated_at=later), row("3", updated_at=later)]
        bench.source.change([rows[0], rows[2], *changed], changed)
        second = bench.land(self.changes)
        assert (second.inserted, second.updated) == (1, 1)
        assert (second.cursor or "") > first.cursor
        assert bench.raw(self.changes)["1"]["name"] == "新名"

    def test_idempotence(self, bench: Bench) -> None:
        rows = [row("1", name=NAME), row("2", fee_cny=Decimal("0.10"), is_ok=None), row("3", level=None)]
        bench.source.put(rows)
        assert bench.land().inserted == 3
        before = bench.raw()
        again = bench.land()
        assert (again.state, again.read, again.unchanged) == ("admitted", 3, 3)
        bench.source.put(rows)
        delivered = bench.land()
        assert (delivered.inserted, delivered.updated, delivered.deleted, delivered.unchanged) == (0, 0, 0, 3)
        assert bench.raw() == before

    def test_empty_source_and_one_row(self, bench: Bench) -> None:
        bench.source.put([])
        empty = bench.land()
        assert (empty.state, empty.read) == ("admitted", 0)
        bench.source.put([row("1")])
        one = bench.land()
        assert (one.state, one.read, one.inserted) == ("admitted", 1, 1)

    def test_wide_text(self, edges: dict[str, Row]) -> None:
        assert edges["wide"]["name"] == "很" * self.widest

    def test_nul_bytes_reach_the_quarantine_or_cannot_be(self, edges: dict[str, Row]) -> None:
        # That the row was refused, as `nul_byte` and alone, is asserted where it landed.
        assert "nul" not in edges

    def test_emoji_and_rare_characters(self, edges: dict[str, Row]) -> None:
        assert edges["emoji"]["name"] == NAME

    def test_dates_at_the_edges(self, edges: dict[str, Row]) -> None:
        assert {key: edges[key]["checked_on"] for key in DATES} == DATES

    def test_decimals_are_exact(self, edges: dict[str, Row]) -> None:
        assert {key: str(edges[key]["fee_cny"]) for key in DECIMALS} == {key: key for key in DECIMALS}

    def test_time_zones(self, edges: dict[str, Row]) -> None:
        assert {key: edges[key]["updated_at"] for key in MOMENTS} == MOMENTS
