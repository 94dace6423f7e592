"""The contract files against the standard and the domain; broken files against the reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from importlib.resources import files
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml

from connectors.checks import check_batch
from connectors.contract import load_contract, load_contracts
from connectors.contract.ddl import BOOKKEEPING
from connectors.data_dictionary import rules_text
from warehouse.errors import ContractError
from warehouse.paths import CONTRACTS_DIR

FILES = sorted(CONTRACTS_DIR.glob("*.yaml"))
CASES_COLUMNS = """case_no scenario_code channel site_no town_code committee_code found_at filed_at dispatched_at
first_contact_at due_at extended_to disposed_at verified_at verify_result closed_at loop_level is_valid reporter_name
reporter_phone party_name party_uscc satisfaction updated_at"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_are_valid_by_the_standards_own_schema(path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema = (files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8")
    jsonschema.Draft201909Validator(json.loads(schema)).validate(document)


def test_every_table_is_understood() -> None:
    contracts = load_contracts()
    assert {system: [table.name for table in contract.tables] for system, contract in contracts.items()} == {
        "care_homes": ["institutions", "beds", "stays", "staff", "prices", "device_alarms", "device_uptime"],
        "civil_affairs": ["residents", "benefits", "care_assessments"],
        "market_supervision": [
            "enterprises",
            "licences",
            "inspections",
            "penalties",
            "special_equipment",
            "lifecycle_notices",
        ],
        "urban_management": ["sites", "cases", "case_steps", "waste_weighings"],
    }
    cases = contracts["urban_management"].table("cases")
    assert cases.column_names == tuple(CASES_COLUMNS.split())
    assert (cases.load_mode, cases.cursor, cases.key) == ("incremental", "updated_at", ("case_no",))
    assert contracts["care_homes"].table("prices").key == ("home_no", "item", "filed_on")
    assert contracts["care_homes"].table("staff").encoding == "gb18030"


def test_personal_columns_are_classified_and_masked() -> None:
    masks = {"name": "name", "id_no": "citizen_no", "legal_rep_name": "name", "legal_rep_id_no": "citizen_no"}
    masks |= {"phone": "phone", "reporter_phone": "phone", "reporter_name": "name", "home_address": "address"}
    people = {"residents", "stays", "staff", "cases"}
    for contract in load_contracts().values():
        for table in contract.tables:
            for column in table.columns:
                expected = masks.get(column.name)
                if column.name == "name" and table.name not in people:
                    expected = None  # the name of a firm, a home or a place
                assert expected is None or (column.mask, column.classification) == (expected, "personal"), column
                assert column.mask is None or column.classification == "personal", column
                assert column.zh
                assert column.en
                assert column.name not in dict(BOOKKEEPING)


def test_small_tables_have_a_floor_below_their_shares() -> None:
    table = load_contracts()["care_homes"].table("institutions")
    assert (table.allowed_rejects(12), table.allowed_rejects(1_000)) == (5, 50)
    assert (table.allowed_shrink(10), table.allowed_shrink(1_000)) == (5, 200)


def test_incremental_tables_are_swept_weekly_unless_told_otherwise() -> None:
    tables = [table for contract in load_contracts().values() for table in contract.tables]
    assert {table.sweep_every_days for table in tables if table.load_mode == "incremental"} == {7}
    assert {table.sweep_every_days for table in tables if table.load_mode != "incremental"} == {None}


Change = Callable[[dict], None]


def _column(name: str) -> Callable[[dict], dict]:
    return lambda document: next(c for c in document["schema"][0]["properties"] if c["name"] == name)


def _table_property(name: str, value: object) -> Change:
    def change(document: dict) -> None:
        next(p for p in document["schema"][0]["customProperties"] if p["property"] == name)["value"] = value

    return change


def _more_table_property(name: str, value: object, table: int = 0) -> Change:
    return lambda document: document["schema"][table]["customProperties"].append({"property": name, "value": value})


def _server_property(name: str, value: object) -> Change:
    return lambda document: document["servers"][0]["customProperties"].append({"property": name, "value": value})


