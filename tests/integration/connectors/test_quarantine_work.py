"""Rejected rows as work: sent in a workbook, repaired and replayed, waived, or put right by their source."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from xlsxwriter import Workbook

from connectors.landing.quarantine import list_rejected
from connectors.quarantine import Replayed, export_rejected, replay_contract, replay_workbook, waive
from warehouse.database import Database
from warehouse.errors import PermanentError
from warehouse.settings import get_settings

NAME = "滨江消防站"


def states(database: Database) -> dict[str, str]:
    """State of each rejected row by its name, which the tests make unique where they need it."""
    with database.psycopg("pipeline") as connection:
        return dict(connection.execute("select payload ->> 'name', status from quarantine.rejected_rows").fetchall())


def decisions(database: Database) -> list[tuple[Any, ...]]:
    with database.psycopg("pipeline") as connection:
        return connection.execute(
            "select from_state, to_state, via, decided_by from quarantine.decisions order by decision_id"
        ).fetchall()


def batches(database: Database) -> list[tuple[Any, ...]]:
    with database.psycopg("pipeline") as connection:
        return connection.execute(
            "select state, read_count, inserted_count, updated_count, unchanged_count, quarantined_count"
            " from ops.batches where run_id like 'replay-%' order by batch_id"
        ).fetchall()


def export(database: Database, contract: Any, folder: Path, **options: Any) -> list[Any]:
    return export_rejected(database, {contract.system: contract}, folder, by="tester", **options)


def replay(database: Database, contract: Any, path: Path) -> Replayed:
    (result,) = replay_workbook(database, get_settings(), {contract.system: contract}, path, by="department")
    return result


def lines(path: Path) -> list[list[Any]]:
    """The sheet's rows as a spreadsheet shows them, from the first cell on."""
    return CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=False)


def repaired(path: Path, changes: Mapping[str, Mapping[str, Any]]) -> Path:
    """The workbook as it comes back: cells changed by the row's name as received, typed as a clerk would."""
    table = lines(path)
    names = table[1]
    back = path.with_name(f"back-{len(list(path.parent.iterdir()))}.xlsx")
    with Workbook(str(back)) as book:
        sheet = book.add_worksheet("改了名的表")
        for at, cells in enumerate(table):
            values = list(cells)
            for column, value in changes.get(str(values[names.index("name")]), {}).items() if at > 1 else ():
                values[names.index(column)] = value
            sheet.write_row(at, 0, values)
    return back


