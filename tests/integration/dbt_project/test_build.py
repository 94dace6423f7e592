"""The dbt project on a real Postgres: its unit tests, and its figures recomputed in pandas for a day in the past."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from psycopg import sql

from connectors.contract import load_contracts
from demo.city.state import City
from identity import resolve
from warehouse.paths import DBT_PROJECT_DIR

if TYPE_CHECKING:
    from warehouse.database import Database

DISTRICT = "310115"
# A day inside a month and inside the history: the running month is open, later events are not known yet.
PAST_DAY = "2026-03-15"
BUILT = ("subjects", "scenarios", "scoring")

Counts = dict[tuple[str, str, str, str], tuple[int, int]]


def dbt(database: Database, folder: Path, *arguments: str, business_date: str | None = PAST_DAY) -> str:
    """Run dbt; its output. Fails the test when dbt fails."""
    done = run_dbt(database, folder, *arguments, business_date=business_date)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def run_dbt(
    database: Database, folder: Path, *arguments: str, business_date: str | None
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CITYHUB_BUSINESS_DATE"}
    environment |= database.dbt_env()
    if business_date is not None:
        environment["CITYHUB_BUSINESS_DATE"] = business_date
    command = [sys.executable, "-m", "orchestration.terse_dbt", "--no-use-colors", *arguments]
    places = ["--profiles-dir", str(DBT_PROJECT_DIR), "--project-dir", str(DBT_PROJECT_DIR)]
    outputs = ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    return subprocess.run([*command, *places, *outputs], env=environment, capture_output=True, text=True, check=False)


def build(database: Database, folder: Path, run_id: str, *, command: str = "build") -> None:
    only = () if command == "run" else ("--exclude-resource-type", "unit_test")
    dbt(database, folder, command, *only, "--select", "tag:phase_records")
    resolve.resolve(database, run_id=run_id)
    dbt(database, folder, command, *only, "--exclude", "tag:phase_records")


def frame(database: Database, query: str, *instants: str) -> pd.DataFrame:
    """Rows of a query; the named columns as Shanghai times."""
    with database.psycopg("pipeline") as connection:
        cursor = connection.execute(query.encode())
        data = pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description or ()])
    for name in instants:
        data[name] = pd.to_datetime(data[name], utc=True).dt.tz_convert("Asia/Shanghai")
    return data


def count(into: Counts, code: str, towns: set[str], facts: pd.DataFrame) -> None:
    """Add facts (town_code, period, hit) to the district and, where they are one of the 36, to their town."""
    cells: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for town, period, hit in facts[["town_code", "period", "hit"]].itertuples(index=False):
        cells["district", DISTRICT, period].append(bool(hit))
        if town in towns:
            cells["town", town, period].append(bool(hit))
    for (dimension, place, period), hits in cells.items():
        into[code, dimension, place, period] = (sum(hits), len(hits))


def month(instants: pd.Series[Any]) -> Any:
    return instants.dt.strftime("%Y-%m")


def recompute(database: Database) -> Counts:
    """Numerators and denominators of the six indicators, from raw tables by the rules of indicators.md."""
    counts: Counts = {}
    towns = set(frame(database, "select town_code from subjects.towns").town_code)
    count_cases(database, counts, towns)
    count_homes(database, counts, towns)
    notices = frame(
        database,
        """
        select n.*, e.town_code
        from raw_market_supervision.lifecycle_notices as n
        left join (
            select distinct on (coalesce(_uscc_key, uscc)) coalesce(_uscc_key, uscc) as named, town_code
            from raw_market_supervision.enterprises order by 1, updated_at desc
        ) as e on e.named = coalesce(n._uscc_key, n.uscc)
        where n.double = 'publication'
        """,
        "due_at",
        "done_at",
    )
    end = pd.Timestamp(PAST_DAY, tz="Asia/Shanghai") + pd.Timedelta(days=1)
    notices = notices[notices.due_at < end]
    known = notices.done_at.where(notices.done_at < end)
    count(
        counts,
        "dual_publication_rate",
        towns,
        notices.assign(period=month(notices.due_at), hit=known <= notices.due_at),
    )
    return counts


def count_cases(database: Database, counts: Counts, towns: set[str]) -> None:
    end = pd.Timestamp(PAST_DAY, tz="Asia/Shanghai") + pd.Timedelta(days=1)
    instants = ("found_at", "due_at", "extended_to", "disposed_at", "closed_at")
    cases = frame(database, "select * from raw_urban_management.cases where is_valid", *instants)
    cases = cases[cases.found_at < end]
    smart = cases.channel.isin(["device", "video", "data_match"])
    count(counts, "smart_discovery_rate", towns, cases.assign(period=month(cases.found_at), hit=smart))
    due_at = cases.extended_to.fillna(cases.due_at)
    due = cases.assign(due=due_at, period=month(due_at))[due_at < end]
    disposed = (due.disposed_at <= due.due) & (due.verify_result == "pass")
    count(counts, "standard_disposal_rate", towns, due.assign(hit=disposed))
    count(counts, "on_time_closure_rate", towns, due.assign(hit=due.closed_at <= due.due))


def count_homes(database: Database, counts: Counts, towns: set[str]) -> None:
    homes = frame(database, "select * from raw_care_homes.institutions")
    stays = frame(database, "select * from raw_care_homes.stays")
    licences = frame(database, "select * from raw_market_supervision.licences where kind = 'food'")
    last = pd.Timestamp(PAST_DAY)
    beds, food = [], []
    for stamp in pd.date_range("2024-04-01", last):
        day = stamp.date()
        is_last = stamp.is_month_end or stamp == last
        inside = stays[(stays.admitted_on <= day) & (stays.discharged_on.isna() | (stays.discharged_on > day))]
        in_force = licences[
            (licences.valid_from <= day) & (licences.valid_until >= day) & (licences.status != "revoked")
        ]
        for home in homes[homes.filed_on.isna() | (homes.filed_on <= day)].to_dict("records"):
            place = {"town_code": home["town_code"], "period": f"{stamp:%Y-%m}"}
            beds.append({**place, "hit": (inside.home_no == home["home_no"]).sum() > home["licensed_beds"]})
            if is_last:
                food.append({**place, "hit": (in_force["_uscc_key"] == home["_uscc_key"]).any()})
    count(counts, "over_bed_rate", towns, pd.DataFrame(beds))
    count(counts, "food_licence_valid_rate", towns, pd.DataFrame(food))


def digests(database: Database) -> dict[str, str]:
    """Per built table a digest of its rows, whatever their order."""
    found = {}
    with database.psycopg("pipeline") as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname = any(%s) order by 1, 2", [list(BUILT)]
        ).fetchall()
        for schema, table in tables:
            row = connection.execute(
                sql.SQL(
                    "select count(*), md5(string_agg(h, '' order by h)) from (select md5(t::text) as h from {} as t)"
                ).format(sql.Identifier(schema, table))
            ).fetchone()
            found[f"{schema}.{table}"] = str(row)
    return found


def reverse_rows(database: Database) -> None:
    """Write every raw table's rows anew, last row first."""
    with database.psycopg("pipeline") as connection:
        for contract in load_contracts().values():
            for table in contract.tables:
                name = sql.Identifier(table.raw_schema, table.name)
                for statement in (
                    "create temp table turned on commit preserve rows as select * from {} order by ctid desc",
                    "delete from {}",
                    "insert into {} select * from turned",
                    "drop table turned",
                ):
                    connection.execute(sql.SQL(statement).format(name))


