"""A small release for the pages: plain tables under the names and columns of the reader's views, filled with figures
that exercise every status. Values are masked already, as the views would give them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse.database import Database

RUN = "run-0001"
BUSINESS_DATE = date(2026, 6, 30)
CLOSED_MONTH = "2026-05"
HERE = Path(__file__).parent
SEEDS = HERE.parents[2] / "dbt_project" / "seeds"
INDICATORS = (
    ("smart_discovery_rate", "智能发现率", "Smart discovery rate", "up", 0.4, 1, "illustrative", "operations_centre"),
    (
        "standard_disposal_rate",
        "达标处置率",
        "Standard disposal rate",
        "up",
        0.85,
        2,
        "illustrative",
        "urban_management",
    ),
    ("on_time_closure_rate", "按期结案率", "On-time closure rate", "up", 0.9, 2, "illustrative", "urban_management"),
    ("over_bed_rate", "超床率", "Over-bed rate", "down", 0.02, 1, "illustrative", "civil_affairs"),
    (
        "food_licence_valid_rate",
        "食品证照有效率",
        "Food licence valid rate",
        "up",
        1.0,
        1,
        "statutory",
        "market_supervision",
    ),
    (
        "dual_publication_rate",
        "双公示及时率",
        "Dual publication rate",
        "up",
        0.95,
        1,
        "illustrative",
        "market_supervision",
    ),
)
TABLES = {
    "civil_affairs": ("residents", "benefits", "care_assessments"),
    "market_supervision": ("enterprises", "licences", "inspections", "penalties", "lifecycle_notices"),
    "urban_management": ("sites", "cases", "case_steps", "waste_weighings"),
    "care_homes": ("institutions", "beds", "stays", "staff", "prices", "device_alarms", "device_uptime"),
}


def publish_sample(database: Database) -> None:
    """Fill the reader's schemas and the ledgers with one release."""
    with database.psycopg("owner") as connection:
        connection.execute((HERE / "sample_tables.sql").read_bytes())
        _scores(connection)
        _subjects(connection)
        connection.execute((HERE / "sample_search.sql").read_bytes())
        _ledgers(connection)


