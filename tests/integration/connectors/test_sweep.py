"""What an incremental pull cannot see is found by the sweep that is due, and rows beyond the band go by leave alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from connectors.landing import Allowance
from tests.integration.connectors.test_land import counts, ledger, state
from warehouse.database import Database

FIRST = date(2026, 6, 30)


def swept_on(database: Database) -> date | None:
    (found,) = state(database, "swept_on")
    day: date | None = found
    return day


def test_a_row_changed_in_silence_and_a_vanished_one_are_found_when_the_sweep_is_due(
    database: Database, kit: Any, make_row: Any, raw: Any
) -> None:
    contract = kit.contract("sql", "incremental", sweepEveryDays=3)
    old = "2026-06-01 08:00:00"
    kit.sqlite([make_row(1), make_row(2, updated_at=old), make_row(3, updated_at=old)])
    first = kit.land(database, contract, business_date=FIRST)
    assert (counts(first), swept_on(database)) == ((3, 3, 0, 0, 0, 0), FIRST), "the first pull sees every row"

    # Neither moves updated_at: an incremental pull does not meet them.
    kit.sqlite([make_row(1), make_row(2, updated_at=old, name="新名")])
    for day in (date(2026, 7, 1), date(2026, 7, 2), FIRST):
        assert counts(kit.land(database, contract, business_date=day)) == (1, 0, 0, 1, 0, 0)
        assert swept_on(database) == FIRST
    assert [r[1] for r in raw(database, contract)] == ["滨江消防站"] * 3

    swept = kit.land(database, contract, business_date=date(2026, 7, 3))

    assert counts(swept) == (2, 0, 1, 1, 1, 0)
    assert [r[:2] for r in raw(database, contract)] == [("S001", "滨江消防站"), ("S002", "新名")]
    assert swept_on(database) == date(2026, 7, 3)
    assert ledger(database, "cursor_from")[-1] == (None,)
    assert swept.cursor == first.cursor, "a sweep does not lose the place"
    # The cost of a sweep comes once: the next run is incremental again.
    assert counts(kit.land(database, contract, business_date=date(2026, 7, 4))) == (1, 0, 0, 1, 0, 0)


def test_the_same_run_again_sweeps_again_only_if_it_did_not_end(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "incremental", sweepEveryDays=1)
    kit.sqlite([make_row(n, updated_at="2026-06-01 08:00:00") for n in range(9)] + [make_row(10)])
    kit.land(database, contract, business_date=FIRST)
    kit.gate.fails = ("volume",)
    kit.sqlite([make_row(n, updated_at="2026-06-01 08:00:00", level="4") for n in range(9)] + [make_row(10)])
    later = date(2026, 7, 1)
    assert kit.land(database, contract, business_date=later).state == "held"
    assert swept_on(database) == FIRST
    kit.gate.fails = ()
    assert counts(kit.land(database, contract, business_date=later)) == (10, 0, 9, 1, 0, 0)
    assert counts(kit.land(database, contract, business_date=later)) == (1, 0, 0, 1, 0, 0)


@pytest.mark.parametrize("mode", ["snapshot", "append"])
def test_only_incremental_tables_are_swept(database: Database, kit: Any, make_row: Any, mode: str) -> None:
    contract = kit.contract("sql", mode)
    kit.sqlite([make_row(1)])
    kit.land(database, contract, business_date=FIRST)
    assert contract.tables[0].sweep_every_days is None
    assert swept_on(database) is None


def test_a_sweep_that_misses_too_many_rows_is_held(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "incremental")
    kit.sqlite([make_row(n) for n in range(50)])
    kit.land(database, contract, business_date=FIRST)
    kit.sqlite([make_row(n) for n in range(30)])
    held = kit.land(database, contract, business_date=date(2026, 7, 7))
    assert held.state == "held"
    assert "20 of 50 rows would be marked deleted" in (held.reason or "")
    assert "cityhub run --allow-shrink fire_safety.checks" in (held.reason or "")


def test_rows_beyond_the_band_go_by_leave_and_on_record(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(50)])
    leave = Allowance("王主任", "two stations closed, letter of 12 June")
    kit.land(database, contract, allowance=leave)
    kit.sqlite([make_row(n) for n in range(30)])
    assert kit.land(database, contract).state == "held"

    result = kit.land(database, contract, allowance=leave)

    assert (result.state, result.deleted, len(raw(database, contract))) == ("admitted", 20, 30)
    assert result.reason == "20 of 50 rows marked deleted by leave of 王主任"
    with database.psycopg("pipeline") as connection:
        kept = connection.execute(
            "select batch_id, system, table_name, gone_count, before_count, allowed_by, why from quality.allowances"
        ).fetchall()
    # Leave that was given and not needed is no event.
    assert kept == [(result.batch_id, "fire_safety", "checks", 20, 50, leave.by, leave.why)]
    # It was for that run alone.
    kit.sqlite([make_row(n) for n in range(10)])
    assert kit.land(database, contract).state == "held"
