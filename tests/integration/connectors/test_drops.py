"""Drops landed for real: what arrives later is the later state, a bad delivery changes nothing and the next heals."""

from __future__ import annotations

import json
from typing import Any

from connectors.landing.quarantine import list_rejected
from warehouse.database import Database

NAMES = ("site_no", "name", "id_no", "checked_on", "fee_cny", "is_ok", "level", "updated_at")


def lines(*rows: tuple[Any, ...]) -> bytes:
    return "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows).encode()


def table_text(*rows: tuple[Any, ...]) -> bytes:
    texts = [",".join("" if value is None else str(value) for value in row) for row in (NAMES, *rows)]
    return ("\n".join(texts) + "\n").encode("gb18030")


def test_append_takes_each_drop_once_and_late_states_win(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("files", "append", "a.jsonl", sourceFormat="jsonl")
    kit.drop("2026-06-29", {"a.jsonl": lines(make_row(1), make_row(2))}, {"a.jsonl": 2})
    kit.drop("2026-06-30", {"a.jsonl": lines(make_row(1, name="已确认"), make_row(3))}, {"a.jsonl": 2})
    first = kit.land(database, contract)
    assert (first.read, first.inserted, first.updated, first.cursor) == (4, 3, 1, "2026-06-30")
    assert raw(database, contract)[0][1] == "已确认"

    again = kit.land(database, contract)
    assert (again.read, again.cursor, again.state) == (0, "2026-06-30", "admitted")
    # The same file sent twice, as a drop of its own.
    kit.drop("2026-07-01", {"a.jsonl": lines(make_row(1, name="已确认"), make_row(3))}, {"a.jsonl": 2})
    twice = kit.land(database, contract)
    assert (twice.read, twice.unchanged, twice.updated, twice.quarantined) == (2, 2, 0, 0)


def test_truncated_snapshot_is_held_and_healed_by_the_next_drop(
    database: Database, kit: Any, make_row: Any, raw: Any, print_of: Any
) -> None:
    contract = kit.contract("files", "snapshot", "a.csv", sourceFormat="csv", encoding="gb18030")
    good = table_text(make_row(1, is_ok="是"), make_row(2, is_ok="否"))
    kit.drop("2026-06-29", {"a.csv": good}, {"a.csv": 2})
    assert kit.land(database, contract).inserted == 2
    before = print_of(database, contract.tables[0])

    folder = kit.drop("2026-06-30", {"a.csv": good}, {"a.csv": 2})
    (folder / "a.csv").write_bytes(good[:-20])
    held = kit.land(database, contract)
    assert (held.state, held.cursor) == ("held", "2026-06-29")
    assert "truncated" in (held.reason or "")
    assert print_of(database, contract.tables[0]) == before

    kit.drop("2026-07-01", {"a.csv": table_text(make_row(1, is_ok="是"), make_row(2, is_ok="?"))}, {"a.csv": 2})
    healed = kit.land(database, contract)
    assert (healed.state, healed.unchanged, healed.quarantined) == ("admitted", 1, 1)
    assert list_rejected(database)[0]["position"] == {"file": "2026-07-01/a.csv", "line": 3}
    assert len(raw(database, contract)) == 2


def test_file_that_ends_before_its_manifest_says_keeps_what_came(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("files", "snapshot", "a.csv", sourceFormat="csv", encoding="gb18030")
    kit.drop("2026-06-29", {"a.csv": table_text(make_row(1), make_row(2, level="x"))}, {"a.csv": 3})
    held = kit.land(database, contract)
    assert (held.state, held.read, held.quarantined, held.rejected) == ("held", 2, 2, 1)
    with database.psycopg("pipeline") as connection:
        kept = connection.execute(f"select site_no from quarantine.held_batch_{held.batch_id}").fetchall()
    assert kept == [("S001",)]
