"""`cityhub contract check | show | diff` over real files and a real warehouse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from psycopg import conninfo
from sqlalchemy import URL
from typer.testing import CliRunner

from connectors.contract import load_contracts
from connectors.landing import ensure_raw
from orchestration import hub
from orchestration.cli.main import app
from warehouse.database import Database
from warehouse.errors import CityhubError
from warehouse.paths import CONTRACTS_DIR
from warehouse.settings import get_settings

Hub = Callable[..., Result]


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """The hub's contracts, to be changed."""
    return shutil.copytree(CONTRACTS_DIR, tmp_path / "contracts")


@pytest.fixture
def cityhub(database: Database, contracts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The command line with this warehouse and these contracts."""
    parts = {name: str(value) for name, value in conninfo.conninfo_to_dict(database.conninfo).items()}
    query = {name: value for name, value in parts.items() if name in ("host", "port", "user")}
    url = URL.create("postgresql", database=parts["dbname"], query=query)
    monkeypatch.setenv("CITYHUB_DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setenv("CITYHUB_CONTRACTS_DIR", str(contracts))
    monkeypatch.setenv("CITYHUB_HOME", str(tmp_path / "home"))

    def forget() -> None:
        for cached in (get_settings, hub.hub_database, hub.hub_contracts):
            cached.cache_clear()

    def call(*arguments: str) -> Result:
        forget()
        return CliRunner().invoke(app, ["contract", *arguments])

    yield call
    forget()


def edit(contracts: Path, system: str, *changes: tuple[str, str]) -> Path:
    path = contracts / f"{system}.yaml"
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, "utf-8")
    return path


STAR = "description: 'Star rating, 0 to 5'\n        logicalType: integer\n"
WIDER = (STAR, STAR + "        physicalType: bigint\n")
OTHER = ("logicalType: date\n", "logicalType: timestamp\n")  # institutions.filed_on


def test_check_tells_every_broken_file_by_table_column_and_rule(cityhub: Hub, contracts: Path) -> None:
    edit(contracts, "care_homes", ("logicalTypeOptions: {minimum: 0}", "logicalTypeOptions: {minimum: none}"))
    edit(contracts, "urban_management", ("classification: internal", "classification: secret"))
    done = cityhub("check", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["ok"]) == (1, False)
    errors = {Path(file["file"]).stem: file["error"] for file in told["files"]}
    assert errors["civil_affairs"] is errors["market_supervision"] is None
    where = "file care_homes.yaml, table institutions, column licensed_beds, logicalTypeOptions minimum, maximum"
    assert errors["care_homes"]["where"] == where
    assert (
        errors["urban_management"]["where"] == "file urban_management.yaml, table sites, column site_no, classification"
    )
    shown = cityhub("check")
    assert shown.exit_code == 1
    for word in ("licensed_beds", "secret", "expected:", "do:"):
        assert word in shown.output


def test_check_of_one_file_sees_the_others_behind_its_references(cityhub: Hub, contracts: Path, tmp_path: Path) -> None:
    draft = shutil.copy(contracts / "care_homes.yaml", tmp_path / "care_homes.yaml")
    done = cityhub("check", "--files-only", "--json", str(draft))
    assert [file["file"] for file in json.loads(done.stdout)["files"]] == [str(draft)]
    assert (done.exit_code, json.loads(done.stdout)["raw"]) == (0, None)
    edit(tmp_path, "care_homes", ("market_supervision.enterprises.uscc", "market_supervision.enterprises.code"))
    done = cityhub("check", "--files-only", str(draft))
    assert done.exit_code == 1
    assert "market_supervision.enterprises.code" in done.output
    assert "column uscc" in done.output


def test_check_refuses_a_pattern_that_no_row_could_be_held_against(cityhub: Hub, contracts: Path) -> None:
    edit(contracts, "civil_affairs", (r"pattern: '^\d{12}$'", r"pattern: '^(?!0)\d{12}$'"))
    done = cityhub("check", "--files-only", str(contracts / "civil_affairs.yaml"))
    assert done.exit_code == 1
    for word in ("The pattern cannot be read.", "column committee_code, rule pattern", "look-around", "do:"):
        assert word in done.output


def test_diff_tells_what_the_next_run_does_by_itself_and_what_needs_a_version(
    cityhub: Hub, contracts: Path, database: Database
) -> None:
    assert {row["verdict"] for row in json.loads(cityhub("diff", "--json").stdout)} == {"create"}
    ensure_raw(database, load_contracts(contracts))
    assert cityhub("diff").output == "Raw is as the contracts say.\n"
    assert "20 of 20 tables are as their contracts say" in cityhub("check").output

    edit(contracts, "care_homes", WIDER)
    done = cityhub("diff", "care_homes", "--json")
    expected = {
        "system": "care_homes",
        "table": "institutions",
        "column": "star",
        "change": "type",
        "raw": "integer",
        "contract": "bigint",
        "verdict": "migrate",
        "why": "every value of integer fits bigint",
        "raw_version": "1.0.0",
        "contract_version": "1.0.0",
    }
    assert (done.exit_code, json.loads(done.stdout)) == (0, [expected])
    assert "raw_care_homes.institutions: migrated by the next run" in cityhub("check").output

    edit(contracts, "care_homes", OTHER)
    done = cityhub("diff", "--json")
    verdicts: dict[str, Any] = {row["column"]: row["verdict"] for row in json.loads(done.stdout)}
    assert (done.exit_code, verdicts) == (1, {"star": "migrate", "filed_on": "refuse"})
    shown = cityhub("diff").output
    assert "needs a new major version (a value of date need not fit timestamptz)" in shown
    assert "version to 2.0.0" in shown
    checked = cityhub("check")
    assert checked.exit_code == 1
    assert "file care_homes.yaml, table institutions, column filed_on, rule type" in checked.output

    edit(contracts, "care_homes", ("version: 1.0.0", "version: 2.0.0"))
    done = cityhub("diff", "--json")
    assert (done.exit_code, {row["verdict"] for row in json.loads(done.stdout)}) == (0, {"replace"})


def test_diff_tells_of_tables_that_no_contract_has_any_more(cityhub: Hub, contracts: Path, database: Database) -> None:
    ensure_raw(database, load_contracts(contracts))
    (contracts / "urban_management.yaml").unlink()
    rows = json.loads(cityhub("diff", "--json").stdout)
    assert {(row["system"], row["verdict"]) for row in rows} == {("urban_management", "keep")}
    assert len(rows) == 4


def test_show_describes_a_table_in_both_languages(cityhub: Hub) -> None:
    shown = cityhub("show", "care_homes.beds")
    assert shown.exit_code == 0
    for word in ("床位", "Beds of the care homes", "raw_care_homes.beds", "bed_no", "internal", "unique_key"):
        assert word in shown.output
    assert "raw_care_homes.stays" not in shown.output
    told = json.loads(cityhub("show", "civil_affairs", "--json").stdout)
    residents = told["tables"][0]
    assert (residents["name"], residents["key"], residents["zh"] != residents["en"]) == (
        "residents",
        ["person_no"],
        True,
    )
    number = next(column for column in residents["columns"] if column["name"] == "id_no")
    assert (number["classification"], number["mask"], number["type"]) == ("personal", "citizen_no", "text")
    for unknown in ("fire", "care_homes.rooms"):
        with pytest.raises(CityhubError, match="fire" if unknown == "fire" else "not in the contract"):
            raise cityhub("show", unknown).exception or AssertionError
