"""The release gate over small marts: every planted fault has the check that stops it, and no value gets out."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import psycopg
import pytest

from connectors.contract import load_contracts
from connectors.contract.ddl import raw_table_ddl
from expectations.checks import GateResult
from expectations.release_gate import run_release_gate
from warehouse.database import Database

DAY = date(2026, 6, 30)
SECRET = "绝密姓名甲乙丙"
CONTRACTS = [load_contracts()[system] for system in ("market_supervision", "urban_management")]

TABLES = {
    "subjects.residents": "resident_id text, name text, sex_code text, care_level integer, is_certified boolean,"
    " record_count integer, system_count integer, disagreement_count integer default 0,"
    " finding_count integer default 0, link_level text default 'strict'",
    "subjects.enterprises": "enterprise_id text, status text, is_certified boolean, record_count integer,"
    " system_count integer, disagreement_count integer default 0, finding_count integer default 0,"
    " link_level text default 'strict'",
    "subjects.care_homes": "home_no text, licensed_beds integer, in_residence_count integer",
    "subjects.relations": "relation_id text, kind text, from_kind text, from_id text, to_kind text, to_id text",
    "subjects.cases": "case_no text, status text, is_overdue boolean",
    "subjects.timeline": "event_id text, subject_kind text, subject_id text, on_date date",
    "subjects.subject_records": "subject_kind text, system text, table_name text, record_key text, subject_id text,"
    " method text",
    "subjects.attribute_disagreements": "subject_kind text, subject_id text, attribute text, value_no integer,"
    " system text, table_name text, record_count integer",
    "subjects.findings": "finding_id text, kind text, subject_kind text, subject_id text, evidence text, severity text",
    "subjects.towns": "town_code text, kind text",
    "scoring.indicators": "indicator_code text, unit text, direction text, weight double precision",
    "scoring.indicator_values": "indicator_code text, dimension text, dimension_code text, period text,"
    " numerator bigint, denominator bigint, value double precision, score double precision, status text",
    "scoring.scorecards": "dimension text, dimension_code text, period text, index_value double precision,"
    " weight_available_share double precision, available_count integer, indicator_count integer, status text",
    "identity.int_person_records": "system text, table_name text, record_key text",
    "identity.int_enterprise_records": "system text, table_name text, record_key text",
}

ROWS = f"""
insert into identity.subjects (subject_id, subject_kind, minted_system, minted_table, minted_key, minted_run_id)
values ('R1', 'resident', 's', 't', '1', 'run'), ('E1', 'enterprise', 's', 't', '1', 'run');
insert into identity.links (subject_kind, system, table_name, record_key, subject_id, method, run_id)
values ('resident', 'urban_management', 'cases', 'C1', 'R1', 'own_record', 'run'),
('enterprise', 'market_supervision', 'enterprises', 'U1', 'E1', 'certified', 'run');
insert into identity.int_person_records values ('urban_management', 'cases', 'C1');
insert into identity.int_enterprise_records values ('market_supervision', 'enterprises', 'U1');
insert into subjects.subject_records values
('resident', 'urban_management', 'cases', 'C1', 'R1', 'own_record'),
('enterprise', 'market_supervision', 'enterprises', 'U1', 'E1', 'certified');
insert into subjects.residents values ('R1', '{SECRET}', 'male', 3, true, 1, 1);
insert into subjects.enterprises values ('E1', 'active', true, 1, 1);
insert into subjects.care_homes values ('H1', 100, 90);
insert into subjects.relations values ('r1', 'operates', 'enterprise', 'E1', 'care_home', 'H1');
insert into subjects.cases values ('C1', 'open', false);
insert into subjects.timeline values ('e1', 'resident', 'R1', '2026-06-01');
insert into subjects.attribute_disagreements values
('enterprise', 'E1', 'name', 1, 'market_supervision', 'enterprises', 1),
('enterprise', 'E1', 'name', 2, 'urban_management', 'cases', 1);
insert into subjects.findings values ('f1', 'two_beds', 'resident', 'R1', 'care_homes.stays:S1', 'act');
insert into subjects.towns values ('310115005', 'street');
insert into scoring.indicators values ('closure', 'share', 'up', 1);
insert into scoring.indicator_values values
('closure', 'district', '310115', '2026-05', 9, 10, 0.9, 1, 'good'),
('closure', 'town', '310115005', '2026-05', 0, 0, null, null, 'not_applicable');
insert into scoring.scorecards values ('district', '310115', '2026-05', 1, 1, 1, 1, 'good');
insert into ops.runs (run_id, started_at) values ('run', now() - interval '1 minute');
insert into ops.batches (run_id, system, table_name, load_mode, state, contract_version, read_count, inserted_count)
values ('run', 'urban_management', 'cases', 'incremental', 'admitted', '1', 2, 2);
insert into quality.check_results (run_id, gate, check_name, severity, status)
values ('run', 'dbt', 'unique_residents', 'error', 'failed'), ('run', 'dbt', 'unique_residents', 'error', 'passed');
insert into raw_urban_management.cases (case_no, scenario_code, channel, found_at, updated_at, town_code,
    _batch_id, _row_hash, _first_batch_id, _changed_at)
