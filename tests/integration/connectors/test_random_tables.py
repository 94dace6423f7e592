"""Random tables, random dirt, and a second opinion: what raw and the quarantine must hold is worked out row by row from
values whose meaning is known beforehand, without the code that reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import ColumnContract, Rule, SystemContract
from tests.integration.connectors.conftest import Kit
from warehouse.database import Database

BAD = object()
# By type: as received, and as it should land. What a key holds repeats often enough to collide.
VALUES: dict[str, list[tuple[str | None, Any]]] = {
    "text": [("甲", "甲"), ("  乙　", "乙"), ("\\N", "\\N"), ('",\n', '",'), ("", None), (None, None), ("a\0b", BAD)],
    "integer": [("7", 7), ("７", 7), ("1,000", 1000), ("-1.0", -1), ("x", BAD), ("99999999999", BAD), (None, None)],
    "numeric(10,2)": [("1.5", Decimal("1.50")), ("2.505", Decimal("2.51")), ("1e3", Decimal(1000)), ("多", BAD)],
    "date": [("2026-06-30", date(2026, 6, 30)), ("2026/6/1", date(2026, 6, 1)), ("2026-02-30", BAD), (None, None)],
    "boolean": [("是", True), ("0", False), ("也许", BAD), (None, None)],
}
OF_KEYS: dict[str, list[tuple[str | None, Any]]] = {
    "text": [("A", "A"), (" A", "A"), ("B", "B"), ("键|1", "键|1"), ("", None), (None, None)],
    "integer": [("1", 1), ("１", 1), ("2", 2), ("x", BAD), (None, None)],
    "date": VALUES["date"],
}
Cell = tuple[str | None, Any]


@dataclass(frozen=True)
class Shape:
    """A table: types of its key and of its other columns, and which of these must have a value."""

    key: tuple[str, ...]
    others: tuple[tuple[str, bool], ...]

    @property
    def needed(self) -> tuple[bool, ...]:
        return (*(True for _ in self.key), *(required for _, required in self.others))

    def columns(self) -> tuple[ColumnContract, ...]:
        kinds = (*self.key, *(kind for kind, _ in self.others))
        return tuple(_column(f"c{at}", kind, self.needed[at]) for at, kind in enumerate(kinds))

    def row(self) -> st.SearchStrategy[tuple[Cell, ...]]:
        keys = (st.sampled_from(OF_KEYS[kind]) for kind in self.key)
        return st.tuples(*keys, *(st.sampled_from(VALUES[kind]) for kind, _ in self.others))


def _column(name: str, kind: str, required: bool) -> ColumnContract:
    rules = [Rule(f"{name}_type", "type", "reject", name, {"pg_type": kind})]
    rules += [Rule(f"{name}_required", "required", "reject", name)] if required else []
    return ColumnContract(name, kind, required, name, name, "internal", rules=tuple(rules))


SHAPES = st.builds(
    Shape,
    st.lists(st.sampled_from(sorted(OF_KEYS)), min_size=1, max_size=2).map(tuple),
    st.lists(st.tuples(st.sampled_from(sorted(VALUES)), st.booleans()), max_size=4).map(tuple),
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Shape, list[list[tuple[Cell, ...]]]]:
    """A table and what is delivered of it, one complete delivery after the other."""
    shape = draw(SHAPES)
    return shape, draw(st.lists(st.lists(shape.row(), max_size=9), min_size=1, max_size=3))


class Expected:
    """What the warehouse must hold."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.live: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self.refused: list[tuple[Cell, ...]] = []

    def take(self, rows: list[tuple[Cell, ...]]) -> None:
        """A complete delivery."""
        versions: dict[tuple[Any, ...], list[tuple[Cell, ...]]] = {}
        self.refused, sure = [], True
        named: set[tuple[Any, ...]] = set()
        for row in rows:
            key = self.key(row)
            is_readable = not any(value is None or value is BAD for value in key)
            if any(v is BAD or (v is None and needed) for (_, v), needed in zip(row, self.shape.needed, strict=True)):
                self.refused.append(row)
                # Which row of raw it is cannot be told: then none may be called gone.
                sure = sure and is_readable
            else:
                versions.setdefault(key, []).append(row)
            named |= {key} if is_readable else set()
        for key, found in versions.items():
            contents = {tuple(value for _, value in row) for row in found}
            self.refused += found[1:] if len(contents) == 1 else found
            if len(contents) == 1:
                self.live[key] = contents.pop()
        if sure:
            self.live = {key: content for key, content in self.live.items() if key in named}

    def key(self, row: tuple[Cell, ...]) -> tuple[Any, ...]:
        return tuple(value for _, value in row[: len(self.shape.key)])


def contract_of(kit: Kit, shape: Shape) -> SystemContract:
    contract = kit.contract("sql", "snapshot", shrinkMaxShare=1.0)
    columns = shape.columns()
    key = tuple(column.name for column in columns[: len(shape.key)])
    table = replace(contract.tables[0], columns=columns, key=key, rules=())
    return replace(contract, tables=(table,))


def rows_in_raw(database: Database, contract: SystemContract) -> set[tuple[Any, ...]]:
    table = contract.tables[0]
    with database.psycopg("pipeline") as connection:
        found = connection.execute(
            f"select {', '.join(table.column_names)} from {table.qualified_name} where _deleted_at is null".encode()
        ).fetchall()
    assert len(found) == len(set(found))
    return set(found)


def refused_last(database: Database, contract: SystemContract, batch_id: int) -> set[tuple[Any, ...]]:
    with database.psycopg("pipeline") as connection:
        found = connection.execute(
            "select payload from quarantine.rejected_rows where last_batch_id = %s", [batch_id]
        ).fetchall()
    return {tuple(payload[name] for name in contract.tables[0].column_names) for (payload,) in found}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=stories())
def test_raw_and_quarantine_together_are_the_source(
    database: Database, kit: Kit, story: tuple[Shape, list[list[tuple[Cell, ...]]]]
) -> None:
    shape, deliveries = story
    contract, expected = contract_of(kit, shape), Expected(shape)
    with database.psycopg("owner") as connection:
        connection.execute("set role none")
        connection.execute("drop schema if exists raw_fire_safety cascade")
        connection.execute("truncate ops.batches, ops.source_states, quarantine.rejected_rows cascade")
    for rows in deliveries:
        kit.sqlite([[text for text, _ in row] for row in rows], contract.tables[0].column_names)
        result = kit.land(database, contract)
        if result.state == "held":
            assert "no longer reads as" in (result.reason or "")
            assert result.quarantined == len(rows)
        else:
            expected.take(rows)
            assert result.state == "admitted", result.reason
            landed = result.inserted + result.updated + result.unchanged
            assert (result.read, result.quarantined) == (len(rows), len(expected.refused))
            assert landed == len(rows) - len(expected.refused)
            told = {tuple(text and text.replace("\0", "\u2400") for text, _ in row) for row in expected.refused}
            assert refused_last(database, contract, result.batch_id) == told
        if expected.live or result.state == "admitted":
            assert rows_in_raw(database, contract) == set(expected.live.values())
