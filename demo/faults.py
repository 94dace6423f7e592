"""Faults of structure, planted for real in the systems of a running demo city.

Dirt is part of every city; these are not. Each function changes what a system serves or has delivered, so that the hub
meets it at its next pull; `repair` puts everything back. Files are damaged in the newest drop only.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg import conninfo as pgconninfo
from psycopg import sql
from python_calamine import CalamineWorkbook
from sqlalchemy import text

from demo import home as places
from demo.city import load
from demo.city.tables import TABLES
from demo.systems import admin_login, care_homes, civil_affairs, market_store, urban_address, urban_management
from demo.systems.care_homes import FILES, MANIFEST
from warehouse.errors import ConfigurationError

Row = dict[str, Any]


def rename_column(home: Path, system: str, table: str, old: str, new: str) -> None:
    """The source calls a column by another name."""
    _known(system, table, old)
    if system in (civil_affairs.SYSTEM, urban_management.SYSTEM):
        _sql(home, system, f"alter table {table} rename column {old} to {new}")
    else:
        _rewrite(home, system, table, lambda rows: [{new if k == old else k: v for k, v in r.items()} for r in rows])


def drop_column(home: Path, system: str, table: str, column: str) -> None:
    """The source no longer delivers a column; not for key columns."""
    _known(system, table, column, key=False)
    if system in (civil_affairs.SYSTEM, urban_management.SYSTEM):
        _sql(home, system, f"alter table {table} drop column {column}")
    else:
        _rewrite(home, system, table, lambda rows: [{k: v for k, v in r.items() if k != column} for r in rows])


def retype(home: Path, system: str, table: str, column: str) -> None:
    """The source writes a column as text that no longer reads as its type: `#` before every value."""
    _known(system, table, column, key=False)
    if system == civil_affairs.SYSTEM:
        _sql(home, system, f"alter table {table} alter column {column} type text using '#' || {column}::text")
    elif system == urban_management.SYSTEM:
        address = urban_address(home)
        value = f"'#' || {column}" if address.startswith("sqlite") else f"concat('#', {column})"
        if not address.startswith("sqlite"):
            _sql(home, system, f"alter table {table} modify {column} varchar(255)")
        _sql(home, system, f"update {table} set {column} = {value}")
    else:
        _rewrite(home, system, table, lambda rows: [_marked(row, column) for row in rows])


def shrink_table(home: Path, system: str, table: str, share: float) -> None:
    """The source suddenly holds only `share` of its rows."""
    _known(system, table, None)
    key = TABLES[f"{system}.{table}"].key[0]
    if system in (civil_affairs.SYSTEM, urban_management.SYSTEM):
        kept = int(_sql(home, system, f"select count(*) from {table}") * share)
        # Ordered by key, so that the same call keeps the same rows.
        last = _sql(home, system, f"select {key} from {table} order by {key} limit 1 offset {max(0, kept - 1)}")
        _sql(home, system, f"delete from {table} where {key} > '{last}'")
    else:
        _rewrite(home, system, table, lambda rows: rows[: int(len(rows) * share)])


def shift_clock(home: Path, system: str, table: str, column: str, hours: int = 1) -> None:
    """A column of instants is off by `hours`."""
    _known(system, table, column, key=False)
    if system == civil_affairs.SYSTEM:
        _sql(home, system, f"update {table} set {column} = {column} + interval '{hours} hours'")
    elif system == urban_management.SYSTEM:
        sqlite = urban_address(home).startswith("sqlite")
        moved = f"datetime({column}, '{hours:+d} hours')" if sqlite else f"date_add({column}, interval {hours} hour)"
        _sql(home, system, f"update {table} set {column} = {moved}")
    else:
        _rewrite(home, system, table, lambda rows: [_shifted(row, column, hours) for row in rows])


def rest_error_at_page(home: Path, table: str, page: int) -> None:
    """The REST service answers 500 for one page of a resource."""
    _rest_fault(home, "error", table, page)


def half_page(home: Path, table: str, page: int) -> None:
    """The REST service delivers half of a page's rows while it says the page is whole."""
    _rest_fault(home, "half_page", table, page)


def cut_off_page(home: Path, table: str, page: int) -> None:
    """The answer for one page ends in the middle of its JSON."""
    _rest_fault(home, "cut_off", table, page)


def truncate_drop(home: Path, file: str, share: float = 0.5) -> None:
    """A file of the newest drop breaks off; the manifest still announces the whole."""
    path = _newest_drop(home) / file
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def wrong_encoding(home: Path, file: str, encoding: str = "utf-8") -> None:
    """A CSV of the newest drop arrives in another encoding; the manifest agrees with the bytes sent."""
    target = _newest_drop(home)
    content = (target / file).read_bytes().decode("gb18030").encode(encoding)
    _replace(target, file, content, _manifest(target)["files"][file]["rows"])


def missing_manifest(home: Path) -> None:
    """The newest drop is still being written: no manifest yet."""
    (_newest_drop(home) / MANIFEST).unlink()


def send_again(home: Path) -> Path:
    """The files of the newest drop are delivered once more, under the next day's date."""
    target = _newest_drop(home)
    again = target.with_name((dt.date.fromisoformat(target.name) + dt.timedelta(days=1)).isoformat())
    shutil.copytree(target, again)
    return again


