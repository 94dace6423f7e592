"""Every table of every contract, landed through its own kind of transport: its types, key, load mode and rules hold.

What the transports do alike is asked in `suite` of one small table. Here no table needs a test of its own: rows are
made from its contract, good ones and one for each rule that can be broken.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import ColumnContract, Rule, SystemContract, TableContract, load_contracts
from connectors.landing import LandingResult, land_table
from connectors.transports import open_transport
from tests.integration.connectors.conformance.suite import NAME, Row, kit_in
from tests.integration.connectors.conformance.test_files import WRITERS
from tests.integration.connectors.conformance.test_rest import Service
from tests.integration.connectors.conformance.test_sql import Sqlite
from tests.integration.connectors.conftest import Kit
from warehouse.database import Database
from warehouse.settings import get_settings

DAY = dt.date(2026, 6, 1)
# Shanghai's midnight, and its summer time of 1988.
MOMENT, SUMMER = dt.datetime(2026, 5, 31, 16, 0, tzinfo=dt.UTC), dt.datetime(1988, 6, 30, 15, 0, tzinfo=dt.UTC)
TABLES = [(contract, table) for contract in load_contracts().values() for table in contract.tables]
WRONG = {
    "integer": "三",
    "bigint": "三",
    "boolean": "也许",
    "date": "2026-02-30",
    "timestamptz": "昨天",
    "numeric": "约 3",
}


class Source:
    """The table at its department: rows put there are all it holds."""

    def __init__(self, kit: Kit, contract: SystemContract, table: TableContract) -> None:
        self.kit, self.table = kit, table
        # Small pages, so that a handful of rows has several.
        self.contract = replace(contract, tables=(table,), access=replace(contract.access, page_size=10))
        self.day = DAY
        if contract.transport == "rest":
            self.service = Service(kit, "page")
            self.address(f"http://127.0.0.1:{self.service.server.server_port}")

    def address(self, url: str) -> None:
        for suffix, value in (("URL", url), ("KEY_ID", "hub"), ("SECRET", "the secret of the tests")):
            self.kit.monkeypatch.setenv(f"CITYHUB_SOURCE_{self.contract.system.upper()}_{suffix}", value)

    def put(self, rows: list[Row], columns: tuple[str, ...] = ()) -> None:
        names = columns or self.table.column_names
        if self.contract.transport == "rest":
            self.service.items = [{name: row[name] for name in names} for row in rows]
        elif self.contract.transport == "sql":
            path = self.kit.folder / "source.sqlite"
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(f"drop table if exists {self.table.source_name}")
                connection.execute(f"create table {self.table.source_name} ({', '.join(names)})")
                values = [[Sqlite._value(row[name]) for name in names] for row in rows]
                marks = ", ".join("?" * len(names))
                connection.executemany(f"insert into {self.table.source_name} values ({marks})", values)
            self.address(f"sqlite:///{path}")
        else:
            self.day += dt.timedelta(days=1)
            name = self.table.source_name
            content = WRITERS[self.table.source_format or ""](rows, names)
            self.kit.drop(self.day.isoformat(), {name: content}, {name: len(rows)})
            self.address(str(self.kit.folder / "drops"))

    def close(self) -> None:
        if self.contract.transport == "rest":
            self.service.server.shutdown()
            self.service.server.server_close()


@pytest.fixture(params=TABLES, ids=lambda pair: f"{pair[0].system}.{pair[1].name}")
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    with kit_in(tmp_path) as kit, closing(Source(kit, *request.param)) as found:
        yield found


@pytest.fixture
def land(conformance_database: Database, source: Source) -> Iterator[Callable[[], LandingResult]]:
    """Lands all that the source holds into a warehouse that never saw it before."""
    forget(conformance_database, source.table)

    def landed() -> LandingResult:
        return land_table(
            conformance_database, get_settings(), source.contract, source.table,
            run_id="run", gate=source.kit.gate, full=True,
        )  # fmt: skip

    yield landed
    forget(conformance_database, source.table)


def forget(database: Database, table: TableContract) -> None:
    with database.psycopg("owner") as connection:
        connection.execute("set role none")
        connection.execute(f"drop schema if exists {table.raw_schema} cascade".encode())
        connection.execute("truncate ops.batches, ops.source_states, ops.taken_drops, quarantine.rejected_rows cascade")


def value_of(column: ColumnContract, number: int) -> Any:
    """A value that keeps the column's promises; of texts without a list of their own, another one for each number."""
    if column.pg_type == "text":
        codes = [rule.params["values"] for rule in column.rules if rule.kind == "reference" and column.code_list]
        if column.enum or codes:
            return next(iter(column.enum or codes[0]))
        return {"citizen_no": "11010519491231002X", None: f"值{number:03d}"}.get(column.identifier, f"K{number:03d}")
    if column.pg_type.startswith("numeric"):
        return Decimal("1.50")
    return {"boolean": True, "date": DAY, "timestamptz": MOMENT}.get(column.pg_type, 1)


def full(table: TableContract, number: int, **changes: Any) -> Row:
    """A row with a value in every column."""
    return {column.name: value_of(column, number) for column in table.columns} | changes


def bare(table: TableContract, number: int) -> Row:
    """A row with no more than it must have."""
    needed = {column.name for column in table.columns if column.required}
    return {name: value if name in needed else None for name, value in full(table, number).items()}


def rows_in_raw(database: Database, table: TableContract) -> list[Row]:
    names = ", ".join(f'"{name}"' for name in table.column_names)
    with database.psycopg("pipeline") as connection:
        live = f"select {names} from {table.qualified_name} where _deleted_at is null"
        found = connection.execute(f"{live} order by {', '.join(table.key)}".encode())
        return [dict(zip(table.column_names, values, strict=True)) for values in found]


