"""Drops landed for real: what arrives later is the later state, a bad delivery changes nothing and the next heals."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from connectors.landing.quarantine import list_rejected
from warehouse.database import Database
from warehouse.errors import ContractError

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


def test_late_drop_is_taken_and_later_states_stay(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("files", "append", "a.jsonl", sourceFormat="jsonl")
    for day, name in (("2026-06-28", "一"), ("2026-06-30", "三")):
        kit.drop(day, {"a.jsonl": lines(make_row(1, name=name))}, {"a.jsonl": 1})
    assert kit.land(database, contract).cursor == "2026-06-30"

    kit.drop("2026-06-29", {"a.jsonl": lines(make_row(1, name="二"), make_row(2))}, {"a.jsonl": 2})
    late = kit.land(database, contract)
    assert (late.state, late.read, late.inserted, late.cursor) == ("admitted", 3, 1, "2026-06-30")
    assert [row[1] for row in raw(database, contract)] == ["三", "滨江消防站"]
    again = kit.land(database, contract)
    assert (again.state, again.read) == ("admitted", 0)
    with database.psycopg("pipeline") as connection:
        taken = connection.execute("select drop_on::text, batch_id from ops.taken_drops order by 1").fetchall()
    first = again.batch_id - 2
    assert taken == [("2026-06-28", first), ("2026-06-29", first + 1), ("2026-06-30", first)]


def test_held_drop_is_not_taken_and_comes_again(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("files", "append", "a.jsonl", sourceFormat="jsonl")
    folder = kit.drop("2026-06-29", {"a.jsonl": lines(make_row(1))}, {"a.jsonl": 1})
    (folder / "a.jsonl").write_bytes(lines(make_row(1))[:-9])
    held = kit.land(database, contract)
    assert held.state == "held"
    assert "in its place" in (held.reason or "")
    kit.drop("2026-06-29", {"a.jsonl": lines(make_row(1))}, {"a.jsonl": 1})
    assert kit.land(database, contract).inserted == 1


def test_contract_without_manifest_and_in_another_encoding(database: Database, kit: Any, make_row: Any) -> None:
    own = {"sourceFormat": "csv", "encoding": "gb18030", "manifest": "optional"}
    contract = kit.contract("files", "snapshot", "a.csv", **own)
    folder = kit.drop("2026-06-29", {"a.csv": table_text(make_row(1))}, {"a.csv": 1}, manifest=False)
    waits = kit.land(database, contract, raise_transient=False)
    assert (waits.state, waits.read) == ("failed", 0)
    os.utime(folder / "a.csv", (0, 0))
    assert kit.land(database, contract).inserted == 1
    (folder / "a.csv").write_bytes(table_text(make_row(1)).decode("gb18030").encode())
    os.utime(folder / "a.csv", (0, 0))
    held = kit.land(database, contract)
    assert (held.state, "looks like UTF-8" in (held.reason or "")) == ("held", True)


@pytest.mark.parametrize(("name", "value"), [("encoding", "big5"), ("manifest", "perhaps")])
def test_unknown_encoding_or_manifest_is_refused(kit: Any, name: str, value: str) -> None:
    with pytest.raises(ContractError, match=f"Unknown {name}: '{value}'"):
        kit.contract("files", "snapshot", "a.csv", sourceFormat="csv", **{name: value})
