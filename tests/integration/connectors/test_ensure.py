"""Raw tables follow their contracts: created, grown, and refused where a person must decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.contract import ColumnContract, SystemContract, TableContract, load_contracts
from connectors.contract.ddl import raw_table_ddl
from connectors.contract.drift import Drift
from connectors.landing import ensure_raw
from connectors.landing.ensure import ensure_followed, read_drifts
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


def retyped(contract: SystemContract, version: str = "1.0.0", **types: str) -> SystemContract:
    """The contract with other types of some columns, under a version."""
    (table,) = contract.tables
    columns = tuple(replace(c, pg_type=types[c.name]) if c.name in types else c for c in table.columns)
    return replace(contract, version=version, tables=(replace(table, version=version, columns=columns),))


def query(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.psycopg("pipeline") as connection:
        return connection.execute(statement.encode()).fetchall()


def run(database: Database, *statements: str, role: Any = "pipeline") -> None:
    with database.psycopg(role) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def drift_of(database: Database, contract: SystemContract) -> Drift:
    with database.psycopg("pipeline") as connection:
        (drift,) = read_drifts(connection, contract.tables)
    return drift


def test_wider_types_are_migrated_below_the_staging_view_and_change_no_row(
    database: Database, kit: Any, make_row: Any
) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1), make_row(2, fee_cny=None)])
    kit.land(database, contract)
    staging = "create view staging.stg_fire_safety__check as select site_no, level, fee_cny from raw_fire_safety.checks"
    run(
        database,
        "create schema if not exists staging",
        staging,
        "create view staging.stg_upon_it as select * from staging.stg_fire_safety__check",
    )
    before = query(database, "select content_version from ops.source_states")

    wider = retyped(contract, level="bigint", fee_cny="numeric(14,4)")
    assert drift_of(database, wider).verdict == "migrate"
    result = kit.land(database, wider)

    assert (result.state, result.updated, result.unchanged) == ("admitted", 0, 2)
    kinds = {name: kind for name, kind, *_ in described(database, wider.tables[0])}
    assert (kinds["level"], kinds["fee_cny"]) == ("bigint", "numeric(14,4)")
    assert query(database, "select count(*) from pg_views where schemaname = 'staging'") == [(0,)]
    # What dbt builds from the table has to be built again, although no row changed.
    assert query(database, "select content_version from ops.source_states") == [(before[0][0] + 1,)]
    assert drift_of(database, wider).differences == ()
    run(database, staging)
    assert kit.land(database, wider).state == "admitted"
    assert query(database, "select count(*) from pg_views where schemaname = 'staging'") == [(1,)]


def test_text_is_wide_enough_only_where_no_view_reads_the_column(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])
    kit.land(database, contract)
    run(
        database,
        "create schema if not exists staging",
        "create view staging.stg_fire_safety__check as select level from raw_fire_safety.checks",
    )
    read = kit.land(database, retyped(contract, level="text", checked_on="text"))
    assert (read.state, "staging.stg_fire_safety__check reads it as integer" in read.reason) == ("failed", True)
    assert "checked_on" not in read.reason

    run(database, "drop view staging.stg_fire_safety__check")
    result = kit.land(database, retyped(contract, level="text", checked_on="text"))
    assert (result.state, result.unchanged) == ("admitted", 1)
    assert query(database, "select level, checked_on from raw_fire_safety.checks") == [("3", "2026-06-30")]


def test_a_view_that_is_not_dbts_is_left_alone(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "snapshot")
    kit.sqlite([make_row(1)])
    kit.land(database, contract)
    run(database, "create view raw_fire_safety.of_a_person as select level from raw_fire_safety.checks")
    result = kit.land(database, retyped(contract, level="bigint"))
    assert (result.state, "raw_fire_safety.of_a_person" in result.reason) == ("failed", True)
    assert query(database, "select level from raw_fire_safety.of_a_person") == [(3,)]


DRIFTS: dict[str, tuple[Callable[[TableContract], TableContract], str]] = {
    "narrower type": (
        lambda table: replace(table, columns=retyped_columns(table, level="smallint")),
        "table checks, column level, rule type",
    ),
    "other type": (
        lambda table: replace(table, columns=retyped_columns(table, is_ok="text")),
        "table checks, column is_ok, rule type",
    ),
    "fewer whole digits": (
        lambda table: replace(table, columns=retyped_columns(table, fee_cny="numeric(10,4)")),
        "table checks, column fee_cny, rule type",
    ),
    "key": (lambda table: replace(table, key=("site_no", "name")), "table checks, rule key"),
    "lost": (lambda table: replace(table, columns=table.columns[:-1]), "table checks, column updated_at, rule column"),
    "new required": (
        lambda table: replace(table, columns=(*table.columns, replace(table.column("name"), name="owner"))),
        "table checks, column owner, rule column",
    ),
    "required now": (
        lambda table: replace(
            table, columns=tuple(replace(c, required=True) if c.name == "level" else c for c in table.columns)
        ),
        "table checks, column level, rule required",
    ),
}


def retyped_columns(table: TableContract, **types: str) -> tuple[ColumnContract, ...]:
    return tuple(replace(c, pg_type=types[c.name]) if c.name in types else c for c in table.columns)


@pytest.mark.parametrize("drift", DRIFTS)
def test_what_raw_cannot_follow_asks_for_a_major_version(database: Database, kit: Any, drift: str) -> None:
    contract = kit.contract("sql", "snapshot")
    (table,) = contract.tables
    ensure_raw(database, {contract.system: contract})
    before = described(database, table)
    change, where = DRIFTS[drift]
    changed = replace(change(table), version="1.9.0")
    with pytest.raises(ContractError) as caught:
        ensure_raw(database, {contract.system: replace(contract, tables=(changed,))})
    assert caught.value.where == f"file fire_safety.yaml, {where}"
    assert "version to 2.0.0" in caught.value.do
    assert "raw_fire_safety.checks__v1_0_0" in caught.value.do
    assert described(database, table) == before
    assert drift_of(database, replace(contract, tables=(changed,))).verdict == "refuse"


def test_a_major_version_keeps_the_old_table_beside_and_pulls_anew(database: Database, kit: Any, make_row: Any) -> None:
    contract = kit.contract("sql", "incremental")
    source = [make_row(n, updated_at=f"2026-06-{n:02d} 08:00:00") for n in range(1, 21)]
    kit.sqlite(source)
    kit.land(database, contract)
    old = query(database, "select * from raw_fire_safety.checks order by site_no")
    two = retyped(contract, "2.0.0", is_ok="text")
    two = replace(two, tables=(replace(two.tables[0], key=("site_no", "name")),))
    run(
        database,
        "create schema if not exists staging",
        "create view staging.stg_fire_safety__check as select is_ok from raw_fire_safety.checks",
    )

    # A batch that is held leaves raw as it was: the old table under its old name.
    kit.gate.fails = ("volume",)
    assert kit.land(database, two).state == "held"
    kit.sqlite(source[:2])
    kit.gate.fails = ()
    assert "would be marked deleted" in kit.land(database, two).reason
    assert query(database, "select * from raw_fire_safety.checks order by site_no") == old

    # Nor may rows of the quarantine be replayed into it.
    with database.psycopg("pipeline") as connection, pytest.raises(ContractError, match="major version before"):
        ensure_followed(connection, two.tables[0])

    kit.sqlite(source)
    result = kit.land(database, two)

    assert (result.state, result.read, result.inserted, result.deleted) == ("admitted", 20, 20, 20)
    assert "raw_fire_safety.checks__v1_0_0" in result.reason
    assert query(database, "select * from raw_fire_safety.checks__v1_0_0 order by site_no") == old
    assert query(database, "select count(*), min(is_ok) from raw_fire_safety.checks") == [(20, "1")]
    assert query(database, "select count(*) from pg_views where schemaname = 'staging'") == [(0,)]
    live = "select sum(inserted_count - deleted_count) from ops.batches where state = 'admitted'"
    assert query(database, live) == [(20,)]
    with database.psycopg("pipeline") as connection:
        ensure_followed(connection, two.tables[0])
    again = kit.land(database, two)
    assert (again.state, again.inserted, again.deleted) == ("admitted", 0, 0)

    three = retyped(two, "3.0.0", is_ok="boolean")
    assert kit.land(database, three).state == "admitted"
    kept = "select tablename from pg_tables where schemaname = 'raw_fire_safety' order by 1"
    assert query(database, kept) == [("checks",), ("checks__v1_0_0",), ("checks__v2_0_0",)]


def test_a_version_that_breaks_nothing_is_noted(database: Database, kit: Any) -> None:
    """The next break is judged against the version raw has followed last, not the one it was created under."""
    contract = kit.contract("sql", "snapshot")
    ensure_raw(database, {contract.system: contract})
    two = retyped(contract, "2.0.0")
    ensure_raw(database, {two.system: two})
    with pytest.raises(ContractError, match=r"version to 3\.0\.0"):
        ensure_raw(database, {two.system: retyped(two, "2.1.0", level="smallint")})


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
