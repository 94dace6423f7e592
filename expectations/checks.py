"""A check as plain data, and what came of it. Great Expectations is not needed to say what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from connectors.contract import GateResult
from warehouse.database import Database

Severity = Literal["error", "warn"]
Status = Literal["passed", "warned", "failed"]


@dataclass(frozen=True)
class Check:
    """One expectation over a table.

    Attributes:
        name: unique within its table; names columns, never values.
        expectation: class in `great_expectations.expectations`.
        arguments: its arguments, from a contract or from this room.
        expected: in words, as shown to people.
        severity: an `error` that fails closes the gate, a `warn` is told.
        observes: what is recorded of a failure: how many rows, which share of rows, or the value GX observed.
    """

    name: str
    expectation: str
    arguments: Mapping[str, object]
    expected: str
    severity: Severity = "error"
    observes: Literal["count", "share", "value"] = "count"


@dataclass(frozen=True)
class Outcome:
    """What came of a check. `observed` is a count or a share, None where the check could not be evaluated or where
    nothing was wrong and so nothing was counted."""

    name: str
    severity: Severity
    status: Status
    expected: str
    observed: float | None = None


@dataclass(frozen=True)
class Recorded:
    """Outcomes over one table, ready for the ledger."""

    outcomes: Sequence[Outcome]
    system: str | None = None
    table_name: str | None = None
    batch_id: int | None = None


@dataclass
class _Names:
    failed: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)


def outcome(name: str, holds: bool, expected: str, observed: float | None, severity: Severity = "error") -> Outcome:
    """The outcome of something this room counted itself."""
    bad: Status = "failed" if severity == "error" else "warned"
    return Outcome(name, severity, "passed" if holds else bad, expected, observed)


def judge(recorded: Iterable[Recorded], *, with_table: bool = False) -> GateResult:
    """The gate's word over outcomes; names carry their table where a gate looks at several."""
    names = _Names()
    for group in recorded:
        table = ".".join(part for part in (group.system, group.table_name) if part)
        prefix = f"{table}." if with_table and table else ""
        for item in group.outcomes:
            if item.status != "passed":
                (names.failed if item.status == "failed" else names.warned).append(prefix + item.name)
    return GateResult(not names.failed, tuple(names.failed), tuple(names.warned))


def record(db: Database, run_id: str, gate: str, recorded: Iterable[Recorded]) -> None:
    """Append outcomes to `quality.check_results`."""
    rows = [
        (run_id, gate, g.system, g.table_name, g.batch_id, o.name, o.severity, o.status, o.observed, o.expected)
        for g in recorded
        for o in g.outcomes
    ]
    with db.psycopg("pipeline") as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into quality.check_results"
            " (run_id, gate, system, table_name, batch_id, check_name, severity, status, observed, expected)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows,
        )


# What the suites of both gates are written with ----------------------------------------------------------------------


def not_null(column: str) -> Check:
    """Every row has a value."""
    return Check(f"{column}_not_null", "ExpectColumnValuesToNotBeNull", {"column": column}, "no empty value")


def missing_share(column: str, most: float, severity: Severity) -> Check:
    """At most this share of rows lacks a value."""
    arguments = {"column": column, "mostly": 1 - most}
    expected = f"at most {most:.0%} empty"
    return Check(f"{column}_missing", "ExpectColumnValuesToNotBeNull", arguments, expected, severity, "share")


def unique(columns: Sequence[str]) -> Check:
    """Each value, or combination of values, once."""
    name = f"{'_'.join(columns)}_unique"
    if len(columns) == 1:
        return Check(name, "ExpectColumnValuesToBeUnique", {"column": columns[0]}, "each value once")
    arguments = {"column_list": list(columns)}
    return Check(name, "ExpectCompoundColumnsToBeUnique", arguments, "each combination once")


def in_set(column: str, values: Iterable[str]) -> Check:
    """Values of a list only; empty ones are another check's."""
    listed = list(values)
    arguments = {"column": column, "value_set": listed}
    return Check(f"{column}_in_set", "ExpectColumnValuesToBeInSet", arguments, f"one of {', '.join(listed)}")


def between(column: str, least: object = None, most: object = None) -> Check:
    """Values within bounds; empty ones are another check's."""
    arguments = {"column": column, "min_value": least, "max_value": most}
    bounds = [f"{word} {bound}" for word, bound in (("at least", least), ("at most", most)) if bound is not None]
    return Check(f"{column}_range", "ExpectColumnValuesToBeBetween", arguments, " and ".join(bounds))


def not_above(smaller: str, larger: str) -> Check:
    """In every row that has both, one column is not above the other."""
    arguments = {
        "column_A": larger,
        "column_B": smaller,
        "or_equal": True,
        "ignore_row_if": "either_value_is_missing",
    }
    name = f"{smaller}_within_{larger}"
    return Check(name, "ExpectColumnPairValuesAToBeGreaterThanB", arguments, f"{smaller} not above {larger}")


def row_count(name: str, least: int | None, most: int | None, expected: str) -> Check:
    """Rows of the table within bounds."""
    arguments = {"min_value": least, "max_value": most}
    return Check(name, "ExpectTableRowCountToBeBetween", arguments, expected, observes="value")
