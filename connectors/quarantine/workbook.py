"""The form of the workbook that goes to a department and comes back. Both directions are here, so that they agree.

One sheet per table. Row 1 is for people, row 2 (hidden) names the fields; column A (hidden) carries the row's id. The
cells to repair hold the values as received, as text, so that a spreadsheet turns no number round; beside them the same
values stay locked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from connectors.checks.wording import position_text, reason_text
from connectors.contract import TableContract
from warehouse.errors import PermanentError

ID, ACTION, NOTE = "_id", "_action", "_note"
REPLAY, WAIVE = "重报", "作废"
# Excel refuses longer texts in a cell. Left as it is, the cell stands for the value as received.
CELL_LENGTH = 32_767
TOO_LONG = "（原值过长未列出；保留此文字表示不改）"
HEADER_ROWS = 2
_LEAD = (
    (ID, "编号"),
    ("_reasons", "问题"),
    (ACTION, f"处理（{REPLAY}/{WAIVE}）"),
    (NOTE, "说明（作废必填）"),
    ("_position", "来源位置"),
)
_WIDTHS = (0, 48, 14, 24, 24)
_FORBIDDEN_IN_NAMES = re.compile(r"[\[\]:*?/\\']")
_NAME_LENGTH = 31


@dataclass(frozen=True)
class RejectedRow:
    """A row of the quarantine on its way out."""

    rejected_id: int
    payload: Mapping[str, str | None]
    reasons: Sequence[Mapping[str, Any]]
    position: Mapping[str, Any]
    repair: Mapping[str, str | None] | None


@dataclass(frozen=True)
class Answer:
    """A row of a workbook that came back. `cells`: by field, None for an empty cell."""

    rejected_id: int
    action: str
    note: str
    cells: Mapping[str, str | None]


def write_sheet(book: Any, title: str, table: TableContract, rows: Iterator[RejectedRow]) -> list[int]:
    """Add a table's sheet; the ids written."""
    sheet = book.add_worksheet(title)
    style = {name: book.add_format(options) for name, options in _STYLES.items()}
    columns = table.columns
    first = len(_LEAD)
    # Row by row: a workbook in constant memory forgets a row when the next one begins.
    for at, ((_, label), width) in enumerate(zip(_LEAD, _WIDTHS, strict=True)):
        sheet.write_string(0, at, label, style["head"])
        sheet.set_column(at, at, width or None, None, {"hidden": 1} if not width else {})
    for at, column in enumerate(columns, first):
        sheet.write_string(0, at, f"{column.zh}（更正）", style["head"])
        sheet.write_string(0, at + len(columns), f"{column.zh}（原值）", style["head"])
    sheet.set_row(1, None, None, {"hidden": 1})
    for at, name in enumerate((*(name for name, _ in _LEAD), *table.column_names)):
        sheet.write_string(1, at, name)
    sheet.set_column(first, first + 2 * len(columns) - 1, 18)
    sheet.freeze_panes(HEADER_ROWS, 2)
    ids: list[int] = []
    for line, row in enumerate(rows, HEADER_ROWS):
        _write_row(sheet, line, table, row, style)
        ids.append(row.rejected_id)
    last = max(HEADER_ROWS + len(ids) - 1, HEADER_ROWS)
    sheet.data_validation(HEADER_ROWS, 2, last, 2, {"validate": "list", "source": [REPLAY, WAIVE]})
    # No password: it keeps a hand from slipping, nothing more.
    sheet.protect("", {"format_columns": True, "format_rows": True, "select_locked_cells": True})
    return ids


_STYLES: dict[str, dict[str, Any]] = {
    "head": {"bold": True, "text_wrap": True, "bg_color": "#DDE3EA", "border": 1},
    "reasons": {"text_wrap": True, "valign": "top"},
    "cell": {"num_format": "@", "locked": False, "valign": "top"},
    "wrong": {"num_format": "@", "locked": False, "valign": "top", "bg_color": "#FFF2B3"},
    "received": {"num_format": "@", "font_color": "#6B7280", "valign": "top"},
}


