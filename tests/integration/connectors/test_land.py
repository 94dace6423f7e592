"""What becomes of a batch: admitted, held, failed; by load mode; with the ledger telling exactly that."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.contract import SystemContract
from connectors.landing import LandingResult
from connectors.landing.quarantine import list_rejected
from warehouse.database import Database
from warehouse.errors import TransientError


def ledger(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    with database.psycopg("pipeline") as connection:
        return connection.execute(f"select {', '.join(columns)} from ops.batches order by batch_id").fetchall()


def state(database: Database, *columns: str) -> tuple[Any, ...]:
    with database.psycopg("pipeline") as connection:
        found = connection.execute(f"select {', '.join(columns)} from ops.source_states").fetchone()
    assert found is not None
    return found


def counts(result: LandingResult) -> tuple[int, ...]:
    return (result.read, result.inserted, result.updated, result.unchanged, result.deleted, result.quarantined)


def test_snapshot_inserts_updates_deletes_and_revives(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(10)])
    first = kit.land(database, contract)
    assert (first.state, counts(first)) == ("admitted", (10, 10, 0, 0, 0, 0))

    kit.sqlite([make_row(n, name="新名" if n == 3 else "滨江消防站") for n in range(9)] + [make_row(20)])
    assert counts(kit.land(database, contract)) == (10, 1, 1, 8, 1, 0)
    assert [r[0] for r in raw(database, contract)] == [f"S{n:03d}" for n in (*range(9), 20)]
    assert len(raw(database, contract, live=False)) == 11

    kit.sqlite([make_row(n, name="新名" if n == 3 else "滨江消防站") for n in range(10)] + [make_row(20)])
    assert counts(kit.land(database, contract)) == (11, 1, 0, 10, 0, 0)
    assert len(raw(database, contract)) == 11


def test_nothing_changed_writes_nothing_and_asks_no_gate(
    database: Database, kit: Any, make_row: Any, print_of: Any
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(5)] + [make_row("", name="无编号")])
    kit.land(database, contract)
    before, version = print_of(database, contract.tables[0]), state(database, "content_version")

    again = kit.land(database, contract)

    assert (counts(again), again.gate) == ((6, 0, 0, 5, 0, 1), "skipped")
    assert len(kit.gate.asked) == 1
    assert print_of(database, contract.tables[0]) == before
    assert state(database, "content_version") == version == (1,)
    assert len(list_rejected(database)) == 1


def test_new_reject_without_any_change_meets_the_gate(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1), make_row(2)])
    kit.land(database, contract)
    kit.gate.fails = ("rejected_share",)
    kit.sqlite([make_row(1), make_row(2, level="many")])
    assert kit.land(database, contract).state == "held"


def test_rejected_row_is_kept_whole_and_its_raw_row_stays(
    database: Database, kit: Any, make_row: Any, raw: Any
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1), make_row(2)])
    kit.land(database, contract)
    kit.sqlite([make_row(1), make_row(2, level="多", fee_cny="-1", name="王小明")])

    result = kit.land(database, contract)

    assert counts(result) == (2, 0, 0, 1, 0, 1)
    assert [r[0] for r in raw(database, contract)] == ["S001", "S002"]
    (listed,) = list_rejected(database, system="fire_safety", table="checks")
    assert listed == {
        "id": listed["id"],
        "system": "fire_safety",
        "table": "checks",
        "key": "S002",
        "rules": ["range(fee_cny)", "type(level)"],
        "position": {"row": 2},
        "batch": result.batch_id,
        "status": "open",
    }
    with database.psycopg("pipeline") as connection:
        (payload,) = connection.execute("select payload from quarantine.rejected_rows").fetchone() or ({},)
    assert (payload["level"], payload["fee_cny"], payload["name"]) == ("多", "-1", "王小明")


def test_unreadable_key_defers_deletes_until_waived(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1), make_row(2)])
    kit.land(database, contract)
    kit.sqlite([make_row(1), make_row(None)])
    result = kit.land(database, contract)
    assert (result.deleted, len(raw(database, contract))) == (0, 2)
    assert "1 deletions wait" in (result.reason or "")

    with database.psycopg("pipeline") as connection:
        connection.execute("update quarantine.rejected_rows set status = 'waived'")
    assert kit.land(database, contract).deleted == 1


def test_incremental_takes_overlap_moves_cursor_and_never_deletes(
    database: Database, kit: Any, make_row: Any, raw: Any
) -> None:
    contract = kit.contract("sql", "incremental")
    kit.sqlite([make_row(1, updated_at="2026-06-29 08:00:00"), make_row(2, updated_at="2026-06-30 08:00:00")])
    first = kit.land(database, contract)
    assert first.cursor == "2026-06-30T08:00:00+08:00"

    kit.sqlite(
        [
            make_row(1, updated_at="2026-06-29 08:00:00", name="未见"),
            make_row(2, updated_at="2026-06-30 08:00:00"),
            make_row(3, updated_at="2026-06-30 07:30:00"),
            make_row(4, updated_at="2026-06-30 09:00:00"),
        ]
    )
    second = kit.land(database, contract)
    assert counts(second) == (3, 2, 0, 1, 0, 0)
    assert (second.cursor, second.as_of is not None) == ("2026-06-30T09:00:00+08:00", True)
    assert ledger(database, "cursor_from", "cursor_to")[1] == (first.cursor, second.cursor)

    kit.sqlite([make_row(4, updated_at="2026-06-30 09:00:00")])
    assert counts(kit.land(database, contract)) == (1, 0, 0, 1, 0, 0)
    assert len(raw(database, contract)) == 4
    # A full pull sees what vanished; three of four rows are more than may vanish in a table of their size: still five.
    assert counts(kit.land(database, contract, full=True)) == (1, 0, 0, 1, 3, 0)


def test_refused_row_does_not_move_the_cursor(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "incremental")
    kit.sqlite([make_row(1), make_row(2, updated_at="2206-01-01 00:00:00", level="x")])
    assert kit.land(database, contract).cursor == "2026-06-30T08:00:00+08:00"


def test_incremental_that_brings_nothing_is_admitted_without_gate(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "incremental")
    kit.sqlite([make_row(1)])
    kit.land(database, contract)
    kit.sqlite([])
    result = kit.land(database, contract)
    assert (result.state, result.gate, counts(result)) == ("admitted", "skipped", (0, 0, 0, 0, 0, 0))
    assert state(database, "state", "cursor") == ("admitted", "2026-06-30T08:00:00+08:00")


def test_shrink_beyond_the_band_is_held(database: Database, kit: Any, make_row: Any, print_of: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(100)])
    kit.land(database, contract)
    before = print_of(database, contract.tables[0])
    kit.sqlite([make_row(n) for n in range(79)])

    result = kit.land(database, contract)

    assert (result.state, counts(result)) == ("held", (79, 0, 0, 0, 0, 79))
    assert "21 of 100 rows would be marked deleted" in (result.reason or "")
    assert print_of(database, contract.tables[0]) == before
    kit.sqlite([make_row(n) for n in range(80)])
    assert kit.land(database, contract).deleted == 20


def test_held_batch_is_kept_whole_and_only_the_newest(
    database: Database, kit: Any, make_row: Any, print_of: Any
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])
    kit.land(database, contract)
    before = print_of(database, contract.tables[0])
    kit.gate.fails = ("row_count",)
    kit.sqlite([make_row(1, name="甲"), make_row(2), make_row(3, level="x")])
    older = kit.land(database, contract)

    held = kit.land(database, contract)

    assert (held.state, held.gate, held.read, held.quarantined, held.rejected) == ("held", "failed", 3, 3, 1)
    assert held.reason == "admission gate: row_count"
    assert print_of(database, contract.tables[0]) == before
    assert state(database, "state", "last_error", "last_batch_id", "last_admitted_batch_id") == (
        "held",
        held.reason,
        held.batch_id,
        1,
    )
    with database.psycopg("pipeline") as connection:
        kept = connection.execute(f"select site_no from quarantine.held_batch_{held.batch_id} order by 1").fetchall()
        gone = connection.execute("select to_regclass(%s)", [f"quarantine.held_batch_{older.batch_id}"]).fetchone()
    assert (kept, gone) == ([("S001",), ("S002",)], (None,))

    kit.gate.fails = ()
    assert counts(kit.land(database, contract)) == (3, 1, 1, 0, 0, 1)
    assert state(database, "state", "last_error") == ("admitted", None)


@pytest.mark.parametrize(
    ("mode", "own", "rows", "expected", "names"),
    [
        # Copies: the first stays, the others are the department's to remove.
        ("snapshot", {}, [("A", "甲"), ("A", "甲"), ("B", "乙")], (3, 2, 0, 0, 0, 1), ["甲", "乙"]),
        # A snapshot that contradicts itself: nobody knows which row is right.
        ("snapshot", {}, [("A", "甲"), ("A", "丙"), ("B", "乙")], (3, 1, 0, 0, 0, 2), ["乙"]),
        # Append: what arrives later is the later state of the same event.
        ("append", {}, [("A", "甲"), ("A", "丙"), ("A", "丙")], (3, 1, 1, 1, 0, 0), ["丙"]),
    ],
)
def test_repeated_keys(
    database: Database, kit: Any, make_row: Any, raw: Any, mode: str, own: Any, rows: Any, expected: Any, names: Any
) -> None:
    contract = kit.contract("sql", mode, **own)
    kit.sqlite([make_row(key, name=name) for key, name in rows])
    assert counts(kit.land(database, contract)) == expected
    assert [r[1] for r in raw(database, contract)] == names
    rejected = {rule for entry in list_rejected(database) for rule in entry["rules"]}
    assert rejected <= {"duplicate_row", "unique_key"}


def test_repeated_key_with_a_cursor_takes_the_later_version(
    database: Database, kit: Any, make_row: Any, raw: Any
) -> None:
    contract = kit.contract("sql", "incremental")
    kit.sqlite(
        [
            make_row("A", name="新", updated_at="2026-06-30 10:00:00"),
            make_row("A", name="旧", updated_at="2026-06-30 09:00:00"),
            make_row("B", name="一"),
            make_row("B", name="二"),
        ]
    )
    assert counts(kit.land(database, contract)) == (4, 1, 1, 0, 0, 2)
    assert [r[:2] for r in raw(database, contract)] == [("A", "新")]


def test_set_aside_rows_return_to_a_held_batch(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "append")
    kit.sqlite([make_row("A", name="甲"), make_row("A", name="丙")])
    kit.gate.fails = ("row_count",)
    held = kit.land(database, contract)
    with database.psycopg("pipeline") as connection:
        (kept,) = connection.execute(f"select count(*) from quarantine.held_batch_{held.batch_id}").fetchone() or (0,)
    assert (held.quarantined, kept) == (2, 2)


def test_missing_column_is_held_and_named(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    columns = [name if name != "level" else "grade" for name in contract.tables[0].column_names]
    kit.sqlite([make_row(1)], columns)
    result = kit.land(database, contract)
    assert (result.state, result.read) == ("held", 0)
    assert "no longer delivers column level" in (result.reason or "")
    assert "grade" in (result.reason or "")


def test_extra_column_is_reported_and_not_pulled(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([(*make_row(1), "x")], [*contract.tables[0].column_names, "remark"])
    result = kit.land(database, contract)
    assert (result.state, result.reason) == ("admitted", "not in the contract, not pulled: column remark")


def test_failed_pull_leaves_a_failed_row_and_a_stale_state(
    database: Database, kit: Any, make_row: Any, print_of: Any
) -> None:
    contract = kit.contract("sql", "incremental")
    path = kit.sqlite([make_row(1)])
    kit.land(database, contract)
    before = print_of(database, contract.tables[0])
    path.unlink()
    result = kit.land(database, contract)
    assert (result.state, counts(result)) == ("failed", (0, 0, 0, 0, 0, 0))
    assert "does not exist" in (result.reason or "")
    assert state(database, "state", "cursor", "last_admitted_batch_id") == ("stale", "2026-06-30T08:00:00+08:00", 1)
    assert print_of(database, contract.tables[0]) == before


def test_transient_failure_is_raised_unless_it_is_the_last_try(database: Database, kit: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.address("postgresql+psycopg://hub:secret@127.0.0.1:1/nowhere")
    with pytest.raises(TransientError) as caught:
        kit.land(database, contract)
    assert "secret" not in str(caught.value)
    assert kit.land(database, contract, raise_transient=False).state == "failed"
    assert [s for (s,) in ledger(database, "state")] == ["failed", "failed"]
    assert "secret" not in str(ledger(database, "reason"))


def test_gate_that_breaks_fails_the_batch_without_its_text(
    database: Database, kit: Any, make_row: Any, caplog: pytest.LogCaptureFixture
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])

    def broken(request: Any) -> Any:
        raise ValueError("1101051949" + "1231002X")

    result = kit.land(database, contract, gate=broken)
    assert result.state == "failed"
    assert (result.reason or "").startswith("unexpected ValueError at test_land.py:")
    assert "in broken" in caplog.text
    assert "11010519491231002X" not in caplog.text + str(ledger(database, "reason"))


def test_second_loader_of_a_table_says_who_holds_it(
    database: Database, kit: Any, make_row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.landing.ledger.LOCK_SECONDS", 0.2)
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])
    seen: list[str] = []

    def gate(request: Any) -> Any:
        with pytest.raises(TransientError) as caught:
            kit.land(database, contract)
        seen.append(str(caught.value))
        return kit.gate(request)

    assert kit.land(database, contract, gate=gate, run_id="the first run").state == "admitted"
    assert re.search(
        r"raw_fire_safety\.checks, held by run the first run \(loading since 20\S+ \S+ UTC\), database process \d+",
        seen[0],
    )


def test_values_never_leave_by_an_error_text(
    database: Database, kit: Any, make_row: Any, caplog: pytest.LogCaptureFixture
) -> None:
    contract: SystemContract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])
    kit.land(database, contract)
    with database.psycopg("pipeline") as connection:
        connection.execute(f"alter table {contract.tables[0].qualified_name} add check (name <> '张三丰')")
    kit.sqlite([make_row(1, name="张三丰")])
    result = kit.land(database, contract)
    assert (result.state, "CheckViolation 23514" in (result.reason or "")) == ("failed", True)
    assert "张三丰" not in caplog.text + str(ledger(database, "reason"))
