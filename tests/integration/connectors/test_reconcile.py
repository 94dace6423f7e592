"""Source and raw compared by their keys."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

from connectors.quarantine import export_rejected, replay_workbook
from connectors.reconcile import Reconciled, reconcile_table
from tests.integration.connectors.test_quarantine_work import repaired
from warehouse.database import Database
from warehouse.settings import get_settings


def reconcile(database: Database, contract: Any, **options: Any) -> Reconciled:
    return reconcile_table(database, get_settings(), contract, contract.tables[0], **options)


def test_what_was_landed_agrees_and_the_quarantine_explains_the_rest(
    database: Database, kit: Any, make_row: Any, tmp_path: Path
) -> None:
    contract = kit.contract("sql", "snapshot")
    rows = [make_row(n) for n in range(300)]
    # A key twice, a key with spaces around it, one in the quarantine, one that cannot be read, one repaired.
    rows += [make_row(7), make_row("  S400　"), make_row(500, level="x"), make_row("", name="甲", level="x")]
    kit.sqlite(rows)
    kit.land(database, contract)
    (book,) = export_rejected(database, {contract.system: contract}, tmp_path, by="tester")
    back = repaired(book.path, {"甲": {"site_no": "S900", "level": "1"}})
    replay_workbook(database, get_settings(), {contract.system: contract}, back, by="tester")

    result = reconcile(database, contract)

    assert result.agrees
    assert (result.source, result.raw, result.unreadable) == (302, 302, 1)
    assert (result.quarantined, result.repaired, result.missing, result.surplus) == (1, 1, 0, 0)


def test_keys_that_differ_are_named(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(n) for n in range(200)])
    kit.land(database, contract)
    kit.sqlite([make_row(n) for n in range(3, 205)])

    result = reconcile(database, contract)
    assert not result.agrees
    assert sorted(result.missing_keys) == [f"S{n}" for n in range(200, 205)]
    assert sorted(result.surplus_keys) == ["S000", "S001", "S002"]

    short = reconcile(database, contract, most_keys=2)
    assert (short.missing, len(short.missing_keys), len(short.surplus_keys)) == (5, 2, 2)

    kit.land(database, contract)
    assert reconcile(database, contract).agrees
    # As many keys, and in many partitions too: only the digests tell that all of them are others.
    kit.sqlite([make_row(n) for n in range(1000, 1202)])
    others = reconcile(database, contract)
    assert (others.source, others.raw, others.missing, others.surplus) == (202, 202, 202, 202)


def test_incremental_sees_what_no_cursor_told(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "incremental")
    kit.sqlite([make_row(n) for n in range(5)])
    kit.land(database, contract)
    kit.sqlite([make_row(n) for n in range(4)] + [make_row(9, updated_at="2020-01-01 00:00:00")])
    kit.land(database, contract)
    result = reconcile(database, contract)
    assert (result.missing_keys, result.surplus_keys) == (["S009"], ["S004"])


def test_append_keeps_what_its_source_forgets(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "append")
    kit.sqlite([make_row(n) for n in range(5)])
    kit.land(database, contract)
    kit.sqlite([make_row(n) for n in range(3)])
    result = reconcile(database, contract)
    assert (result.agrees, result.kept) == (True, 2)


def test_files_by_their_drops(database: Database, kit: Any) -> None:
    contract = kit.contract("files", "snapshot", "a.csv", sourceFormat="csv", encoding="utf-8")
    head = "site_no,name,id_no,checked_on,fee_cny,is_ok,level,updated_at\n"
    body = "".join(f"S{n:03d},站,,2026-06-30,1,1,1,2026-06-30 08:00:00\n" for n in range(3))
    kit.drop("2026-07-01", {"a.csv": (head + body).encode()}, {"a.csv": 3})
    result = reconcile(database, contract)
    assert (result.source, result.raw, result.missing) == (3, 0, 3)
    kit.land(database, contract)
    assert reconcile(database, contract).agrees


def test_a_source_that_does_not_answer_is_told(database: Database, kit: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.address("sqlite:////nowhere/source.sqlite")
    result = reconcile(database, contract)
    assert not result.agrees
    assert result.error is not None
    assert "does not exist" in result.error


def test_personal_keys_are_counted_and_not_named(database: Database, kit: Any, make_row: Any) -> None:
    from dataclasses import replace

    contract = kit.contract("sql", "snapshot")
    table = contract.tables[0]
    columns = tuple(replace(c, classification="personal") if c.name == "site_no" else c for c in table.columns)
    contract = replace(contract, tables=(replace(table, columns=columns),))
    kit.sqlite([make_row(1)])
    result = reconcile(database, contract)
    assert (result.missing, result.missing_keys) == (1, [])
    assert "S001" not in json.dumps(vars(result))


def test_memory_does_not_grow_with_the_table(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    peaks = []
    for rows in (100_000, 250_000):
        good = make_row(1)
        kit.sqlite([(f"K{n:07d}", *good[1:]) for n in range(rows)])
        tracemalloc.start()
        assert reconcile(database, contract).missing == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