def _write_row(sheet: Any, line: int, table: TableContract, row: RejectedRow, style: Mapping[str, Any]) -> None:
    texts = [reason_text(table, reason) for reason in row.reasons if reason["severity"] == "reject"]
    wrong = {reason.get("column") for reason in row.reasons if reason["severity"] == "reject"}
    sheet.write_string(line, 0, str(row.rejected_id))
    sheet.write_string(line, 1, _fitting("\n".join(texts)), style["reasons"])
    sheet.write_blank(line, 2, None, style["cell"])
    sheet.write_blank(line, 3, None, style["cell"])
    sheet.write_string(line, 4, _fitting(position_text(row.position)), style["received"])
    values = row.payload if row.repair is None else row.repair
    first = len(_LEAD)
    for at, column in enumerate(table.columns, first):
        _write(sheet, line, at, values.get(column.name), style["wrong" if column.name in wrong else "cell"])
        _write(sheet, line, at + len(table.columns), row.payload.get(column.name), style["received"])


def _write(sheet: Any, line: int, at: int, value: str | None, form: Any) -> None:
    # Never `write`: a value that begins with = would become a formula in the department's spreadsheet.
    if value is None or value == "":
        sheet.write_blank(line, at, None, form)
    else:
        sheet.write_string(line, at, _fitting(value), form)


def _fitting(text: str) -> str:
    return text if len(text) <= CELL_LENGTH else TOO_LONG


def sheet_title(wanted: str, taken: set[str]) -> str:
    """A sheet's name: without the signs Excel forbids, short enough, and not given yet."""
    plain = _FORBIDDEN_IN_NAMES.sub(" ", wanted).strip() or "表"
    title, number = plain[:_NAME_LENGTH], 1
    while title.lower() in taken:
        number += 1
        title = f"{plain[: _NAME_LENGTH - 5]} ({number})"
    taken.add(title.lower())
    return title


def read_workbook(path: Path) -> list[Answer]:
    """The rows of a workbook that came back, in order. Sheets, rows and columns may have been moved or removed.

    Raises:
        PermanentError: it is not a workbook of this hub, or a row's id cannot be read.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    if not path.is_file():
        raise _unreadable(path, "There is no such file.")
    try:
        book = CalamineWorkbook.from_path(path)
        # Counted from the first cell on, so that an id column someone emptied does not shift the others.
        sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except (CalamineError, OSError, ValueError):
        raise _unreadable(path, "The file cannot be read as a workbook.") from None
    answers: list[Answer] = []
    for number, (_, lines) in enumerate(sheets.items(), 1):
        if len(lines) < HEADER_ROWS:
            continue
        names = [str(cell) for cell in lines[1]]
        if ID not in names or ACTION not in names:
            continue
        answers += _answers(path, number, names, lines)
    if not answers:
        raise _unreadable(path, "The workbook holds no row of the quarantine.")
    return answers


def _answers(path: Path, sheet: int, names: list[str], lines: Sequence[Sequence[Any]]) -> Iterator[Answer]:
    for line, cells in enumerate(lines[HEADER_ROWS:], HEADER_ROWS + 1):
        texts = {name: _text(cell) for name, cell in zip(names, cells, strict=False) if name}
        if not any(texts.values()):
            continue
        number = texts.pop(ID, None) or ""
        if not re.fullmatch(r"[1-9][0-9]{0,17}", number):
            raise _unreadable(path, f"Row {line} of sheet {sheet} has no readable id in its first, hidden column.")
        action, note = (texts.pop(name, None) or "" for name in (ACTION, NOTE))
        if action.strip() not in ("", REPLAY, WAIVE):
            raise _unreadable(path, f"Row {line} of sheet {sheet}: the column 处理 is neither {REPLAY} nor {WAIVE}.")
        fields = {name: value for name, value in texts.items() if not name.startswith("_")}
        yield Answer(int(number), action.strip(), note.strip(), fields)


def _text(cell: Any) -> str | None:
    """A cell as the text a person sees in it; a repair typed as number or date is as good as one typed as text."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


def _unreadable(path: Path, what: str) -> PermanentError:
    return PermanentError(
        what,
        where=path.name,
        expected="a workbook written by `cityhub quarantine export`, repaired in its yellow and white cells",
        do="take the workbook as it was sent, repair its cells, keep its hidden column and row",
    )


def same_text(one: str | None, other: str | None) -> bool:
    """Whether two values differ in nothing but white space, which spreadsheets rewrite on their own."""
    return (one or "").split() == (other or "").split()
