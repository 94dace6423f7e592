"""Rejected rows as workbooks, one per owner department; the rows in them are marked sent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg

from connectors.contract import SystemContract, TableContract
from connectors.quarantine.decisions import decide
from connectors.quarantine.workbook import RejectedRow, sheet_title, write_sheet
from warehouse.database import Database
from warehouse.errors import PermanentError
from warehouse.settings import TIMEZONE

Connection = psycopg.Connection[tuple[Any, ...]]

# A sheet nobody can work through helps nobody; what is over stays open for the next workbook.
MOST_ROWS = 20_000
_ROWS = """
select rejected_id, payload, coalesce(repair_reasons, reasons), position, repair
from quarantine.rejected_rows
where system = %(system)s and table_name = %(table)s and status = any(%(states)s)
order by row_key, rejected_id
limit %(most)s
"""


@dataclass(frozen=True)
class Exported:
    """One workbook: where it is, and how many rows of each table it holds."""

    department: str
    path: Path
    rows: Mapping[str, int]
    left_open: int


def export_rejected(
    db: Database,
    contracts: Mapping[str, SystemContract],
    folder: Path,
    *,
    by: str,
    department: str | None = None,
    system: str | None = None,
    again: bool = False,
) -> list[Exported]:
    """Write a workbook for every owner department with open rows, and mark its rows sent.

    The files hold rows as received, personal values included, and can be read by their owner alone (mode 0600).

    Args:
        department, system: only these; all where both are left out.
        again: also rows that were sent before and have not come back.

    Raises:
        PermanentError: the folder cannot be written.
    """
    chosen: dict[str, list[TableContract]] = {}
    for contract in contracts.values():
        if department in (None, contract.owner_department) and system in (None, contract.system):
            chosen.setdefault(contract.owner_department, []).extend(contract.tables)
    _require_folder(folder)
    states = ["open", "sent"] if again else ["open"]
    with db.psycopg("pipeline") as connection:
        found = [_export(connection, name, tables, folder, states, by) for name, tables in chosen.items()]
    return [workbook for workbook in found if workbook is not None]


def _export(
    connection: Connection, department: str, tables: Sequence[TableContract], folder: Path, states: list[str], by: str
) -> Exported | None:
    waiting = _waiting(connection, tables, states)
    if not waiting:
        return None
    # Imported here: the landing of a batch needs no spreadsheet.
    from xlsxwriter import Workbook

    path = _free_path(folder, department)
    unfinished = folder / f".{path.name}.{uuid4().hex}"
    rows: dict[str, int] = {}
    ids: list[int] = []
    try:
        # Made with its rights before it holds a row.
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        book = Workbook(str(unfinished), {"constant_memory": True, "strings_to_urls": False})
        taken: set[str] = set()
        for table, _ in waiting:
            title = sheet_title(table.zh, taken)
            written = write_sheet(book, title, table, _rows(connection, table, states))
            rows[f"{table.system}.{table.name}"] = len(written)
            ids += written
        book.close()
        unfinished.chmod(0o600)
        unfinished.replace(path)
    except OSError as error:
        raise _unwritable(folder, error) from None
    finally:
        unfinished.unlink(missing_ok=True)
    decide(connection, ids, "sent", via="export", by=by, why=f"workbook {path.name}")
    connection.commit()
    return Exported(department, path, rows, sum(number for _, number in waiting) - len(ids))


def _free_path(folder: Path, department: str) -> Path:
    stamp = datetime.now(ZoneInfo(TIMEZONE)).strftime("%Y%m%d-%H%M%S")
    path = folder / f"quarantine-{department}-{stamp}.xlsx"
    for number in count(2):
        if not path.exists():
            break
        path = folder / f"quarantine-{department}-{stamp}-{number}.xlsx"
    return path


def _waiting(
    connection: Connection, tables: Sequence[TableContract], states: list[str]
) -> list[tuple[TableContract, int]]:
    counts: dict[tuple[str, str], int] = {
        (system, name): number
        for system, name, number in connection.execute(
            "select system, table_name, count(*) from quarantine.rejected_rows where status = any(%s) group by 1, 2",
            [states],
        )
    }
    of = [(table, counts.get((table.system, table.name), 0)) for table in tables]
    return [(table, number) for table, number in of if number]


def _rows(connection: Connection, table: TableContract, states: list[str]) -> Iterator[RejectedRow]:
    values = {"system": table.system, "table": table.name, "states": states, "most": MOST_ROWS}
    with connection.cursor(f"export_{uuid4().hex[:8]}") as cursor:
        for row in cursor.execute(_ROWS.encode(), values):
            yield RejectedRow(*row)


def _require_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> PermanentError:
    return PermanentError(
        f"The workbook cannot be written ({error.strerror or type(error).__name__}).",
        where=str(folder),
        expected="a folder that this user may write",
        do="name another folder with --to; no row was marked sent",
    )