select no, 'waste', 'patrol', at, at, '310115005', 1, gen_random_uuid(), 1, now()
from (values ('C1', timestamptz '2026-06-30 23:59+08'), ('C2', '2026-07-01 00:00+08')) as c (no, at);
"""

# Statement, and what must be named.
FAULTS = [
    ("insert into subjects.towns values ('310115005', 'street')", "towns.town_code_unique"),
    ("insert into subjects.care_homes values (null, 1, 1)", "care_homes.home_no_not_null"),
    (f"update subjects.enterprises set status = '{SECRET}'", "enterprises.status_in_set"),
    ("update subjects.residents set care_level = 9", "residents.care_level_range"),
    ("update subjects.residents set system_count = 2", "residents.system_count_within_record_count"),
    ("insert into identity.int_person_records values ('a', 'b', 'c')",
     "subject_records.every_person_record_in_one_resident"),
    ("update subjects.subject_records set subject_id = 'E9' where subject_kind = 'enterprise'",
     "subject_records.every_firm_record_in_one_enterprise"),
    ("insert into subjects.residents (resident_id) values ('R2')", "residents.residents_are_their_records"),
    ("insert into subjects.enterprises values ('E2', 'active', true, 1, 1)",
     "enterprises.enterprises_are_their_records"),
    ("update subjects.relations set from_id = 'E8'", "relations.from_ends_exist"),
    ("update subjects.relations set to_id = 'H8'", "relations.to_ends_exist"),
    ("update subjects.timeline set subject_id = 'R8'", "timeline.subjects_exist"),
    ("update subjects.residents set link_level = 'certain'", "residents.link_level_in_set"),
    ("update subjects.findings set subject_id = 'E1'", "findings.subjects_exist"),
    ("update subjects.attribute_disagreements set subject_kind = 'resident'", "attribute_disagreements.subjects_exist"),
    ("insert into subjects.cases values ('C2', 'open', false)", "cases.cases_are_the_raw_cases"),
    ("update scoring.indicator_values set numerator = 11", "indicator_values.shares_are_shares"),
    ("update scoring.indicator_values set value = 0 where value is null", "indicator_values.unknown_is_not_zero"),
    ("update scoring.indicator_values set score = 1.5", "indicator_values.score_range"),
    ("update scoring.scorecards set status = 'fine'", "scorecards.status_in_set"),
    ("delete from raw_urban_management.cases where case_no = 'C2'",
     "urban_management.cases.rows_are_those_of_the_ledger"),
    ("insert into ops.batches (run_id, system, table_name, load_mode, contract_version)"
     " values ('run', 'urban_management', 'sites', 'snapshot', '1')", "batches.nothing_is_lost"),
    ("insert into quality.check_results (run_id, gate, check_name, severity, status)"
     " values ('run', 'dbt', 'not_null_cases', 'error', 'failed')", "dbt.not_null_cases"),
    ("alter table subjects.timeline drop column event_id", "timeline.event_id_unique"),
]  # fmt: skip


@pytest.fixture
def marts(database: Database) -> Database:
    with psycopg.connect(database.conninfo) as connection:
        for schema in ("subjects", "scoring", *(contract.raw_schema for contract in CONTRACTS)):
            connection.execute(f"create schema if not exists {schema} authorization cityhub_pipeline")
    run(database, *(f"create table {name} ({columns})" for name, columns in TABLES.items()))
    tables = [table for contract in CONTRACTS for table in contract.tables]
    run(database, *(statement for table in tables for statement in raw_table_ddl(table)[1:]), ROWS)
    return database


def run(database: Database, *statements: str) -> None:
    with database.psycopg("pipeline") as connection:
        for statement in statements:
            connection.execute(statement)


def gate(database: Database, **words: Any) -> GateResult:
    return run_release_gate(database, **{"run_id": "run", "business_date": DAY, "contracts": CONTRACTS, **words})


def test_whole_marts_pass_and_each_fault_is_named_by_its_check(
    marts: Database, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = gate(marts)
    assert answer == GateResult(True)

    run(marts, *(statement for statement, _ in FAULTS))
    answer = gate(marts)
    assert not answer.passed
    missed = {name for _, name in FAULTS} - set(answer.failed)
    assert not missed

    with marts.psycopg("pipeline") as connection:
        written = connection.execute("select r::text from quality.check_results as r").fetchall()
        counted = connection.execute(
            "select observed from quality.check_results where check_name = 'shares_are_shares' order by check_id desc"
        ).fetchone()
    assert counted == (2,)
    told = "".join([str(written), caplog.text, str(answer), *capfd.readouterr()])
    assert SECRET not in told
    assert "310115005" not in told


def test_the_gate_looks_at_what_was_released_and_at_who_tested(marts: Database) -> None:
    run(
        marts,
        "insert into release.releases (run_id, business_date, tables) values ('before', '2026-06-29',"
        """ '{"residents": {"rows": 6}, "enterprises": {"rows": 7}}')""",
        "insert into release.pointer (release_id) select release_id from release.releases",
    )
    assert gate(marts).failed == ("enterprises.rows",)
    assert gate(marts, allow_shrink={"enterprises"}).passed

    # A run that nobody tested shows nothing, whatever its tables look like.
    run(marts, "insert into ops.runs (run_id) values ('untested')")
    assert "dbt_tests_ran" in gate(marts, run_id="untested").failed


def test_a_dangling_reference_of_a_new_row_is_told(marts: Database) -> None:
    run(marts, "update raw_urban_management.cases set site_no = 'S-nowhere' where case_no = 'C1'")
    answer = gate(marts)
    assert answer.passed
    assert answer.warned == ("urban_management.cases.site_no_reference",)
    run(marts, "update ops.runs set started_at = now() + interval '1 minute'")
    assert gate(marts).warned == ()
