"""What must hold in the files of the dbt project, readable without a database."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.contract import load_contracts
from identity.thresholds import NORMAL, STRICT
from sharing.tables import RELEASED_TABLES
from warehouse.paths import DBT_PROJECT_DIR

# Everything that answers differently tomorrow, or from one session or row order to the next.
CLOCKS = re.compile(
    r"\b(now|current_date|current_timestamp|current_time|localtime|localtimestamp|clock_timestamp"
    r"|statement_timestamp|transaction_timestamp|timeofday|random(?=\s*\()|gen_random_uuid|run_started_at|invocation_id)\b"
    r"|'(today|now|yesterday|tomorrow)'"
)
UNORDERED = re.compile(r"\b(array_agg|string_agg|any_value|json_agg|jsonb_agg)\s*\((?![^;]*?\border\s+by\b)", re.I)
BILINGUAL = re.compile(r"[\u4e00-\u9fff].* / \S")
PUBLIC = ("subjects", "scoring")
# Dated columns that date no event of a subject: an attribute, the source's bookkeeping, daily readings.
NO_EVENTS = {"birth_on", "updated_at", "on_date", "weighed_on"}


def sql_files() -> list[Path]:
    folders = ("models", "macros", "tests")
    return sorted(path for folder in folders for path in (DBT_PROJECT_DIR / folder).rglob("*.sql"))


def code_of(path: Path) -> str:
    """The file without comments."""
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r"--[^\n]*", "", text)


def model_code(path: str) -> str:
    return (DBT_PROJECT_DIR / "models" / f"{path}.sql").read_text(encoding="utf-8")


def seed(name: str) -> list[dict[str, str]]:
    with (DBT_PROJECT_DIR / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def public_models() -> list[dict[str, Any]]:
    return [
        model
        for layer in PUBLIC
        for path in sorted((DBT_PROJECT_DIR / "models" / layer).glob("*.yml"))
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    ]


def test_every_model_has_its_yaml_beside_it() -> None:
    for path in (DBT_PROJECT_DIR / "models").rglob("*.sql"):
        [model] = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))["models"]
        assert model["name"] == path.stem
        assert BILINGUAL.search(model["description"]), path.stem


@pytest.mark.parametrize("path", sql_files(), ids=lambda path: path.stem)
def test_no_model_asks_the_clock_or_the_dice(path: Path) -> None:
    assert CLOCKS.findall(code_of(path).lower()) == []


@pytest.mark.parametrize("planted", ["select now()", "where d <= current_date", "date 'today'", "order by random()"])
def test_a_planted_clock_is_seen(planted: str) -> None:
    assert CLOCKS.search(planted)


@pytest.mark.parametrize("path", sql_files(), ids=lambda path: path.stem)
def test_what_depends_on_order_says_its_order(path: Path) -> None:
    code = code_of(path).replace("golden_order", "order by")
    assert UNORDERED.findall(code) == []
    # `limit` and `distinct on` pick by position.
    for match in re.finditer(r"\bdistinct on\b|\blimit\s+\d", code, re.I):
        assert re.search(r"order\s+by", code[match.start() - 400 if match.start() > 400 else 0 :], re.I)


def test_every_source_table_is_staged_with_every_column() -> None:
    staged: dict[tuple[str, str], str] = {}
    for path in (DBT_PROJECT_DIR / "models" / "staging").rglob("stg_*.sql"):
        code = path.read_text(encoding="utf-8")
        match = re.search(r"source\('raw_(\w+)', '(\w+)'\)", code)
        assert match, f"{path.name} reads no source"
        assert len(re.findall(r"\{\{ (source|ref)\(", code)) == 1, f"{path.name} reads more than its source"
        assert "_deleted_at is null" in code, f"{path.name} keeps deleted rows"
        staged[match[1], match[2]] = code
    for system in load_contracts().values():
        for table in system.tables:
            code = staged.pop((system.system, table.name))
            missing = [c.name for c in table.columns if not re.search(rf"\b{c.name}\b", code)]
            assert missing == [], f"{table.qualified_name} is not staged in full"
    assert staged == {}


@pytest.mark.parametrize("model", public_models(), ids=lambda model: model["name"])
def test_public_models_are_described_in_both_languages_as_the_catalogue_does(model: dict[str, Any]) -> None:
    labels = {(row["kind"], row["code"]): f"{row['zh']} / {row['en']}" for row in seed("seed_labels")}
    assert model["description"].startswith(labels["table", model["name"]])
    assert [c["type"] for c in model["constraints"]] == ["primary_key"]
    for column in model["columns"]:
        assert BILINGUAL.search(column["description"]), column["name"]
        assert column["description"].startswith(labels["column", f"{model['name']}.{column['name']}"])
        assert "data_type" in column


def test_labels_are_complete_and_said_once() -> None:
    rows = seed("seed_labels")
    assert all(row["zh"] and row["en"] for row in rows)
    assert len({(row["kind"], row["code"]) for row in rows}) == len(rows)


def test_labels_name_what_the_contracts_and_seeds_hold() -> None:
    labelled = {(row["kind"], row["code"]) for row in seed("seed_labels")}
    contracts = load_contracts().values()
    assert {("system", s.system) for s in contracts} <= labelled
    assert {("source_table", f"{s.system}.{t.name}") for s in contracts for t in s.tables} <= labelled
    kinds = {
        "benefit_kind": ("civil_affairs", "benefits", "kind"),
        "enterprise_kind": ("market_supervision", "enterprises", "kind"),
        "enterprise_status": ("market_supervision", "enterprises", "status"),
        "licence_kind": ("market_supervision", "licences", "kind"),
        "double": ("market_supervision", "lifecycle_notices", "double"),
        "channel": ("urban_management", "cases", "channel"),
        "loop_level": ("urban_management", "cases", "loop_level"),
        "satisfaction": ("urban_management", "cases", "satisfaction"),
        "verify_result": ("urban_management", "cases", "verify_result"),
    }
    for kind, (system, table, column) in kinds.items():
        columns = {c.name: c for c in load_contracts()[system].table(table).columns}
        codes = columns[column].enum
        assert codes, f"{table}.{column} has no list of values"
        assert {(kind, code) for code in codes} <= labelled


def test_every_kind_of_event_is_labelled_once_made_and_told_in_the_reference() -> None:
    timeline, steps = model_code("subjects/timeline"), model_code("subjects/helpers/int_case_events")
    kinds = set(re.findall(r"\('(\w+)', '(?:day|instant)', ", timeline))
    milestones = set(re.findall(r"\('\w+', '(case_\w+)', '\w+_at'\)", steps))
    assert len(kinds) > 30
    assert milestones <= kinds
    kinds |= {f"{kind}_again" for kind in milestones} | set(re.findall(r"'(case_\w+)'", steps))
    alarms = {column.name: column for column in load_contracts()["care_homes"].table("device_alarms").columns}["kind"]
    kinds |= {f"alarm_{kind}" for kind in alarms.enum or ()}
    assert kinds == {row["code"] for row in seed("seed_labels") if row["kind"] == "event_kind"}
    page = (DBT_PROJECT_DIR.parent / "docs" / "reference" / "subject-views.md").read_text(encoding="utf-8")
    assert {kind for kind in kinds if f"`{kind}`" not in page} == set()


def test_every_date_of_every_source_is_an_event_or_named_as_none() -> None:
    timeline, steps = model_code("subjects/timeline"), model_code("subjects/helpers/int_case_events")
    models = {}
    for path in (DBT_PROJECT_DIR / "models" / "staging").rglob("stg_*.sql"):
        [source] = re.findall(r"source\('raw_(\w+)', '(\w+)'\)", path.read_text(encoding="utf-8"))
        models[source] = path.stem
    of_cases = timeline[timeline.index("set case_deadline") : timeline.index("set resident_events")]
    entries = re.split(r"^    \('(?=stg_)", timeline, flags=re.M)
    seen = set()
    for system in load_contracts().values():
        for table in system.tables:
            model = models[system.system, table.name]
            told = "".join(entry for entry in entries if entry.startswith(f"{model}'"))
            told += of_cases if "case_events" in told else steps if table.name == "case_steps" else ""
            dates = {column.name for column in table.columns if column.pg_type in ("date", "timestamptz")}
            seen |= dates & NO_EVENTS
            dates -= NO_EVENTS
            named = {name for name in dates if re.search(rf"\bevent\.{name}\b|\bstep_{name}\b", told)}
            assert named == dates, f"{table.qualified_name}: {dates - named}"
    assert seen == NO_EVENTS


def test_indicators_seed_models_and_reference_agree() -> None:
    rows = seed("seed_indicators")
    codes = {row["indicator_code"] for row in rows}
    folder = DBT_PROJECT_DIR / "models" / "scoring" / "indicators"
    listed = re.findall(r"'(\w+_rate)'", (DBT_PROJECT_DIR / "macros" / "indicators.sql").read_text(encoding="utf-8"))
    assert codes == {path.stem.removeprefix("ind_") for path in folder.glob("ind_*.sql")} == set(listed)
    tables = {f"{s.system}.{t.name}" for s in load_contracts().values() for t in s.tables}
    reference = (DBT_PROJECT_DIR.parent / "docs" / "reference" / "indicators.md").read_text(encoding="utf-8")
    for row in rows:
        assert set(row["source_tables"].split(",")) <= tables
        for said in ("indicator_code", "name_zh", "name_en", "formula_zh", "formula_en", "target"):
            assert row[said] in reference, (
                f"docs/reference/indicators.md does not say {said} of {row['indicator_code']}"
            )


def test_survivorship_ranks_every_attribute_over_known_tables() -> None:
    tables = {f"{s.system}.{t.name}" for s in load_contracts().values() for t in s.tables}
    rows = seed("seed_survivorship")
    assert {row["source"] for row in rows} <= tables
    rules = {(row["subject_kind"], row["attribute"]) for row in seed("seed_survivorship_rules")}
    folder = DBT_PROJECT_DIR / "models" / "subjects"
    for kind, model in (("resident", "residents"), ("enterprise", "enterprises")):
        ranked = {row["attribute"] for row in rows if row["subject_kind"] == kind}
        assert ranked == {attribute for of_kind, attribute in rules if of_kind == kind}
        # Golden record, view of the subject and disagreements speak of the same attributes.
        for path, name in (
            (folder / "helpers" / f"int_{kind}_golden.sql", "attributes"),
            (folder / f"{model}.sql", "attributes"),
            (folder / "attribute_disagreements.sql", f"{kind}_attributes"),
        ):
            listed = re.search(rf"set {name} = \[(.*?)\]", path.read_text(encoding="utf-8"), re.S)
            assert listed, path.name
            assert set(re.findall(r"'(\w+)'", listed[1])) == ranked, path.name


def test_disagreements_hide_what_the_subject_views_hide() -> None:
    masks = {
        (model["name"], column["name"]): column.get("config", {}).get("meta", {}).get("mask", "none")
        for model in public_models()
        for column in model["columns"]
    }
    for row in seed("seed_survivorship_rules"):
        shown = masks[f"{row['subject_kind']}s", row["attribute"]]
        assert row["mask"] in (shown, "hidden"), row["attribute"]


def test_link_levels_are_those_of_the_identity_room() -> None:
    given = {row["parameter"]: row for row in seed("seed_rule_parameters") if row["rule"] == "link_level"}
    assert {name: float(row["value"]) for name, row in given.items()} == {"strict": STRICT, "normal": NORMAL}


def test_every_limit_a_rule_asks_for_is_there_from_the_beginning() -> None:
    asked = {
        tuple(found)
        for path in sql_files()
        for found in re.findall(r"rule_parameter\('(\w+)', '(\w+)'", path.read_text(encoding="utf-8"))
    }
    assert len(asked) > 5
    given = {(row["rule"], row["parameter"]) for row in seed("seed_rule_parameters") if row["valid_from"] < "2020"}
    assert asked == given


def test_the_reference_page_of_the_subject_views_says_what_the_seeds_say() -> None:
    page = (DBT_PROJECT_DIR.parent / "docs" / "reference" / "subject-views.md").read_text(encoding="utf-8")
    for row in seed("seed_finding_kinds"):
        assert f"| `{row['kind']}` | {row['subject_kind']} | {row['name_zh']} | {row['meaning_en']} |" in page
    for row in seed("seed_rule_parameters"):
        assert f"| `{row['rule']}` | `{row['parameter']}` | {row['value']} | {row['valid_from']} |" in page
    for row in seed("seed_survivorship_rules"):
        assert f"| {row['subject_kind']} | `{row['attribute']}` |" in page
        assert row["reason"] in page
    tables = {table.name for table in RELEASED_TABLES if table.reader_schema == "shared"} - {"towns"}
    assert {name for name in tables if f"| `{name}` |" not in page} == set()


def test_every_kind_of_finding_is_made_and_labelled() -> None:
    rows = seed("seed_finding_kinds")
    code = (DBT_PROJECT_DIR / "models/subjects/findings.sql").read_text(encoding="utf-8")
    labels = {(row["code"], row["zh"], row["en"]) for row in seed("seed_labels") if row["kind"] == "finding_kind"}
    assert labels == {(row["kind"], row["name_zh"], row["name_en"]) for row in rows}
    assert len(rows) == 9
    for row in rows:
        assert f"'{row['kind']}'" in code
        assert all(row.values())


def test_the_map_has_36_towns_each_on_its_own_tile() -> None:
    rows = seed("seed_towns")
    assert len({row["town_code"] for row in rows}) == len(rows) == 36
    assert len({(row["tile_x"], row["tile_y"]) for row in rows}) == 36
    assert sum(row["kind"] == "street" for row in rows) == 12
    assert all(re.fullmatch(r"310115\d{3}", row["town_code"]) for row in rows)
