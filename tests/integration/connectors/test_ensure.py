"""Raw tables follow their contracts: created, grown, and refused where a person must decide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.contract import SystemContract, load_contracts
from connectors.contract.ddl import raw_table_ddl
from connectors.landing import ensure_raw
from warehouse.database import Database
from warehouse.errors import ContractError


def with_columns(contract: SystemContract, columns: Any) -> dict[str, SystemContract]:
    (table,) = contract.tables
    return {contract.system: replace(contract, tables=(replace(table, columns=tuple(columns)),))}


def described(database: Database, table: Any) -> list[tuple[Any, ...]]:
    with database.psycopg("pipeline") as connection:
        return connection.execute(
            "select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
            " col_description(a.attrelid, a.attnum) is not null"
            " from pg_attribute as a where a.attrelid = %s::regclass and a.attnum > 0 order by a.attname",
            [table.qualified_name],
        ).fetchall()


def test_all_contracts_are_created_once(database: Database) -> None:
    contracts = load_contracts()
    ensure_raw(database, contracts)
    tables = [table for contract in contracts.values() for table in contract.tables]
    before = [described(database, table) for table in tables]
    assert all(column[3] for columns in before for column in columns)
    ensure_raw(database, contracts)
    assert [described(database, table) for table in tables] == before


def test_optional_column_is_added_and_changes_no_row(database: Database, kit: Any, make_row: Any, raw: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    (table,) = contract.tables
    kit.sqlite([make_row(1), make_row(2)])
    kit.land(database, contract)
    remark = replace(table.column("level"), name="remark", pg_type="text", rules=())
    (grown,) = with_columns(contract, [*table.columns, remark]).values()
    kit.sqlite([(*make_row(1), None), (*make_row(2), "新")], grown.tables[0].column_names)

    result = kit.land(database, grown)

    assert (result.inserted, result.updated, result.unchanged) == (0, 1, 1)
    assert [r[-1] for r in raw(database, grown)] == [None, "新"]


@pytest.mark.parametrize("drift", ["type", "key", "lost", "new required"])
def test_other_drift_is_refused(database: Database, kit: Any, drift: str) -> None:
    contract = kit.contract("sql", "snapshot")
    (table,) = contract.tables
    ensure_raw(database, {contract.system: contract})
    if drift == "type":
        changed = with_columns(
            contract, [replace(c, pg_type="bigint") if c.name == "level" else c for c in table.columns]
        )
    elif drift == "key":
        changed = {contract.system: replace(contract, tables=(replace(table, key=("site_no", "name")),))}
    elif drift == "lost":
        changed = with_columns(contract, table.columns[:-1])
    else:
        changed = with_columns(contract, [*table.columns, replace(table.column("name"), name="owner")])
    with pytest.raises(ContractError) as caught:
        ensure_raw(database, changed)
    assert caught.value.where == "raw_fire_safety.checks"
    assert caught.value.do


def test_drift_makes_the_table_stale_and_the_run_goes_on(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])
    with database.psycopg("pipeline") as connection:
        for statement in raw_table_ddl(contract.tables[0]):
            connection.execute(statement.encode())
        connection.execute("alter table raw_fire_safety.checks drop column level")
        connection.execute("alter table raw_fire_safety.checks add column level text")
    result = kit.land(database, contract)
    assert (result.state, "level is text" in (result.reason or "")) == ("failed", True)
