"""`cityhub quarantine` and `cityhub reconcile` as a person types them: what they say, and their exit codes."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner
from xlsxwriter import Workbook

from connectors.landing import GateResult, LandingResult, land_table
from orchestration import hub
from orchestration.cli import console
from orchestration.cli.main import app
from tests.integration.orchestration.test_fifth_system import checkout
from warehouse.errors import ConfigurationError

__all__ = ["checkout"]
SYSTEM = "fire_inspections"


@pytest.fixture
def cityhub(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line of a hub with the tutorial's fifth system, landed once."""
    # A terminal that is wide enough for whole lines.
    monkeypatch.setattr(console.out, "_width", 200)
    assert land().quarantined == 1
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def land() -> LandingResult:
    contract = hub.hub_contracts()[SYSTEM]
    gate = lambda request: GateResult(True)  # noqa: E731
    return land_table(hub.hub_database(), hub.hub_settings(), contract, contract.tables[0], run_id="run", gate=gate)


def typed_in(book: Path, **cells: Any) -> Path:
    """The workbook as it comes back, these cells of its one row changed."""
    head, names, row = CalamineWorkbook.from_path(book).get_sheet_by_index(0).to_python(skip_empty_area=False)
    back = book.with_name(f"back of {book.name}")
    with Workbook(str(back)) as made:
        sheet = made.add_worksheet()
        for line, values in enumerate((head, names, [cells.get(str(n), v) for n, v in zip(names, row, strict=True)])):
            sheet.write_row(line, 0, values)
    return back


def exported(cityhub: Callable[..., Result], folder: Path) -> Path:
    told = cityhub("quarantine", "export", "--to", str(folder))
    assert "fire_brigade" in told.output
    assert "personal values" in told.output
    return max(folder.glob("quarantine-fire_brigade-*.xlsx"))


def test_a_rejected_row_is_listed_sent_refused_again_and_repaired(
    cityhub: Callable[..., Result], tmp_path: Path
) -> None:
    listed = cityhub("quarantine", "list").output
    for word in (f"{SYSTEM}.inspections", "enum(result), range(hazard_count)", "2026-06-30/inspections.csv, line 5"):
        assert word in listed
    book = exported(cityhub, tmp_path / "out")
    assert stat.S_IMODE(book.stat().st_mode) == 0o600

    wrong = cityhub("quarantine", "replay", str(typed_in(book, result="pass")), "--by", "消防 李")
    assert "inspections: still wrong by hazard_count_range (1)" in wrong.output
    assert "cityhub quarantine export" in wrong.output
    book = exported(cityhub, tmp_path / "again")
    right = cityhub("quarantine", "replay", str(typed_in(book, hazard_count=0)), "--json")
    assert [(r["repaired"], r["refused"]) for r in json.loads(right.output)] == [(1, 0)]
    assert cityhub("quarantine", "list", "--status", "open").output == "No rejected rows.\n"
    told = "".join((listed, wrong.output, right.output))
    assert "13900000004" not in told


@pytest.mark.parametrize("command", [("list",), ("replay", "--contract")])
@pytest.mark.parametrize("named", [("--system", "fire"), ("--table", "inspection")])
def test_a_name_typed_wrongly_is_no_empty_quarantine(
    cityhub: Callable[..., Result], command: tuple[str, ...], named: tuple[str, str]
) -> None:
    done = cityhub("quarantine", *command, *named)
    assert isinstance(done.exception, ConfigurationError)
    assert (done.exit_code, done.exception.where) == (1, f"option {named[0]}")
    assert named[1] in done.exception.what
    assert "inspection" in done.exception.expected


def test_reconcile_names_what_differs_and_ends_with_1(cityhub: Callable[..., Result], checkout: Path) -> None:
    agrees = cityhub("reconcile", SYSTEM)
    assert (agrees.exit_code, "agrees" in agrees.output) == (0, True)
    first = checkout / "drops" / SYSTEM / "2026-06-30" / "inspections.csv"
    lines = first.read_text("utf-8").splitlines()
    deliver(first.parent.with_name("2026-07-01"), [lines[0], *lines[2:4], lines[1].replace("0001", "0009")])

    differs = cityhub("reconcile", SYSTEM)
    assert differs.exit_code == 1
    assert "fire_inspections.inspections: raw lacks XF2026-0009" in differs.output
    assert "fire_inspections.inspections: only raw has XF2026-0001" in differs.output
    told: Mapping[str, Any] = json.loads(cityhub("reconcile", SYSTEM, "--keys", "0", "--json").output)
    (table,) = told["tables"]
    assert (told["agrees"], table["missing"], table["surplus"], table["missing_keys"]) == (False, 1, 1, [])

    (first.parent.with_name("2026-07-01") / "inspections.csv").write_text("cut off")
    broken = cityhub("reconcile", SYSTEM)
    assert broken.exit_code == 1
    assert "truncated or changed" in broken.output


def deliver(folder: Path, lines: list[str]) -> None:
    folder.mkdir()
    content = ("\n".join(lines) + "\n").encode()
    (folder / "inspections.csv").write_bytes(content)
    entry = {"rows": len(lines) - 1, "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "_manifest.json").write_text(json.dumps({"files": {"inspections.csv": entry}}))
