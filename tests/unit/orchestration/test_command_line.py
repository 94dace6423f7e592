"""What a person sees who asks for help or types something wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from orchestration.cli.main import app
from orchestration.serve import HOST
from warehouse.paths import CONTRACTS_DIR

COMMAND = [sys.executable, "-m", "orchestration.cli.main"]


def cityhub(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real console script in a process of its own, with nothing of this shell's settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CITYHUB_")}
    return subprocess.run(
        [sys.executable, "-c", "from orchestration.cli.main import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=clean | {"CITYHUB_HOME": str(home), "COLUMNS": "200", **environment},
    )


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command of the tree that can be run."""
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
        if not getattr(command, "invoke_without_command", False):
            return
    yield path, command


LEAVES = dict(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("path", [" ".join(path) for path in LEAVES])
def test_every_command_has_help_with_an_example(path: str) -> None:
    command = LEAVES[tuple(path.split())]
    assert command.help
    assert "Example" in (command.epilog or "")
    assert f"cityhub {path}".strip() in (command.epilog or "")
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{path}: {parameter.name} is not explained"


def assert_explained(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """One message with cause and way out, a failing exit code, no stack trace, nothing on standard output."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    for word in ("where:", "expected:", "do:", *words):
        assert word in done.stderr, done.stderr


def test_an_unknown_argument_is_a_usage_error(tmp_path: Path) -> None:
    done = cityhub(tmp_path, "run", "--tomorrow")
    assert done.returncode == 2
    assert "--tomorrow" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_business_date_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    done = cityhub(tmp_path, "run", "--business-date", "31.02.2026")
    assert done.returncode == 2
    assert "31.02.2026" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--allow-shrink", "care_homes.bedz", "--why", "two homes closed"), ("care_homes.bedz", "--allow-shrink")),
        (("--allow-shrink", "care_homes.beds"), ("a reason", "--why")),
        (("--allow-shrink", "care_homes.beds", "--why", " "), ("a reason", "--why")),
    ],
)
def test_rows_are_let_go_only_from_a_known_table_and_for_a_reason(
    tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_explained(cityhub(tmp_path, "run", *options), *words)
    assert not (tmp_path / "postgres").exists()


def test_a_taken_port_is_named_with_its_option(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert_explained(cityhub(tmp_path, "demo", "--pages-port", port), f"Port {port} is taken", "--pages-port")
        assert_explained(cityhub(tmp_path, "up", "--dagster-port", port), f"Port {port} is taken", "--dagster-port")


def test_a_home_without_a_city_says_how_to_get_one(tmp_path: Path) -> None:
    assert_explained(cityhub(tmp_path / "home", "demo", "advance"), "cityhub demo")
    assert_explained(cityhub(tmp_path / "home", "source", "list"), "CITYHUB_SOURCE_<SYSTEM>_URL")


def test_a_home_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_explained(cityhub(tmp_path / "file" / "home", "status"), "CITYHUB_HOME")


def test_a_wrong_database_password_does_not_appear_in_the_message(tmp_path: Path) -> None:
    url = "postgresql://hub:planted-secret@127.0.0.1:9/hub"
    done = cityhub(tmp_path, "status", CITYHUB_DATABASE_URL=url)
    assert_explained(done, "does not answer")
    assert "planted-secret" not in done.stderr


@pytest.mark.parametrize(
    ("option", "variable"),
    [
        (("--urban-url", "mysql+pymysql://hub:planted-secret@127.0.0.1:9/city"), {}),
        ((), {"CITYHUB_DEMO_URBAN_URL": "postgresql://hub:planted-secret@127.0.0.1:9/city"}),
        ((), {"CITYHUB_DATABASE_URL": "postgresql://hub:planted-secret@127.0.0.1:9/hub"}),
    ],
)
def test_a_fresh_city_that_cannot_be_built_does_not_cost_the_old_one(
    tmp_path: Path, option: tuple[str, ...], variable: dict[str, str]
) -> None:
    city = tmp_path / "demo" / "city.json"
    city.parent.mkdir()
    city.write_text("{}")
    done = cityhub(tmp_path, "demo", "--fresh", "--no-serve", *option, **variable)
    assert_explained(done, "database" if variable.get("CITYHUB_DATABASE_URL") else "urban management")
    assert "planted-secret" not in done.stderr
    assert city.exists()


def test_config_hides_secrets(tmp_path: Path) -> None:
    url = "postgresql://hub:planted-secret@db/hub"
    done = cityhub(tmp_path, "config", "--json", CITYHUB_DATABASE_URL=url, CITYHUB_TOKEN_KEY="planted-key")
    assert done.returncode == 0, done.stderr
    assert "planted" not in done.stdout
    assert json.loads(done.stdout)["database_url"] == "postgresql://hub:***@db/hub"


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    assert_explained(cityhub(tmp_path, "config", CITYHUB_LANGUAGE="fr"), "CITYHUB_LANGUAGE")


def test_an_unknown_system_lists_the_known_ones(tmp_path: Path) -> None:
    assert_explained(cityhub(tmp_path, "source", "check", "fire_brigade"), "civil_affairs", "market_supervision")


def test_a_broken_contract_is_named_by_file_table_and_column(tmp_path: Path) -> None:
    contracts = tmp_path / "contracts"
    shutil.copytree(CONTRACTS_DIR, contracts)
    file = contracts / "care_homes.yaml"
    file.write_text(file.read_text("utf-8").replace("logicalType: integer", "logicalType: whole", 1), "utf-8")
    done = cityhub(
        tmp_path / "home", "run", CITYHUB_CONTRACTS_DIR=str(contracts), CITYHUB_SOURCE_CARE_HOMES_URL="file:///"
    )
    assert_explained(done, "care_homes.yaml", "licensed_beds", "whole")
