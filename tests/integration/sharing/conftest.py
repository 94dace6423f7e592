"""Small marts as dbt would build them, under the pipeline role."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest

from sharing.release import ReleaseResult, publish_release
from warehouse.database import Database

CITIZEN_NO = "11010519491231002X"
DAY = date(2026, 6, 30)

MARTS = {
    "subjects.residents": "resident_id text, name text, citizen_no text, phone text, home_address text,"
    " town_code text, record_count integer, system_count integer, household_id text",
    "subjects.enterprises": "enterprise_id text, uscc text, registration_no text, name text, status text,"
    " town_code text, record_count integer, system_count integer",
    "subjects.care_homes": "home_no text, name text, licensed_beds integer",
    "subjects.relations": "relation_id text, from_kind text, from_id text, to_kind text, to_id text",
    "subjects.cases": "case_no text, town_code text, found_at timestamptz, reporter_resident_id text,"
    " party_enterprise_id text",
    "subjects.timeline": "event_id text, subject_kind text, subject_id text, on_date date, at timestamptz,"
    " table_name text, record_key text",
    "subjects.subject_records": "subject_kind text, system text, table_name text, record_key text, subject_id text",
    "subjects.attribute_disagreements": "subject_kind text, subject_id text, attribute text, value_no integer,"
    " system text, table_name text",
    "subjects.findings": "finding_id text, subject_kind text, subject_id text",
    "subjects.towns": "town_code text, name_zh text",
    "scoring.indicators": "indicator_code text, version text, name_zh text, name_en text, formula_zh text,"
    " formula_en text, unit text, direction text, target_origin text, owner_department text, source_systems text",
    "scoring.indicator_values": "indicator_code text, dimension text, dimension_code text, period text,"
    " indicator_version text, period_start_on date, period_end_on date, numerator bigint, denominator bigint,"
    " value double precision, target double precision, score double precision, status text",
    "scoring.scorecards": "dimension text, dimension_code text, period text, index_value double precision",
}

MASKS = {"residents": {"name": "name", "citizen_no": "citizen_no", "phone": "phone", "home_address": "address"}}


class Marts:
    """Builds, changes and publishes the marts of one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.runs = 0
        self.masks = MASKS
        with psycopg.connect(database.conninfo) as connection:
            connection.execute("create schema subjects authorization cityhub_pipeline")
            connection.execute("create schema scoring authorization cityhub_pipeline")
        self.run(*(f"create table {name} ({columns})" for name, columns in MARTS.items()))
        self.run(
            "comment on table subjects.residents is '居民 / Residents'",
            "comment on column subjects.residents.name is '姓名 / Name'",
            f"insert into subjects.residents values"
            f" ('R00000000000000a1', '张三', '{CITIZEN_NO}', '13812341234', '张杨路500弄3号201室', '310115005', 3, 2),"
            " ('R00000000000000a2', '张三丰', null, null, null, '310115005', 1, 1),"
            " ('R00000000000000a3', '李四', null, null, null, null, 1, 1)",
            "insert into subjects.enterprises values ('E00000000000000b1', '91110000600037341L', null,"
            " '上海张江长者照护有限公司', 'active', '310115125', 2, 2)",
            "insert into subjects.cases values ('C1', '310115005', '2026-06-01 08:00+08', 'R00000000000000a1', null)",
            "insert into subjects.timeline values"
            " ('e1', 'resident', 'R00000000000000a1', '2026-06-01', '2026-06-01 08:00+08')",
            "insert into subjects.towns values ('310115005', '陆家嘴'), ('310115125', '张江')",
            "insert into scoring.indicators values ('closure', '1', '结案率', 'Closure', '结案÷立案', 'closed / filed',"
            " 'share', 'up', 'illustrative', 'urban_management', 'urban_management')",
            "insert into scoring.indicator_values values ('closure', 'district', '310115', '2026-05', '1',"
            " '2026-05-01', '2026-05-31', 90, 100, 0.9, 0.95, 0.947, 'watch'),"
            " ('closure', 'town', '310115005', '2026-05', '1', '2026-05-01', '2026-05-31', 0, 0, null, 0.95, null,"
            " 'not_applicable')",
        )

    def run(self, *statements: str) -> None:
        """Execute as the pipeline, as dbt does."""
        with self.database.psycopg("pipeline") as connection:
            for statement in statements:
                connection.execute(statement)

    def publish(self, **changes: Any) -> ReleaseResult:
        """Publish everything, by default in the same words each time."""
        self.runs += 1
        words: dict[str, Any] = {
            "business_date": DAY,
            "fingerprint": "f",
            "systems": {"urban_management": {"cases": "admitted"}},
            "checks": {"passed": 1},
            "masks": self.masks,
        }
        return publish_release(self.database, run_id=f"run-{self.runs}", **{**words, **changes})

    def rows(self, query: str, role: str = "reader") -> list[tuple[Any, ...]]:
        """What a role reads."""
        with self.database.psycopg(role) as connection:  # type: ignore[arg-type]
            return connection.execute(query).fetchall()


@pytest.fixture
def marts(database: Database) -> Marts:
    return Marts(database)