@pytest.mark.xdist_group("landed")
def test_figures_of_a_past_day_are_right_and_do_not_depend_on_row_order(
    landed: tuple[Database, City], tmp_path: Path
) -> None:
    database, city = landed
    build(database, tmp_path, "r1")
    check_figures(database)

    before = digests(database)
    assert len(before) > 15
    reverse_rows(database)
    build(database, tmp_path, "r2", command="run")
    assert digests(database) == before

    # dbt's unit tests need the built tables only for their columns; they bring their own dates.
    said = dbt(database, tmp_path, "test", "--select", "test_type:unit", business_date=None)
    assert "ERROR=0" in said
    assert int(said.rsplit("PASS=", 1)[1].split()[0]) >= 26
    behind = ("int_deaths", "int_enterprise_golden", "cases", "care_homes", "findings")
    dbt(database, tmp_path, "run", "--select", *behind, business_date=city.clock.isoformat())
    check_findings(database, city)
    refused = run_dbt(database, tmp_path, "run", "--select", "cases", business_date=None)
    assert refused.returncode != 0
    assert "The business date is missing" in refused.stdout


def check_findings(database: Database, city: City) -> None:
    """What the joined view finds is what the truth lists, as far as every record concerned certifies: a true finding
    whose records lie in several subjects cannot be seen, and none is made up."""
    truth = city.truth()["findings"].to_dicts()
    found = frame(database, "select kind, subject_id, evidence, since_on from subjects.findings").to_dict("records")
    for row in found:
        row["evidence"] = set(row["evidence"].split(","))
    true = {kind: [set(row["keys"]) for row in truth if row["kind"] == kind] for kind in {row["kind"] for row in truth}}
    assert len(true) == 9
    for kind, keys in true.items():
        seen = [row["evidence"] for row in found if row["kind"] == kind]
        assert all(any(known & evidence for known in keys) for evidence in seen), f"{kind} is made up"
        # Cases of one firm may name it without its code and so stay outside; all other evidence is complete.
        missed = [known for known in keys if not any(known & evidence for evidence in seen)]
        assert missed == [], kind
        if kind != "many_cases_low_risk":
            assert all(any(known <= evidence for evidence in seen) for known in keys), kind
    assert all(row["since_on"] is None or row["since_on"] <= city.clock for row in found)


def check_figures(database: Database) -> None:
    expected = recompute(database)
    values = frame(database, "select * from scoring.indicator_values").to_dict("records")
    cells = [(row["indicator_code"], row["dimension"], row["dimension_code"], row["period"]) for row in values]
    built = {cell: (row["numerator"], row["denominator"]) for cell, row in zip(cells, values, strict=True)}
    assert len(built) == len(values) == 6 * 37 * 24
    periods = {row["period"] for row in values}
    assert (min(periods), max(periods)) == ("2024-04", "2026-03")
    assert {cell: found for cell, found in built.items() if found != expected.get(cell, (0, 0))} == {}
    assert {cell for cell in expected if cell[3] in periods} <= built.keys()
    assert sum(denominator for _, denominator in built.values()) > 1_000
    running = {row["status"] for row in values if row["period"] == "2026-03" and row["denominator"]}
    assert running == {"too_early"}