def test_a_row_goes_out_comes_back_repaired_and_lands_once(
    database: Database, kit: Any, make_row: Any, raw: Any, tmp_path: Path
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite(
        [make_row(1), make_row(2, name="甲", fee_cny="-1", checked_on="2026-13-01"), make_row(3, name="乙", level="x")]
    )
    kit.land(database, contract)

    (book,) = export(database, contract, tmp_path / "out")

    assert stat.S_IMODE(book.path.stat().st_mode) == 0o600
    assert (book.department, book.rows, book.left_open) == ("fire", {"fire_safety.checks": 2}, 0)
    assert list((tmp_path / "out").iterdir()) == [book.path]
    assert states(database) == {"甲": "sent", "乙": "sent"}
    head, fields, first, second = lines(book.path)
    assert head[:5] == ["编号", "问题", "处理（重报/作废）", "说明（作废必填）", "来源位置"]
    assert first[1].splitlines() == ["“checked_on”无法识别，应为日期，如 2026-06-30", "“fee_cny”超出允许范围：不小于 0"]
    assert first[fields.index("id_no")] == "11010519491231002X"
    assert second[1] == "“level”无法识别，应为整数"
    assert (first[4], second[4]) == ("查询结果第 2 行", "查询结果第 3 行")
    assert export(database, contract, tmp_path / "out") == []

    back = repaired(book.path, {"甲": {"fee_cny": 7.5, "checked_on": "2026/6/1"}, "乙": {"level": "y"}})
    result = replay(database, contract, back)

    assert (result.repaired, result.refused, result.untouched) == (1, 1, 0)
    assert batches(database) == [("admitted", 2, 1, 0, 0, 1)]
    assert [str(row[4]) for row in raw(database, contract) if row[1] == "甲"] == ["7.50"]
    assert states(database) == {"甲": "repaired", "乙": "open"}
    with database.psycopg("pipeline") as connection:
        (version,) = connection.execute("select content_version from ops.source_states").fetchone() or (0,)
    assert version == 2

    again = replay(database, contract, back)
    assert (again.batch_id, again.known, again.untouched, again.repaired) == (None, 1, 1, 0)
    assert decisions(database) == [
        ("open", "sent", "export", "tester"),
        ("open", "sent", "export", "tester"),
        ("sent", "open", "workbook", "department"),
        ("sent", "repaired", "workbook", "department"),
    ]
    # What the department wrote comes with the next workbook; the row as received stays beside it.
    (second_book,) = export(database, contract, tmp_path / "out")
    _, fields, line = lines(second_book.path)
    assert (line[fields.index("level")], line[5 + 8 + 6]) == ("y", "x")


def test_the_source_goes_on_delivering_a_repaired_row_wrong(
    database: Database, kit: Any, make_row: Any, raw: Any, tmp_path: Path
) -> None:
    contract = kit.contract("sql", "snapshot")
    source = [make_row(n) for n in range(30)] + [make_row("", name="无编号")]
    kit.sqlite(source)
    kit.land(database, contract)
    (book,) = export(database, contract, tmp_path)
    replay(database, contract, repaired(book.path, {"无编号": {"site_no": "S900"}}))

    kit.sqlite(source[1:])
    result = kit.land(database, contract)

    # The repaired row is not gone, though its key never comes, and a row that is gone is seen as such.
    assert (result.deleted, result.reason) == (1, None)
    assert "S900" in {row[0] for row in raw(database, contract)}
    assert states(database) == {"无编号": "repaired"}


def test_a_row_put_right_by_its_source_is_closed_and_opened_again(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1), make_row(2, name="甲", level="x")])
    kit.land(database, contract)
    kit.land(database, contract)
    assert states(database) == {"甲": "open"}

    kit.sqlite([make_row(1), make_row(2, name="甲")])
    kit.land(database, contract)
    assert states(database) == {"甲": "repaired"}

    kit.sqlite([make_row(1), make_row(2, name="甲", level="x")])
    kit.land(database, contract)
    assert states(database) == {"甲": "open"}
    assert [row[:3] for row in decisions(database)] == [("open", "repaired", "source"), ("repaired", "open", "source")]


def test_copies_of_a_row_stay_open_while_they_come(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1, name="甲"), make_row(1, name="甲")])
    kit.land(database, contract)
    kit.land(database, contract)
    assert states(database) == {"甲": "open"}
    kit.sqlite([make_row(1, name="甲")])
    kit.land(database, contract)
    assert states(database) == {"甲": "repaired"}


def test_one_of_two_contradicting_rows_is_confirmed_and_the_other_withdrawn(
    database: Database, kit: Any, make_row: Any, raw: Any, tmp_path: Path
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1, name="甲"), make_row(1, name="乙")])
    kit.land(database, contract)
    (book,) = export(database, contract, tmp_path)

    both = repaired(book.path, {"甲": {"_action": "重报"}, "乙": {"_action": "重报"}})
    assert (replay(database, contract, both).refused, raw(database, contract)) == (2, [])

    no_reason = repaired(book.path, {"甲": {"_action": "重报"}, "乙": {"_action": "作废"}})
    with pytest.raises(PermanentError, match="without a reason"):
        replay(database, contract, no_reason)
    assert set(states(database).values()) == {"open"}

    # The same two rows again are known; one of them alone, as it stands, is another question.
    assert replay(database, contract, both).known == 2
    chosen = repaired(book.path, {"甲": {"_action": "重报"}, "乙": {"_action": "作废", "_note": "误录"}})
    result = replay(database, contract, chosen)
    assert (result.repaired, result.waived) == (1, 1)
    assert states(database) == {"甲": "repaired", "乙": "waived"}
    assert len(raw(database, contract)) == 1


