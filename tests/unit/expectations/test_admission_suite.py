"""From contract to suite, and from counts to the gate's word, without Great Expectations and without a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from connectors.contract import TableContract, load_contracts
from expectations.admission import row_warnings, suite, totals
from expectations.checks import Recorded, judge

CONTRACTS = load_contracts()
RESIDENTS = CONTRACTS["civil_affairs"].table("residents")


@dataclass
class Batch:
    table: TableContract = RESIDENTS
    stage: str = "raw_civil_affairs._stage_residents"
    batch_id: int = 1
    run_id: str = "run"
    read: int = 1000
    rejected: int = 0
    rows_before: int = 0
    rows_after: int = 1000
    warnings: Mapping[str, int] = field(default_factory=dict)


def test_every_table_has_a_suite_over_its_own_columns() -> None:
    tables = [table for contract in CONTRACTS.values() for table in contract.tables]
    assert len(tables) == 20
    for table in tables:
        checks = suite(table, 10)
        names = [check.name for check in checks]
        assert len(names) == len(set(names)), table.name
        used = {check.arguments["column"] for check in checks if "column" in check.arguments}
        assert used <= set(table.column_names)
        assert f"{'_'.join(table.key)}_unique" in names


def test_the_suite_says_what_the_contract_promises() -> None:
    checks = {check.name: check for check in suite(RESIDENTS, 990)}
    assert checks["staged_rows"].arguments == {"min_value": 0, "max_value": 990}
    assert checks["sex_in_set"].arguments["value_set"] == ["男", "女"]
    assert (checks["id_no_missing"].arguments["mostly"], checks["id_no_missing"].severity) == (0.7, "warn")
    assert checks["person_no_not_null"].severity == "error"
    penalties = {c.name: c for c in suite(CONTRACTS["market_supervision"].table("enterprises"), 1)}
    bounds: list[Any] = [c.arguments["min_value"] for c in penalties.values() if c.name.endswith("_range")]
    assert not any(isinstance(bound, str) for bound in bounds)
    assert any(isinstance(bound, date | float) for bound in bounds)


def test_volume_and_rejects_close_the_gate() -> None:
    assert judge([Recorded(totals(Batch()))]).passed
    assert judge([Recorded(totals(Batch(rows_after=0)))]).failed == ("volume",)
    assert judge([Recorded(totals(Batch(rejected=50)))]).passed
    assert judge([Recorded(totals(Batch(rejected=51)))]).failed == ("rejects",)
    # One bad row among ten is more than 5 %, but holding the table for it would help nobody.
    assert judge([Recorded(totals(Batch(read=10, rejected=1, rows_after=9)))]).passed


def test_flaws_the_contract_lets_pass_are_told() -> None:
    outcomes = row_warnings(Batch(warnings={"id_no_identifier": 7, "phone_pattern": 0}))
    assert [(item.name, item.status, item.observed) for item in outcomes] == [
        ("id_no_identifier", "warned", 7),
        ("phone_pattern", "passed", 0),
    ]