def _insert(connection: psycopg.Connection, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns.split()))
    statement = sql.SQL("copy {} ({}) from stdin").format(sql.SQL(table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def months() -> list[str]:
    """25 months up to the open one."""
    return [f"{2024 + (5 + n) // 12}-{(5 + n) % 12 + 1:02d}" for n in range(25)]


def towns() -> list[list[str]]:
    """The 36 streets and towns as the dbt seed lists them."""
    lines = (SEEDS / "seed_towns.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split(",") for line in lines]


def wilson(hits: int, all_: int) -> tuple[float, float] | tuple[None, None]:
    """The 95 % score interval."""
    if not all_:
        return None, None
    z, p = 1.959964, hits / all_
    middle, room = p + z * z / (2 * all_), z * (p * (1 - p) / all_ + z * z / (4 * all_ * all_)) ** 0.5
    return (middle - room) / (1 + z * z / all_), (middle + room) / (1 + z * z / all_)


def judge(value: float | None, target: float, direction: str) -> float | None:
    """The score of a value."""
    if value is None:
        return None
    if direction == "up":
        return min(value / target, 1.25)
    return 1.25 if value <= 0 else min(target / value, 1.25)


def _scores(connection: psycopg.Connection) -> None:
    rng = random.Random(7)
    places = [("district", "310115", 36)] + [("town", row[0], 1) for row in towns()]
    _insert(connection, "shared.towns", "town_code name_zh name_en kind tile_x tile_y", towns())
    definition = [
        (
            *(
                code,
                "1",
                zh,
                en,
                "urban",
                None,
                f"{zh}的分子 ÷ 分母",
                f"{en}: numerator ÷ denominator",
                "share",
                direction,
            ),
            *(target, origin, weight, owner, date(2024, 1, 1), "urban_management"),
        )
        for code, zh, en, direction, target, weight, origin, owner in INDICATORS
    ]
    names = "indicator_code version name_zh name_en domain scenario_code formula_zh formula_en unit direction target"
    names += " target_origin weight owner_department valid_from source_systems"
    _insert(connection, "scorecards.indicators", names, definition)
    values, cards = [], []
    for dimension, place, size in places:
        for month in months():
            lines = [_value(rng, dimension, place, size, month, indicator) for indicator in INDICATORS]
            values += lines
            cards.append(_card(dimension, place, month, lines))
    names = "indicator_code dimension dimension_code period indicator_version period_kind period_start_on"
    names += " period_end_on numerator denominator value target score status wilson_low wilson_high weight"
    _insert(connection, "scorecards.indicator_values", names, values)
    ranked = sorted((card for card in cards if card[0] == "town" and card[2] == CLOSED_MONTH and card[4]), key=_worse)
    ranks = {card[1]: 1 + position // 3 * 3 for position, card in enumerate(ranked)}
    rows = [(*card, ranks.get(card[1]) if card[2] == CLOSED_MONTH else None) for card in cards]
    names = "dimension dimension_code period period_kind index_value status weight_available_share available_count"
    _insert(connection, "scorecards.scorecards", names + " indicator_count rank", rows)


def _worse(card: tuple[Any, ...]) -> float:
    return -float(card[4])


def _value(rng: random.Random, dimension: str, place: str, size: int, month: str, indicator: Any) -> tuple[Any, ...]:
    code, _, _, direction, target, weight, _, _ = indicator
    year, number = int(month[:4]), int(month[5:])
    denominator = rng.randint(8, 90) * size
    if code == "food_licence_valid_rate":
        denominator = rng.choice([0, 3, 5, 24]) if dimension == "town" else 158
    level = target * rng.uniform(0.86, 1.08) if direction == "up" else target * rng.uniform(0.4, 1.8)
    numerator = min(round(level * denominator), denominator)
    value = numerator / denominator if denominator else None
    score, status = judge(value, target, direction), "not_applicable"
    if denominator:
        status = "good" if score >= 1 else "watch" if score >= 0.9 else "poor"
        if month == "2026-06":
            status, score = "too_early", None
        elif (code, month) == ("over_bed_rate", "2025-11"):
            status, score = "stale", None
        elif denominator < 20:
            status = "too_few"
    end = date(year + number // 12, number % 12 + 1, 1) - timedelta(days=1)
    low, high = wilson(numerator, denominator)
    head = (code, dimension, place, month, "1", "month", date(year, number, 1), end)
    return (*head, numerator, denominator, value, target, score, status, low, high, weight)


def _card(dimension: str, place: str, month: str, lines: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    counted = [line for line in lines if line[13] in ("good", "watch", "poor")]
    weight = sum(line[16] for line in counted)
    index = sum(line[16] * line[12] for line in counted) / weight if weight else None
    status = "too_early" if index is None else "good" if index >= 1 else "watch" if index >= 0.9 else "poor"
    return (dimension, place, month, "month", index, status, weight / 8, len(counted), len(lines))


def _subjects(connection: psycopg.Connection) -> None:
    rng = random.Random(11)
    codes = [row[0] for row in towns()]
    names = "resident_id name citizen_no sex_code birth_on home_address town_code phone marital_status benefit_kinds"
    names += " care_level care_home_no is_certified record_count system_count open_case_count name_source"
    names += " citizen_no_source birth_on_source home_address_source town_code_source phone_source"
    register = "civil_affairs.residents"
    residents = [
        (
            *(
                f"R{n:016x}",
                "王*" if n else "李**",
                "310115********1234",
                "female" if n % 2 else "male",
                date(1942, 5, 7),
            ),
            *(
                "浦东新区****弄**号",
                codes[n % 36],
                "138****5678",
                "***",
                "***",
                4,
                "H0001" if n < 3 else None,
            ),
            *(n % 5 != 0 or n == 0, 3, 2, 1, register, register, register, register, register, "care_homes.stays"),
        )
        for n in range(30)
    ]
    _insert(connection, "shared.residents", names, residents)
    _whole(connection)
    names = "enterprise_id uscc name kind status legal_rep_name legal_rep_resident_id registered_capital_cny"
    names += " established_on address town_code care_home_no is_certified record_count system_count licence_count"
    names += " penalty_count open_case_count name_source uscc_source address_source status_source town_code_source"
    register = "market_supervision.enterprises"
    enterprises = [
        (
            *(f"E{n:016x}", f"91310115MA1K3{n:04d}X", f"上海浦东示例养老服务有限公司{n}", "company", "active", "王*"),
            *(
                f"R{n:016x}",
                5_000_000,
                date(2011, 3, 1),
                "浦东新区示例路1号",
                codes[n % 36],
                "H0001" if not n else None,
            ),
            *(True, 4, 2, 2, 0, 1, register, register, register, register, register),
        )
        for n in range(12)
    ]
    _insert(connection, "shared.enterprises", names, enterprises)
    home = ("H0001", "E0000000000000000", "浦东示例养护院", 120, 30, 3, "浦东新区示例路1号", codes[0], 96, True)
    _insert(
        connection,
        "shared.care_homes",
        "home_no enterprise_id name licensed_beds basic_beds star address town_code in_residence_count"
        " has_valid_food_licence",
        [home],
    )
    relations = [
        (
            *(
                "m1",
                "lives_in_home",
                "resident",
                "R0000000000000000",
                "care_home",
                "H0001",
                date(2024, 5, 6),
                None,
                True,
            ),
            *("care_homes", "stays", "S1"),
        ),
        (
            "m2",
            "legal_representative",
            "resident",
            "R0000000000000000",
            "enterprise",
            "E0000000000000000",
            None,
            None,
            True,
            "market_supervision",
            "enterprises",
            "k",
        ),
        (
            *("m3", "operates", "enterprise", "E0000000000000000", "care_home", "H0001", date(2012, 1, 1), None, True),
            *("care_homes", "institutions", "H0001"),
        ),
    ]
    names = "relation_id kind from_kind from_id to_kind to_id since_on until_on is_current source_system source_table"
    _insert(connection, "shared.relations", names + " source_key", relations)
    _cases(connection, rng, codes)
    events = [
        (
            *(
                f"e{n}",
                kind,
                subject,
                date(2025, 1, 10) + timedelta(days=40 * n),
                "case_found",
                "案件发现",
                "Case found",
            ),
            *("urban_management", "cases", f"C{n}"),
        )
        for n in range(9)
        for kind, subject in (("resident", "R0000000000000000"), ("enterprise", "E0000000000000000"))
    ]
    alarm = (
        *("enterprise", "E0000000000000000", date(2026, 6, 29), "alarm_off_bed", "离床报警", "Off-bed alarm"),
        *("care_homes", "device_alarms"),
    )
    events += [(f"a{n}", *alarm, f"A{n}") for n in range(3)]
    names = "event_id subject_kind subject_id on_date event_kind label_zh label_en system table_name record_key"
    _insert(connection, "shared.timeline", names, events)
    records = [
        ("resident", "R0000000000000000", "civil_affairs", "residents", "P0001", "resident", "certified", True),
        ("resident", "R0000000000000000", "care_homes", "stays", "S1", "elder", "certified", True),
        ("enterprise", "E0000000000000000", "market_supervision", "enterprises", "k", "registered", "certified", True),
    ]
    names = "subject_kind subject_id system table_name record_key role method is_certified"
    _insert(connection, "shared.subject_records", names, records)


def _whole(connection: psycopg.Connection) -> None:
    """What stands beside a resident's attributes: two in a household, a finding, a contradiction, a change."""
    connection.execute(
        "update shared.residents set household_id = 'R0000000000000000', household_size = 2"
        " where resident_id in ('R0000000000000000', 'R0000000000000001')"
    )
    connection.execute(
        "update shared.residents set finding_count = 1, disagreement_count = 1, legal_rep_count = 1,"
        " care_level_source = 'civil_affairs.care_assessments', stay_since_on = '2024-05-06', is_in_basic_bed = true"
        " where resident_id = 'R0000000000000000'"
    )
    connection.execute(
        "insert into shared.findings values ('f1', 'two_beds', 'resident', 'R0000000000000000', 'care_home', 'H0001',"
        " '2026-05-27', 'care_homes.stays:S1,care_homes.stays:S2', '同一人同时占两张床', 'One person in two beds',"
        " 'act', 'civil_affairs')"
    )
    said = ("resident", "R0000000000000000", "name")
    _insert(
        connection,
        "shared.attribute_disagreements",
        "subject_kind subject_id attribute value_no value_shown is_golden system table_name record_key record_count",
        [
            (*said, 1, "李**", True, "civil_affairs", "residents", "P0001", 1),
            (*said, 2, "李**", False, "care_homes", "stays", "S1", 1),
        ],
    )
    names = "subject_kind subject_id attribute value_shown source from_release from_on to_release to_on is_current"
    phone = ("resident", "R0000000000000000", "phone")
    register, days = "civil_affairs.residents", (date(2026, 6, 1), date(2026, 6, 20))
    history = [
        (*phone, "139****0001", register, 1, days[0], 2, days[1], False),
        (*phone, "138****5678", register, 2, days[1], None, None, True),
        (*phone[:2], "town_code", "310115004", register, 1, days[0], None, None, True),
    ]
    _insert(connection, "shared.subject_history", names, history)


def _cases(connection: psycopg.Connection, rng: random.Random, codes: Sequence[str]) -> None:
    rows = []
    for n in range(900):
        found = datetime(2026, 6, 30, 10, tzinfo=UTC) - timedelta(hours=rng.randint(1, 2000))
        status = rng.choice(["open", "disposed", "closed", "closed", "closed", "invalid"])
        due = found + timedelta(days=5)
        late = status in ("open", "disposed") and due < datetime(2026, 6, 30, tzinfo=UTC)
        scenario, channel = rng.choice(["waste_sorting", "ebike_charging"]), rng.choice(["device", "hotline", "video"])
        rows.append(
            (
                *(f"C{n:07d}", scenario, channel, channel != "hotline", status != "invalid", "S1", "东方家园小区"),
                *(codes[n % 36], found, due, found + timedelta(days=2) if status != "open" else None),
                *(found + timedelta(days=3) if status == "closed" else None, "micro", status, late),
                *("R0000000000000000" if n < 3 else None, "E0000000000000000" if n < 5 else None, "satisfied"),
            )
        )
    names = "case_no scenario_code channel is_smart_discovery is_valid site_no site_name town_code found_at"
    names += " effective_due_at disposed_at closed_at loop_level status is_overdue reporter_resident_id"
    _insert(connection, "shared.cases", names + " party_enterprise_id satisfaction", rows)


def _ledgers(connection: psycopg.Connection) -> None:
    as_of = datetime(2026, 6, 30, 15, 50, tzinfo=UTC)
    batches, states, checks = [], [], []
    for system, tables in TABLES.items():
        for table in tables:
            held = (system, table) == ("urban_management", "waste_weighings")
            counts = (40, 0, 0, 0, 0, 40) if held else (1240, 12, 3, 1218, 1, 7)
            reason = "volume: 40 rows, expected at least 1,000" if held else None
            batches.append(
                (RUN, system, table, "snapshot", "held" if held else "admitted", as_of, *counts, "1.0.0", reason)
            )
            states.append((system, table, "held" if held else "admitted", as_of, as_of, reason))
            for name in ("row count within its band", "key is unique", "share of rejected rows"):
                failed = held and name.startswith("row count")
                status = "failed" if failed else "warned" if table == "cases" and "share" in name else "passed"
                checks.append(
                    (RUN, "admission", system, table, name, "error" if failed else "warn", status, 0.01, "≤ 0.05")
                )
    checks += [(RUN, "release", None, "residents", f"release check {n}", "error", "passed", 0, "0") for n in range(12)]
    checks += [(RUN, "dbt", None, "cases", f"model test {n}", "error", "passed", 0, "0") for n in range(20)]
    names = "run_id system table_name load_mode state finished_at read_count inserted_count updated_count"
    names += " unchanged_count deleted_count quarantined_count contract_version reason"
    _insert(connection, "ops.batches", names, batches)
    _insert(connection, "ops.source_states", "system table_name state state_since as_of last_error", states)
    connection.execute(
        "update ops.source_states s set last_batch_id = b.batch_id from ops.batches b"
        " where (b.system, b.table_name) = (s.system, s.table_name)"
    )
    names = "run_id gate system table_name check_name severity status observed expected"
    _insert(connection, "quality.check_results", names, checks)
    rejected = [
        (
            *(*("civil_affairs", "residents", f"P{n}", f"d{n}", Jsonb({})),),
            *(Jsonb([{"rule": "id_no_wellformed", "severity": "reject", "column": "id_no"}]), Jsonb({"row": n}), 1, 1),
        )
        for n in range(7)
    ]
    names = "system table_name row_key row_digest payload reasons position first_batch_id last_batch_id"
    _insert(connection, "quarantine.rejected_rows", names, rejected)
    tables = {"residents": {"rows": 30, "inserted": 30, "updated": 0, "deleted": 0}}
    connection.execute(
        "insert into release.releases (run_id, business_date, published_at, tables) values (%s, %s, %s, %s)",
        [RUN, BUSINESS_DATE, datetime(2026, 6, 30, 18, 5, tzinfo=UTC), Jsonb(tables)],
    )
    connection.execute("insert into release.pointer (release_id) select max(release_id) from release.releases")
