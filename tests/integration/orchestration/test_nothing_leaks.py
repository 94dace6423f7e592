"""Passwords, keys, names and numbers planted in sources of every transport: none is in a message, a log line, an event
of Dagster, or the ledgers. They are where they belong: in raw and in the quarantine."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import stamina
from psycopg import conninfo as pgconninfo
from sqlalchemy import URL
from typer.testing import CliRunner

from connectors.contract import GateResult, SystemContract
from orchestration import hub, raw_assets
from orchestration.alerts import tell_incidents
from orchestration.cli.main import app
from orchestration.run_config import HubConfig
from tests.integration.connectors.conformance.suite import row
from tests.integration.connectors.conformance.test_files import write_csv
from tests.integration.connectors.conformance.test_rest import Service
from tests.integration.connectors.conftest import COLUMNS, Kit
from warehouse.database import Database
from warehouse.settings import get_settings

NAME, NUMBER = "䶮𠀾己", "110105194912310053"
SOURCE_PASSWORD, HUB_PASSWORD = "planted-source-password", "planted-hub-password"
SIGNING_KEY, TOKEN_KEY = "planted-signing-key", "planted-token-key, long enough"
ROBOT_KEY, ROBOT_SECRET = "planted-robot-key", "planted-robot-secret"
PLANTED = (NAME, NUMBER, SOURCE_PASSWORD, HUB_PASSWORD, SIGNING_KEY, TOKEN_KEY, ROBOT_KEY, ROBOT_SECRET)
LEDGERS = ("ops", "quality")


def person(key: str, **changes: Any) -> dict[str, Any]:
    return row(key, name=NAME, id_no=NUMBER) | changes


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kit]:
    """A hub over the test's database, logged in with a password the server does not ask for."""
    parts = pgconninfo.conninfo_to_dict(database.conninfo)
    query = {name: str(parts[name]) for name in ("host", "port")}
    url = URL.create("postgresql", str(parts["user"]), HUB_PASSWORD, database=str(parts["dbname"]), query=query)
    monkeypatch.setenv("CITYHUB_DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setenv("CITYHUB_TOKEN_KEY", TOKEN_KEY)
    monkeypatch.setenv("CITYHUB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(raw_assets, "RETRY_SECONDS", 0)
    # What the real gate says is searched in its own tests; here it would only cost its import.
    monkeypatch.setattr(raw_assets, "admission_gate", lambda: lambda request: GateResult(True))
    for cached in (get_settings, hub.hub_database):
        cached.cache_clear()
    with stamina.set_testing(True, attempts=2):
        yield Kit(tmp_path, monkeypatch)
    hub.hub_database().dispose()
    for cached in (get_settings, hub.hub_database):
        cached.cache_clear()


def database_source(desk: Kit, database: Database) -> SystemContract:
    """Refused rows, a warehouse that refuses a row with its value, and a login."""
    parts = pgconninfo.conninfo_to_dict(database.conninfo)
    query = {name: str(parts[name]) for name in ("host", "port")}
    url = URL.create(
        "postgresql+psycopg", str(parts["user"]), SOURCE_PASSWORD, database=str(parts["dbname"]), query=query
    )
    desk.address(url.render_as_string(hide_password=False))
    with psycopg.connect(database.conninfo) as connection:
        connection.execute(f"create table public.people ({', '.join(f'{name} text' for name in COLUMNS)})")
        for values in ([person("1", level=NUMBER)], [person("2")]):
            texts = [[None if v is None else str(v) for v in item.values()] for item in values]
            connection.cursor().executemany(
                f"insert into public.people values ({', '.join(['%s'] * 8)})".encode(), texts
            )
    return desk.contract("sql", "snapshot", "public.people")


def service(desk: Kit, database: Database) -> SystemContract:
    source = Service(desk, "page")
    source.put([person("1", level=NUMBER), person("2"), person("2", level=4)])
    desk.address(f"http://127.0.0.1:{source.server.server_port}", "hub", SIGNING_KEY)
    return source.contract("snapshot")


def unreachable(desk: Kit, database: Database) -> SystemContract:
    desk.address(f"postgresql+psycopg://hub:{SOURCE_PASSWORD}@127.0.0.1:1/{NAME}")
    return desk.contract("sql", "snapshot")


def unreachable_drops(desk: Kit, database: Database) -> SystemContract:
    desk.address(f"sftp://hub:{SOURCE_PASSWORD}@127.0.0.1:1/{NAME}", secret=SOURCE_PASSWORD)
    return desk.contract("files", "snapshot", "a.csv", sourceFormat="csv", encoding="gb18030")


def retyped_file(desk: Kit, database: Database) -> SystemContract:
    content = write_csv([person(str(n), level=NUMBER, fee_cny=NAME) for n in range(5)], COLUMNS)
    desk.drop("2026-06-30", {"a.csv": content}, {"a.csv": 5})
    return desk.contract("files", "snapshot", "a.csv", sourceFormat="csv", encoding="gb18030")


def headless_file(desk: Kit, database: Database) -> SystemContract:
    content = write_csv([person("1")], COLUMNS).partition(b"\n")[2]
    desk.drop("2026-07-01", {"a.csv": content}, {"a.csv": 1})
    return desk.contract("files", "snapshot", "a.csv", sourceFormat="csv", encoding="gb18030")


SOURCES: list[tuple[Callable[[Kit, Database], SystemContract], str]] = [
    (database_source, "admitted"),
    (service, "admitted"),
    (unreachable, "failed"),
    (unreachable_drops, "failed"),
    (retyped_file, "held"),
    (headless_file, "held"),
]


def spellings(value: str) -> list[bytes]:
    escaped = json.dumps(value).strip('"')
    return [value.encode(), escaped.encode(), escaped.replace("\\", "\\\\").encode(), value.encode("gb18030")]


def ledgers(database: Database) -> dict[str, bytes]:
    found = {}
    with psycopg.connect(database.conninfo) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables where table_schema = any(%s)",
            [list(LEDGERS)],
        ).fetchall()
        for (name,) in tables:
            rows = connection.execute(f"select to_jsonb(t)::text from {name} as t".encode()).fetchall()
            found[name] = "\n".join(text for (text,) in rows).encode()
    return found


def planted_in_raw(database: Database, name: str) -> None:
    """The warehouse refuses a row from now on, with its value in the text of its error."""
    with psycopg.connect(database.conninfo) as connection:
        connection.execute(f"update {name} set name = 'x', _row_hash = gen_random_uuid()".encode())
        connection.execute(f"alter table {name} add constraint planted check (name <> '{NAME}')".encode())


def test_what_is_planted_stays_in_raw_and_quarantine(
    desk: Kit, database: Database, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said: dict[str, bytes] = {}
    with dg.instance_for_test() as instance:
        for plant, state in SOURCES:
            contract = plant(desk, database)
            asset = raw_assets.build_raw_asset(contract, contract.tables[0])
            options: dict[str, Any] = {"resources": {"hub": HubConfig()}, "instance": instance, "raise_on_error": False}
            runs = [dg.materialize([asset], **options)]
            if plant is database_source:
                planted_in_raw(database, contract.tables[0].qualified_name)
                runs.append(dg.materialize([asset], **options))
            assert states(database)[-len(runs) :] == [state, "failed"][: len(runs)], plant.__name__
            with psycopg.connect(database.conninfo) as connection:
                connection.execute(f"alter table {contract.tables[0].qualified_name} drop constraint if exists planted")
            for run in runs:
                said[f"events {run.run_id}"] = "\n".join(map(str, instance.all_logs(run.run_id))).encode()
        for path in Path(instance.root_directory).rglob("*"):
            if path.is_file():
                said[str(path)] = path.read_bytes()
    # The owner's robot is told of the table that is held, and does not answer.
    for name, value in (("URL", f"http://127.0.0.1:1/robot?key={ROBOT_KEY}"), ("SECRET", ROBOT_SECRET)):
        desk.monkeypatch.setenv(f"CITYHUB_ALERT_FIRE_{name}", value)
    told_of = tell_incidents(database, get_settings(), {contract.system: contract})
    assert list(told_of.failures) == ["fire"]
    said["webhook"] = str(told_of).encode()
    said |= ledgers(database)
    for arguments in (["status", "--json"], ["quarantine", "list", "--json"]):
        told = CliRunner().invoke(app, arguments)
        said[" ".join(arguments)] = (told.output + str(told.exception)).encode()
    said["log"] = caplog.text.encode()
    captured = capfd.readouterr()
    said["output"] = (captured.out + captured.err).encode()

    with psycopg.connect(database.conninfo) as connection:
        kept = "".join(t for (t,) in connection.execute("select payload::text from quarantine.rejected_rows"))
    assert NAME in kept
    assert NUMBER in kept
    assert b"CheckViolation" in said["log"] + said["ops.batches"], "the warehouse's error was planted"
    traces = [
        (place, value) for place, text in said.items() for value in PLANTED for form in spellings(value) if form in text
    ]
    assert not traces


def states(database: Database) -> list[str]:
    with psycopg.connect(database.conninfo) as connection:
        return [state for (state,) in connection.execute("select state from ops.batches order by batch_id")]
