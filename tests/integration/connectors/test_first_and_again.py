"""A first load takes raw's place, a complete one after it stages only what differs; both end as any other landing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import polars as pl
import pytest

from connectors.contract import GateRequest, GateResult
from connectors.landing import ensure_raw
from connectors.transports.sql import SqlTransport
from warehouse.database import Database
from warehouse.errors import HeldBatch

SHAPE = """
select
    (select array_agg((attname, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum))::text
        order by attname) from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped),
    (select array_agg((conname, contype, pg_get_constraintdef(oid))::text order by conname)
        from pg_constraint where conrelid = c.oid and contype <> 'n'),
    (select array_agg(indexdef order by indexname) from pg_indexes where schemaname = 'raw_fire_safety'),
    obj_description(c.oid, 'pg_class'), c.relpersistence, c.relowner::regrole::text, c.relacl::text
from pg_class as c where c.oid = 'raw_fire_safety.checks'::regclass
"""


def shape(database: Database) -> Any:
    with database.psycopg("pipeline") as connection:
        return connection.execute(SHAPE).fetchone()


class Counting:
    """A gate that notes how many rows were staged."""

    def __init__(self, database: Database, *, passes: bool = True) -> None:
        self._database = database
        self._passes = passes
        self.staged: list[int] = []
        self.warnings: dict[str, int] = {}

    def __call__(self, request: GateRequest) -> GateResult:
        with self._database.psycopg("pipeline") as connection:
            (rows,) = connection.execute(f"select count(*) from {request.stage}".encode()).fetchone() or (0,)
        self.staged.append(rows)
        self.warnings = dict(request.warnings)
        return GateResult(self._passes, failed=() if self._passes else ("told so",))


def test_a_first_load_leaves_the_table_the_contract_describes(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    ensure_raw(database, {"fire_safety": contract})
    created = shape(database)
    kit.sqlite([make_row(n) for n in range(30)] + [make_row(3), make_row("X", level="?")])
    result = kit.land(database, contract)
    assert (result.read, result.inserted, result.quarantined) == (32, 30, 2)
    assert shape(database) == created
    with database.psycopg("pipeline") as connection:
        found = connection.execute(
            "select distinct _batch_id, _first_batch_id, _changed_at is null, _deleted_at is null, _row_hash is null"
            " from raw_fire_safety.checks"
        ).fetchall()
    assert found == [(result.batch_id, result.batch_id, False, True, False)]


def test_a_view_keeps_reading_the_raw_table_it_was_made_over(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    ensure_raw(database, {"fire_safety": contract})
    with database.psycopg("pipeline") as connection:
        connection.execute("create view raw_fire_safety.seen as select site_no from raw_fire_safety.checks")
    kit.sqlite([make_row(n) for n in range(3)])
    assert kit.land(database, contract).inserted == 3
    with database.psycopg("pipeline") as connection:
        assert connection.execute("select count(*) from raw_fire_safety.seen").fetchone() == (3,)


# What raw holds is known in memory, or is too much for that and compared in Postgres.
@pytest.fixture(params=["known", "listed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "listed":
        monkeypatch.setattr("connectors.landing.known.MOST_ROWS", 0)


@pytest.mark.usefixtures("way")
def test_each_row_counts_as_what_became_of_it(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(30)] + [make_row("X", level="?")])
    kit.land(database, contract)
    # One changed, one refused now, one repaired at the source, one new, two gone.
    rows = [make_row(n, name="改名" if n == 4 else "滨江消防站", level="?" if n == 5 else "3") for n in range(28)]
    kit.sqlite([*rows, make_row("X"), make_row(40)])
    gate = Counting(database)
    result = kit.land(database, contract, gate=gate)
    counts = (result.inserted, result.updated, result.unchanged, result.deleted, result.quarantined)
    assert (counts, gate.staged) == ((2, 1, 26, 2, 1), [3])
    with database.psycopg("pipeline") as connection:
        states = connection.execute("select row_key, status from quarantine.rejected_rows order by 1").fetchall()
        live = connection.execute("select count(*) from raw_fire_safety.checks where _deleted_at is null").fetchone()
    assert (states, live) == ([("S005", "open"), ("X", "repaired")], (30,))
    # The refused row comes back as it was: unchanged, and no work for its department any more.
    kit.sqlite(
        [*[make_row(n, name="改名" if n == 4 else "滨江消防站") for n in range(28)], make_row("X"), make_row(40)]
    )
    again = kit.land(database, contract, gate=gate)
    assert (again.unchanged, again.updated, again.inserted, again.deleted) == (30, 0, 0, 0)
    with database.psycopg("pipeline") as connection:
        assert connection.execute("select distinct status from quarantine.rejected_rows").fetchall() == [("repaired",)]


@pytest.mark.usefixtures("way")
def test_a_key_that_comes_as_it_was_and_otherwise_is_refused_twice(
    database: Database, kit: Any, make_row: Any, raw: Any
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(30)])
    kit.land(database, contract)
    before = raw(database, contract)
    kit.sqlite([*[make_row(n) for n in range(30)], make_row(7, name="改名")])
    result = kit.land(database, contract)
    assert (result.unchanged, result.updated, result.quarantined, result.deleted) == (29, 0, 2, 0)
    assert raw(database, contract) == before


@pytest.mark.usefixtures("way")
def test_a_row_that_only_warns_is_counted_each_time_it_comes(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    gate = Counting(database)
    for name in ("滨江消防站", "改名", "又改名"):
        # The row whose name changes is good; four others hold a number that is none.
        rows = [make_row(n, id_no="31011" if n < 4 else None, name=name if n == 9 else "站") for n in range(30)]
        kit.sqlite(rows)
        result = kit.land(database, contract, gate=gate)
        assert gate.warnings == {"id_no_identifier": 4}
    assert (result.updated, result.unchanged, gate.staged) == (1, 29, [30, 1, 1])


@pytest.mark.usefixtures("way")
def test_a_row_written_in_another_way_is_unchanged_and_its_copy_a_copy(
    database: Database, kit: Any, make_row: Any, raw: Any
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(30)])
    kit.land(database, contract)
    before = raw(database, contract)
    kit.sqlite([make_row(n, level="3.0" if n < 4 else "3") for n in range(30)] + [make_row(7, level=" 3")])
    result = kit.land(database, contract)
    assert (result.unchanged, result.updated, result.quarantined, result.deleted) == (30, 0, 1, 0)
    assert raw(database, contract) == before
    with database.psycopg("pipeline") as connection:
        reasons = connection.execute("select row_key, reasons -> 0 ->> 'rule' from quarantine.rejected_rows").fetchall()
    assert reasons == [("S007", "duplicate_row")]


@pytest.mark.usefixtures("way")
def test_only_what_differs_is_staged(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(30)])
    kit.land(database, contract)
    gate = Counting(database)
    # One row changed, one new, one that comes twice, one gone.
    rows = [make_row(n, name="改名" if n == 4 else "滨江消防站") for n in range(29)] + [make_row(40), make_row(7)]
    kit.sqlite(rows)
    result = kit.land(database, contract, gate=gate)
    assert gate.staged == [2]
    counts = (result.read, result.inserted, result.updated, result.unchanged, result.deleted, result.quarantined)
    assert counts == (31, 1, 1, 28, 1, 1)
    assert [row[1] for row in raw(database, contract)].count("改名") == 1
    again = kit.land(database, contract, gate=gate)
    assert (again.unchanged, again.quarantined, len(gate.staged)) == (30, 1, 1)


def test_a_held_batch_is_kept_whole_where_only_its_differences_were_staged(
    database: Database, kit: Any, make_row: Any, print_of: Any
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(30)])
    kit.land(database, contract)
    before = print_of(database, contract.tables[0])
    changed = [make_row(n, level="5" if n == 2 else "3") for n in range(30)] + [make_row(3, level="9")]
    kit.sqlite([*changed, make_row("X", level="?")])
    gate = Counting(database, passes=False)
    held = kit.land(database, contract, gate=gate)
    assert (held.state, held.read, held.quarantined, gate.staged) == ("held", 32, 32, [1])
    with database.psycopg("pipeline") as connection:
        kept = connection.execute(f"select site_no from quarantine.held_batch_{held.batch_id}").fetchall()
        refused = connection.execute("select row_key from quarantine.rejected_rows order by 1").fetchall()
    # Every row that came is in one of the two: the repeated key among the refused, the others whole.
    assert sorted(kept) == [(f"S{n:03d}",) for n in range(30) if n != 3]
    assert refused == [("S003",), ("S003",), ("X",)]
    assert print_of(database, contract.tables[0]) == before


def test_hashes_of_another_form_are_renewed_and_change_nothing(
    database: Database, kit: Any, make_row: Any, raw: Any
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(30)])
    kit.land(database, contract)
    with database.psycopg("pipeline") as connection:
        connection.execute("update raw_fire_safety.checks set _row_hash = gen_random_uuid()")
    before = raw(database, contract)
    kit.sqlite([make_row(n, name="改名" if n == 4 else "滨江消防站") for n in range(30)])
    gate = Counting(database)
    result = kit.land(database, contract, gate=gate)
    assert (result.updated, result.unchanged, gate.staged) == (1, 29, [30])
    assert sum(old != new for old, new in zip(before, raw(database, contract), strict=True)) == 1
    again = kit.land(database, contract, gate=gate)
    assert (again.unchanged, gate.staged) == (30, [30])


@pytest.mark.usefixtures("way")
def test_a_column_that_raw_shows_to_be_read_well_is_not_taken_for_retyped(
    database: Database, kit: Any, make_row: Any
) -> None:
    contract = kit.contract("sql", "snapshot", shrinkMaxShare=1)
    kit.sqlite([make_row(n) for n in range(30)])
    kit.land(database, contract)
    # Of the rows that nobody looked at before none has a level that can be read, and they are many.
    kit.sqlite([make_row(n, level="?" if n > 3 else "3") for n in range(30)])
    result = kit.land(database, contract)
    assert (result.state, result.unchanged, result.quarantined) == ("admitted", 4, 26)
    kit.sqlite([make_row(n, level="?") for n in range(30)])
    held = kit.land(database, contract)
    assert (held.state, held.reason.startswith("The source has another type in column level")) == ("held", True)


def test_of_a_pull_that_breaks_half_way_refused_rows_are_told_once_they_are_held(
    database: Database, kit: Any, make_row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.transports.sql.CHUNK_ROWS", 10)
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(30)])
    kit.land(database, contract)
    kit.sqlite([make_row(n, level="?" if n % 5 == 0 else "3") for n in range(30)])
    streamed = SqlTransport._streamed

    def broken(*arguments: Any) -> Iterator[pl.DataFrame]:
        with closing(streamed(*arguments)) as frames:
            yield next(frames)
            yield next(frames)
        raise HeldBatch("The list moved while it was read.")

    monkeypatch.setattr(SqlTransport, "_streamed", broken)
    held = kit.land(database, contract)
    assert (held.state, held.read, held.quarantined, held.rejected) == ("held", 20, 20, 4)
    with database.psycopg("pipeline") as connection:
        assert connection.execute("select count(*) from quarantine.rejected_rows").fetchone() == (4,)


def test_what_changed_lately_is_found_by_an_index_once_something_changed(
    database: Database, kit: Any, make_row: Any
) -> None:
    contract = kit.contract("sql", "snapshot")
    indexes = b"select count(*) from pg_indexes where indexname = 'checks__changed_at'"
    found = []
    for name in ("滨江消防站", "滨江消防站", "改名"):
        kit.sqlite([make_row(n, name=name) for n in range(3)])
        kit.land(database, contract)
        with database.psycopg("pipeline") as connection:
            found.append(connection.execute(indexes).fetchone())
    assert found == [(0,), (0,), (1,)]