BROKEN: dict[str, tuple[Change, str]] = {
    "misspelt key": (lambda d: _column("id_no")(d).update(requird=True), "requird"),
    "unknown type": (lambda d: _column("name")(d).update(logicalType="vector"), "column name"),
    "no classification": (lambda d: _column("name")(d).pop("classification"), "classification"),
    "unknown mask": (
        lambda d: _column("name")(d).update(customProperties=[{"property": "mask", "value": "blur"}]),
        "blur",
    ),
    "unknown custom property": (
        lambda d: _column("name")(d).update(customProperties=[{"property": "hidden", "value": True}]),
        "hidden",
    ),
    "empty enumeration": (
        lambda d: _column("sex")(d).update(
            quality=[{"metric": "invalidValues", "arguments": {"validValues": []}, "mustBe": 0}]
        ),
        "column sex",
    ),
    "enumeration in the standard's other way": (
        lambda d: _column("sex")(d).update(enum=[{"value": "男"}]),
        "invalidValues",
    ),
    "argument that nobody reads": (
        lambda d: _column("sex")(d)["quality"][0]["arguments"].update(pattern="^.$"),
        "column sex",
    ),
    "unique column that is no key": (lambda d: _column("phone")(d).update(unique=True), "primaryKey"),
    "reference at the table": (
        lambda d: d["schema"][0].update(relationships=[{"from": "residents.town_code", "to": "towns.code"}]),
        "at the column",
    ),
    "volume that only warns": (lambda d: d["schema"][0]["quality"][0].update(severity="warning"), "is held"),
    "bad pattern": (lambda d: _column("phone")(d).update(logicalTypeOptions={"pattern": "("}), "column phone"),
    "no key": (lambda d: _column("person_no")(d).pop("primaryKey"), "primaryKeyPosition"),
    "severity of no rule": (
        lambda d: _column("name")(d).update(
            customProperties=[{"property": "severity", "value": {"pattern": "error"}}],
        ),
        "a rule that the column has not: pattern",
    ),
    "unknown severity": (
        lambda d: _column("phone")(d)["customProperties"].append(
            {"property": "severity", "value": {"pattern": "fatal"}}
        ),
        "'fatal'",
    ),
    "personal key": (lambda d: _column("person_no")(d).update(classification="personal"), "column person_no"),
    "unknown load mode": (_table_property("loadMode", "mirror"), "mirror"),
    "cursor of another table": (_table_property("cursor", "seen_at"), "seen_at"),
    "cursor that is no time": (_table_property("cursor", "name"), "table residents"),
    "sweep that is never due": (_more_table_property("sweepEveryDays", 0), "sweepEveryDays"),
    "sweep of a snapshot": (_more_table_property("sweepEveryDays", 7, table=2), "table care_assessments"),
    "order of a database": (_more_table_property("order", "cursor"), "transport rest"),
    "unknown reference": (
        lambda d: d["schema"][1]["properties"][1].update(relationships=[{"to": "people.person_no"}]),
        "civil_affairs.people.person_no",
    ),
    "rule over no column": (
        lambda d: d["schema"][0]["quality"][1]["implementation"].update(right="born_on"),
        "born_on",
    ),
    "rule over two types": (
        lambda d: d["schema"][0]["quality"][1]["implementation"].update(right="name"),
        "died_after_birth",
    ),
    "unknown server property": (_server_property("rowsPerMinute", 100), "rowsPerMinute"),
    "row budget that is too small": (_server_property("rowsPerSecond", 99), "from 100 to"),
    "endless statement": (_server_property("statementTimeoutSeconds", 0), "from 1 to"),
    "paging of a database": (_server_property("paging", "cursor"), "transport sql"),
    "no freshness": (lambda d: d.pop("slaProperties"), "latency"),
    "another standard": (lambda d: d.update(apiVersion="v2.2.2"), "apiVersion"),
    "no version": (lambda d: d.update(version="2026-06"), "2026-06"),
    "another name": (lambda d: d.update(id="civil"), "civil_affairs"),
    "a column twice": (
        lambda d: d["schema"][0]["properties"].append(dict(_column("name")(d))),
        "declared twice",
    ),
}


def test_each_rule_weighs_what_its_contract_says(tmp_path: Path) -> None:
    """The other way round for the four kinds that have a usual weight: what was refused is counted, and the reverse."""
    document = yaml.safe_load((CONTRACTS_DIR / "civil_affairs.yaml").read_text(encoding="utf-8"))
    own = {"birth_on": {"range": "warning"}, "phone": {"pattern": "error"}, "id_no": {"identifier": "error"}}
    for name, severity in (own | {"town_code": {"codeList": "error"}}).items():
        column = _column(name)(document)
        column["customProperties"] = [
            *column.get("customProperties", []),
            {"property": "severity", "value": severity},
        ]
    (tmp_path / "civil_affairs.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    table = load_contract(tmp_path / "civil_affairs.yaml").table("residents")
    row = dict.fromkeys(table.column_names) | {"person_no": "1", "name": "王", "updated_at": "2024-01-05 10:00:00"}
    wrong = {"birth_on": "1066-12-31", "phone": "12", "id_no": "110105194912310020", "town_code": "310115999"}
    frame = pl.DataFrame([row, *(row | {name: value} for name, value in wrong.items())])

    checked = check_batch(table, frame, tokens=list)

    assert checked.good["birth_on"].to_list() == [None, date(1066, 12, 31)]
    assert checked.warnings == {"birth_on_range": 1}
    assert checked.rejections == {"phone_pattern": 1, "id_no_identifier": 1, "town_code_known": 1}
    told = {column.name: rules_text(column) for column in table.columns}
    assert (told["birth_on"], told["phone"]) == ("≥ 1900-01-01 (warn)", "pattern (reject)")
    assert "(reject)" in told["id_no"]
    assert "(reject)" in told["town_code"]


@pytest.mark.parametrize("case", BROKEN)
def test_broken_contracts_are_refused_by_name(case: str, tmp_path: Path) -> None:
    change, named = BROKEN[case]
    document = yaml.safe_load((CONTRACTS_DIR / "civil_affairs.yaml").read_text(encoding="utf-8"))
    change(document)
    (tmp_path / "civil_affairs.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ContractError) as raised:
        load_contracts(tmp_path)
    error = raised.value
    assert named in str(error)
    assert "civil_affairs.yaml" in error.where
    assert error.expected
    assert error.do


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: [1, 2", "line"),
        ("id: x\nid: y\n", "given twice"),
        ("- 1\n", "no contract"),
        ("", "no contract"),
    ],
)
def test_files_that_are_no_contract_are_refused(text: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "civil_affairs.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError) as raised:
        load_contract(path)
    assert named in str(raised.value)


def test_files_in_another_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "civil_affairs.yaml").write_bytes("id: 民政".encode("gb18030"))
    with pytest.raises(ContractError, match="not UTF-8"):
        load_contracts(tmp_path)


def test_a_directory_without_contracts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no data contract"):
        load_contracts(tmp_path)
