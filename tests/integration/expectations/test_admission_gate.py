"""The admission gate over real stages: what it lets through, what it stops, and that no value of a row gets out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from connectors.contract import TableContract, load_contracts
from connectors.contract.ddl import stage_table_ddl
from expectations.admission import make_gate
from warehouse.database import Database
from warehouse.settings import Settings

RESIDENTS = load_contracts()["civil_affairs"].table("residents")
PRICES = load_contracts()["care_homes"].table("prices")
SECRET = "绝密姓名甲乙丙"


@dataclass
class Batch:
    table: TableContract
    stage: str
    batch_id: int
    read: int
    rejected: int = 0
    rows_before: int = 0
    run_id: str = "run"
    warnings: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows_after(self) -> int:
        return self.read - self.rejected


@pytest.fixture
def staged(database: Database) -> Iterator[Any]:
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("create schema raw_test authorization cityhub_pipeline")
    run(database, *stage_table_ddl(RESIDENTS, "raw_test._stage_residents"))
    run(
        database,
        "insert into raw_test._stage_residents"
        " (person_no, name, id_no, sex, birth_on, town_code, updated_at)"
        f" select 'P' || g, '{SECRET}' || g, case when g % 5 > 0 then '1101051949' || g end, '男', '1949-12-31',"
        " '310115005', now() from generate_series(1, 100) as g",
    )
    return Batch(RESIDENTS, "raw_test._stage_residents", 1, 100)


def run(database: Database, *statements: str) -> None:
    with database.psycopg("pipeline") as connection:
        for statement in statements:
            connection.execute(statement)


def results(database: Database, batch_id: int) -> dict[str, tuple[str, float | None]]:
    with database.psycopg("pipeline") as connection:
        rows = connection.execute(
            "select check_name, status, observed from quality.check_results"
            " where gate = 'admission' and system = 'civil_affairs' and table_name = 'residents' and batch_id = %s",
            [batch_id],
        ).fetchall()
    return {name: (status, observed) for name, status, observed in rows}


def test_the_gate_tells_good_stages_from_bad_ones(
    database: Database, staged: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    gate = make_gate(database, Settings())
    staged.warnings = {"id_no_identifier": 3}

    answer = gate(staged)
    assert answer.passed
    assert answer.failed == answer.warned == ()
    kept = results(database, 1)
    assert kept["id_no_identifier"] == ("warned", 3)
    assert {name for name, (status, _) in kept.items() if status != "passed"} == {"id_no_identifier"}
    assert {"volume", "rejects", "staged_rows", "person_no_unique", "sex_in_set", "id_no_missing"} <= set(kept)

    # Every kind of check, each broken once, in rows that carry the secret.
    run(
        database,
        "update raw_test._stage_residents set person_no = 'P2' where person_no = 'P3'",
        "update raw_test._stage_residents set name = null where person_no = 'P4'",
        f"update raw_test._stage_residents set sex = '{SECRET}' where person_no in ('P5', 'P6', 'P7')",
        "update raw_test._stage_residents set id_no = null where substr(person_no, 2)::int <= 50",
        "insert into raw_test._stage_residents (person_no) values ('P-too-many')",
    )
    staged.batch_id = 2
    answer = gate(staged)
    assert not answer.passed
    assert {"staged_rows", "person_no_unique", "name_not_null", "sex_in_set"} <= set(answer.failed)
    assert answer.warned == ("id_no_missing",)
    kept = results(database, 2)
    assert kept["staged_rows"] == ("failed", 101)
    assert kept["person_no_unique"] == ("failed", 2)
    assert kept["sex_in_set"] == ("failed", 3)
    # The first 50, every fifth of the others, and the one too many.
    assert kept["id_no_missing"] == ("warned", pytest.approx(61 / 101))

    # A stage that lost a column, and one that is not there, are not "all well".
    run(database, "alter table raw_test._stage_residents drop column sex")
    staged.batch_id = 3
    assert "sex_in_set" in gate(staged).failed
    run(database, "set lock_timeout to '2s'", "drop table raw_test._stage_residents")
    staged.batch_id = 4
    assert not gate(staged).passed

    # Law 7: nothing of a row in results, logs, answers or output.
    with database.psycopg("pipeline") as connection:
        written = str(connection.execute("select r::text from quality.check_results as r").fetchall())
    told = "".join([written, caplog.text, str(answer), *capfd.readouterr()])
    assert SECRET not in told
    assert "P-too-many" not in told


def test_a_key_of_several_columns_is_unique_as_a_whole(database: Database, staged: Any) -> None:
    run(database, *stage_table_ddl(PRICES, "raw_test._stage_prices"))
    run(
        database,
        "insert into raw_test._stage_prices (home_no, item, filed_on, monthly_cny)"
        " values ('H1', 'bed', '2026-01-01', 10), ('H1', 'meal', '2026-01-01', 10)",
    )
    gate = make_gate(database, Settings())
    assert gate(Batch(PRICES, "raw_test._stage_prices", 1, 3)).passed
    run(
        database,
        "insert into raw_test._stage_prices (home_no, item, filed_on, monthly_cny)"
        " values ('H1', 'bed', '2026-01-01', 11)",
    )
    answer = gate(Batch(PRICES, "raw_test._stage_prices", 2, 3))
    assert answer.failed == ("home_no_item_filed_on_unique",)