def by_key(table: TableContract, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: tuple(row[name] for name in table.key))


def good_rows(table: TableContract) -> list[Row]:
    """Whole ones, one with no more than it must have, one with odd characters, one of a summer with another offset."""
    rows = [*(full(table, number) for number in range(1, 16)), bare(table, 16)]
    rows[1] |= {column.name: SUMMER for column in table.columns if column.pg_type == "timestamptz"}
    for column in [column for column in table.columns if _is_free(column) and column.pg_type == "text"][:1]:
        rows[0][column.name] = NAME
    return rows


def contradiction(table: TableContract) -> list[Row]:
    """Two rows with one key that differ; none where no column may have another value."""
    free = [column for column in table.columns if _is_free(column)]
    other = {column.name: False if column.pg_type == "boolean" else "K999" for column in free[:1]}
    return [full(table, 50), full(table, 50, **other)] if other else []


def _is_free(column: ColumnContract) -> bool:
    """Whether its value may be another one, in a row of the same key, without breaking anything."""
    plain = column.pg_type == "text" and not column.enum and not column.code_list and not column.identifier
    return not column.required and (plain or column.pg_type == "boolean")


def broken(rule: Rule, table: TableContract, number: int) -> Row:
    """A row that breaks this rule."""
    if rule.kind == "expression":
        left, right = table.column(str(rule.params["left"])), rule.params.get("right")
        row = full(table, number)
        assert rule.params["operator"] in (">=", "<="), "say here how this operator is broken"
        step = 1 if left.pg_type not in ("date", "timestamptz") else dt.timedelta(days=1)
        # The side that is wrong moves away from all others, which are equal.
        return (
            row | {left.name: row[left.name] + (step if rule.params["operator"] == "<=" else -step)} if right else row
        )
    column = table.column(str(rule.column))
    wrong: Any = {
        "required": None,
        "identifier": "不是号码",
        "pattern": "！",
        "enum": "不在其内",
        "reference": "不在其内",
    }
    if rule.kind == "type":
        wrong["type"] = WRONG[column.pg_type.partition("(")[0]]
    if rule.kind == "range":
        low = column.minimum
        bound = low if low is not None else column.maximum
        day = dt.date.fromisoformat(bound) if isinstance(bound, str) else None
        away = -1 if low is not None else 1
        wrong["range"] = day + dt.timedelta(days=away) if day else int(float(bound or 0)) + away
    return full(table, number, **{column.name: wrong[rule.kind]})


def rules_of(table: TableContract) -> list[Rule]:
    """Those that a single row can break."""
    return [
        rule for rule in table.all_rules
        if rule.kind not in ("missing_share", "unique_key") and "target" not in rule.params
        and not (rule.kind == "type" and table.column(str(rule.column)).pg_type == "text")
    ]  # fmt: skip


def test_the_table_keeps_its_contract(
    source: Source, land: Callable[[], LandingResult], conformance_database: Database
) -> None:
    table, rules = source.table, rules_of(source.table)
    good, repeated = good_rows(table), contradiction(table)
    wrong = {rule.name: broken(rule, table, number) for number, rule in enumerate(rules, 100)}
    warned = [wrong[rule.name] for rule in rules if rule.severity == "warn"]
    refusing = [rule for rule in rules if rule.severity == "reject"]
    source.put([])
    empty = land()
    assert (empty.state, empty.read) == ("admitted", 0), empty.reason

    source.put([*good, *wrong.values(), *repeated])
    with closing(open_transport(get_settings(), source.contract)) as transport:
        assert not any(transport.check().values())
    landed = land()

    # Of an event that comes twice the later state counts where rows come in order; else nobody knows which is right.
    is_event = table.load_mode == "append" and table.cursor is None
    expected = by_key(table, [*good, *warned, *(repeated[1:] if is_event else [])])
    contradicted = 0 if is_event else len(repeated)
    counts = (landed.state, landed.inserted, landed.deleted, landed.quarantined)
    assert counts == ("admitted", len(expected), 0, len(refusing) + contradicted), landed.reason
    assert rows_in_raw(conformance_database, table) == expected
    told = refused(conformance_database)
    for rule in refusing:
        key = "|".join("" if value is None else str(value) for value in (wrong[rule.name][name] for name in table.key))
        assert told.pop(key) == [(rule.name if rule.kind == "expression" else rule.kind, rule.column)], rule.name
    assert list(told.values()) == [[("unique_key", None)]] * bool(contradicted)
    assert {rule.name for rule in rules if rule.severity == "warn"} <= source.kit.gate.asked[-1].warnings.keys()

    source.put([*good, *wrong.values(), *repeated])
    again = land()
    assert (again.state, again.inserted, again.deleted) == ("admitted", 0, 0)
    lost = next(name for name in reversed(table.column_names) if name not in table.key)
    source.put(good, tuple(name for name in table.column_names if name != lost))
    held = land()
    assert (held.state, f"no longer delivers column {lost}" in (held.reason or "")) == ("held", True)
    assert rows_in_raw(conformance_database, table) == expected


def refused(database: Database) -> dict[str, list[tuple[str, str | None]]]:
    """What refused the rows of each key; every one of them knows where it stood."""
    with database.psycopg("pipeline") as connection:
        found = connection.execute("select row_key, position, reasons from quarantine.rejected_rows").fetchall()
    assert all(position for _, position, _ in found)
    return {key: [(r["rule"], r["column"]) for r in reasons if r["severity"] == "reject"] for key, _, reasons in found}