def repair(home: Path, *, admin_dsn: str | None = None, urban_url: str | None = None) -> None:
    """Put the four systems back to what the city holds and take every planted failure away."""
    facts = places.describe(home)
    city = load(places.folder(home) / "state", facts)
    civil_affairs.build(admin_login(home, admin_dsn), facts["civil_database"], city)
    urban_management.build(urban_address(home, urban_url), city)
    market_store.build(places.market_store(home), city)
    for drop in places.drops(home).iterdir():
        if drop.name > city.clock.isoformat():
            shutil.rmtree(drop)
    kept = _kept(home)
    if kept.is_dir():
        for drop in kept.iterdir():
            shutil.copytree(drop, places.drops(home) / drop.name, dirs_exist_ok=True)
        shutil.rmtree(kept)


def _known(system: str, table: str, column: str | None, *, key: bool = True) -> None:
    known = TABLES.get(f"{system}.{table}")
    if known is None or (column is not None and column not in known.columns):
        raise ConfigurationError(
            "The demo's systems have no such table or column.",
            where=f"{system}.{table}.{column or ''}",
            expected="a table and column of the four systems",
            do="see docs/reference/demo-city.md",
        )
    if not key and column in known.key:
        raise ConfigurationError(
            "A key column cannot be damaged this way.",
            where=f"{system}.{table}.{column}",
            expected="a column outside the key",
            do="choose another column, or rename the key",
        )


def _sql(home: Path, system: str, statement: str) -> Any:
    """Run one statement in a SQL system; the first value of its answer, if it has one."""
    if system == civil_affairs.SYSTEM:
        database = places.describe(home)["civil_database"]
        with psycopg.connect(pgconninfo.make_conninfo(admin_login(home), dbname=database)) as connection:
            answer = connection.execute(sql.SQL(statement))
            row = answer.fetchone() if answer.description else None
            return None if row is None else row[0]
    with urban_management.opened(urban_address(home)) as connection:
        result = connection.execute(text(statement))
        found = result.fetchone() if result.returns_rows else None
    return None if found is None else found[0]


def _rest_fault(home: Path, fault: str, table: str, page: int) -> None:
    _known(market_store.SYSTEM, table, None)
    with market_store.opened(places.market_store(home)) as connection:
        connection.execute("insert or replace into faults values (?, ?, ?)", [fault, table, page])


def _marked(row: Row, column: str) -> Row:
    return {k: f"#{v}" if k == column and v is not None else v for k, v in row.items()}


def _shifted(row: Row, column: str, hours: int) -> Row:
    if not row.get(column):
        return row
    try:
        moved = dt.datetime.fromisoformat(str(row[column])) + dt.timedelta(hours=hours)
    except ValueError:
        return row  # a row that breaks its contract: the 31st of June stays what it is
    return {**row, column: moved.isoformat(sep="T" if "T" in str(row[column]) else " ")}


def _rewrite(home: Path, system: str, table: str, change: Callable[[list[Row]], list[Row]]) -> None:
    """Replace the rows that the REST store or the newest drop holds of a table."""
    if system == market_store.SYSTEM:
        with market_store.opened(places.market_store(home)) as connection:
            stored = connection.execute(f"select key, changed, body from {table} order by position").fetchall()
            bodies = change([json.loads(body) for _, _, body in stored])
            connection.execute(f"delete from {table}")
            connection.executemany(
                f"insert into {table} (key, changed, body) values (?, ?, ?)",
                [(k, c, json.dumps(b, ensure_ascii=False)) for (k, c, _), b in zip(stored, bodies, strict=False)],
            )
        return
    target = _newest_drop(home)
    file = FILES[table]
    rows = change(_read(target / file))
    _replace(target, file, _written(rows, table, target), len(rows))


def _read(path: Path) -> list[Row]:
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(path.read_bytes().decode("gb18030"), newline="")))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    head, *rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    return [{str(name): _cell(value) for name, value in zip(head, row, strict=True)} for row in rows]


def _cell(value: Any) -> str | None:
    if value == "":
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _written(rows: list[Row], table: str, target: Path) -> bytes:
    suffix = FILES[table].rpartition(".")[2]
    if suffix == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    columns = list(rows[0]) if rows else list(TABLES[f"{care_homes.SYSTEM}.{table}"].columns)
    frame = pl.DataFrame(
        {c: [None if row[c] in (None, "") else str(row[c]) for row in rows] for c in columns},
        schema=dict.fromkeys(columns, pl.String),
    )
    if suffix == "csv":
        return frame.write_csv(line_terminator="\r\n").encode("gb18030")
    return care_homes.sheet(frame, TABLES[f"{care_homes.SYSTEM}.{table}"], dt.date.fromisoformat(target.name))


def _replace(target: Path, file: str, content: bytes, rows: int) -> None:
    """A new file and a manifest that agrees with it."""
    (target / file).write_bytes(content)
    files = _manifest(target)["files"]
    files[file] = {"rows": rows, "sha256": hashlib.sha256(content).hexdigest()}
    care_homes.write_manifest(target, files)


def _manifest(target: Path) -> Any:
    return json.loads((target / MANIFEST).read_text("utf-8"))


def _kept(home: Path) -> Path:
    return places.folder(home) / "undamaged"


def _newest_drop(home: Path) -> Path:
    """The newest complete drop, of which an undamaged copy is kept first."""
    target = care_homes.newest(places.drops(home))
    if target is None:
        raise ConfigurationError(
            "There is no complete drop to damage.",
            where=str(places.drops(home)),
            expected="a folder with a manifest",
            do="run `cityhub demo advance` or repair the drops first",
        )
    copy = _kept(home) / target.name
    if not copy.exists():
        shutil.copytree(target, copy)
    return target