def test_open_rows_are_replayed_under_a_newer_contract(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1), make_row(2, name="甲", fee_cny="-1"), make_row(3, name="乙", level="x")])
    kit.land(database, contract)

    def under(system: Any) -> list[Replayed]:
        return replay_contract(database, get_settings(), {system.system: system}, by="tester")

    assert under(contract) == []
    text = (kit.folder / "fire_safety.yaml").read_text(encoding="utf-8")
    newer = kit.folder / "newer"
    newer.mkdir()
    path = newer / "fire_safety.yaml"
    path.write_text(text.replace("version: 1.0.0", "version: 1.1.0").replace("minimum: 0", "minimum: -5"), "utf-8")
    from connectors.contract import load_contract

    changed = load_contract(path)
    (result,) = under(changed)

    assert (result.repaired, result.refused) == (1, 1)
    assert states(database) == {"甲": "repaired", "乙": "open"}
    assert {row[1] for row in raw(database, contract)} == {NAME, "甲"}
    (again,) = under(changed)
    assert (again.batch_id, again.known) == (None, 1)


def test_waiving_is_all_or_none_and_final(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    rows = [make_row(1), make_row(2, name="甲", level="x"), make_row(3, name="乙", level="x")]
    kit.sqlite(rows)
    kit.land(database, contract)
    ids = {row["key"]: row["id"] for row in list_rejected(database)}
    with pytest.raises(PermanentError, match=r"1 of 2 rows cannot be waived.*999 \(unknown\)"):
        waive(database, [ids["S002"], 999], why="no matter", by="tester")
    with pytest.raises(PermanentError, match="needs a reason"):
        waive(database, [ids["S002"]], why=" ", by="tester")
    assert set(states(database).values()) == {"open"}

    assert waive(database, [ids["S002"]], why="closed", by="tester") == 1
    kit.land(database, contract)

    assert states(database) == {"甲": "waived", "乙": "open"}
    assert decisions(database) == [("open", "waived", "command", "tester")]


def test_values_survive_the_workbook_untouched(database: Database, kit: Any, make_row: Any, tmp_path: Path) -> None:
    contract = kit.contract("sql", "snapshot")
    odd = ["=1+1", "0012", " 前后空格 ", "行\n二", "\x01控制", "😀", "_x0041_", "长" * 40_000, "1e5", "a\u2400b"]
    kit.sqlite([make_row(n, name=name, level="x") for n, name in enumerate(odd)])
    kit.land(database, contract)
    (book,) = export(database, contract, tmp_path)

    result = replay(database, contract, book.path)

    assert (result.untouched, result.batch_id) == (len(odd), None)


@pytest.mark.parametrize("content", [b"", b"not a workbook", None])
def test_what_is_no_workbook_of_ours_is_refused(database: Database, kit: Any, tmp_path: Path, content: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    path = tmp_path / "other.xlsx"
    if content is None:
        with Workbook(str(path)) as book:
            book.add_worksheet().write_row(0, 0, ["姓名", "电话"])
    else:
        path.write_bytes(content)
    with pytest.raises(PermanentError, match=r"other\.xlsx"):
        replay(database, contract, path)


def test_no_message_tells_a_value(database: Database, kit: Any, make_row: Any, tmp_path: Path, caplog: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1, name="张秘密", id_no="110105194912310021", level="x")])
    kit.land(database, contract)
    (book,) = export(database, contract, tmp_path)
    result = replay(database, contract, repaired(book.path, {"张秘密": {"level": "李秘密"}}))
    with database.psycopg("pipeline") as connection:
        recorded = connection.execute(
            "select d::text from quarantine.decisions as d union all select b::text from ops.batches as b"
        ).fetchall()
    told = " ".join([repr(result), caplog.text, *(row[0] for row in recorded)])
    assert result.refused == 1
    assert "秘密" not in told
    assert "110105194912310021" not in told
