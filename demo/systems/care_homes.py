"""Care homes: a folder per day with CSV in GB18030, one XLSX, JSON Lines, and a manifest written last."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import xlsxwriter

from demo.city.draw import chance, stream
from demo.city.state import City
from demo.city.tables import TABLES, Table, tables_of
from demo.systems.rows import SHEET, as_json, as_text, changed

SYSTEM = "care_homes"
MANIFEST = "_manifest.json"
FILES = {
    "institutions": "institutions.csv",
    "beds": "beds.csv",
    "prices": "prices.csv",
    "staff": "staff.csv",
    "stays": "stays.xlsx",
    "device_alarms": "device_alarms.jsonl",
    "device_uptime": "device_uptime.jsonl",
}
APPENDED = ("device_alarms", "device_uptime")


def write_drop(folder: Path, city: City, before: City | None = None) -> Path:
    """Write the drop of the city's day: registers in full, events since `before` (all of them without it)."""
    target = folder / city.clock.isoformat()
    target.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, int | str]] = {}
    for table in tables_of(SYSTEM):
        rows = city.shown[table.full_name]
        if before is not None and table.name in APPENDED:
            rows = changed(before.shown[table.full_name], rows, table.full_name)
        content, count = _content(table, rows, city)
        name = FILES[table.name]
        (target / name).write_bytes(content)
        files[name] = {"rows": count, "sha256": hashlib.sha256(content).hexdigest()}
    write_manifest(target, files)
    return target


def write_manifest(target: Path, files: dict[str, dict[str, int | str]]) -> None:
    """The manifest appears in one step: a folder without it is still being written."""
    partial = target / (MANIFEST + ".partial")
    partial.write_text(json.dumps({"files": files}, indent=2) + "\n", "utf-8")
    partial.replace(target / MANIFEST)


def newest(folder: Path) -> Path | None:
    """The newest complete drop."""
    complete = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    return complete[-1] if complete else None


def _content(table: Table, rows: pl.DataFrame, city: City) -> tuple[bytes, int]:
    kind = FILES[table.name].rpartition(".")[2]
    rng = stream(city.seed, f"sent twice {table.name}", city.clock)
    # Some rows are sent twice in one file, one right behind the other. Homes themselves are too few for that.
    twice = chance(rng, 0.0 if table.name == "institutions" else city.rates.duplicated_rows, rows.height)
    order = np.repeat(np.arange(rows.height), np.where(twice, 2, 1))
    if kind == "jsonl":
        lines = as_json(rows, table, city.breaks)
        return "".join(lines[i] + "\n" for i in order).encode(), len(order)
    text = as_text(rows, table, SHEET, city.breaks)[order]
    if kind == "csv":
        return text.write_csv(line_terminator="\r\n").encode("gb18030"), text.height
    return sheet(text, table, city.clock), text.height


def sheet(text: pl.DataFrame, table: Table, day: dt.date) -> bytes:
    """An XLSX workbook with one sheet; numbers as numbers where they are numbers, everything else as text."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    # The same day gives the same bytes.
    book.set_properties({"created": dt.datetime(day.year, day.month, day.day)})  # noqa: DTZ001
    page = book.add_worksheet(table.name)
    numeric = [table.columns.get(name) in ("money", "number", "integer") for name in text.columns]
    for column, name in enumerate(text.columns):
        page.write_string(0, column, name)
    for row, values in enumerate(text.iter_rows(), start=1):
        for column, value in enumerate(values):
            if value is None:
                continue
            if numeric[column] and value.replace(".", "", 1).isdigit():
                page.write_number(row, column, float(value))
            else:
                page.write_string(row, column, value)
    book.close()
    return buffer.getvalue()


def table_of(file: str) -> Table:
    """The table a drop file carries."""
    name = next(table for table, known in FILES.items() if known == file)
    return TABLES[f"{SYSTEM}.{name}"]
