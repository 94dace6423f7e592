"""A model that fails over a value: the value is in no log, no output and no result of dbt, nor in the server's log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import yaml

from warehouse.database import Database
from warehouse.paths import DBT_PROJECT_DIR, PROJECT_ROOT

PLANTED = "䶮𠀾戊110105194912310045"
MODELS = {
    "cast": "select v::integer as n from public.planted",
    "bound": "select (v || 'x')::varchar(400)::date as n from public.planted",
    "required": "{{ config(contract={'enforced': true}) }} select v, null::integer as n from public.planted",
    "once": "select v from public.planted",
    "unknown": "select w from public.planted",
}
EXPECTED = {
    "cast": "InvalidTextRepresentation (SQLSTATE 22P02)",
    "bound": "InvalidDatetimeFormat (SQLSTATE 22007)",
    "required": 'NotNullViolation (SQLSTATE 23502): null value in column "n"',
    "once": "UniqueViolation (SQLSTATE 23505): could not create unique index",
    "unknown": 'UndefinedColumn (SQLSTATE 42703): column "w" does not exist',
}


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Path:
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("create table public.planted (v text)")
        connection.execute("insert into public.planted values (%s), (%s)", [PLANTED, PLANTED])
        connection.execute("grant select on public.planted to public")
    models = tmp_path / "models"
    models.mkdir()
    for name, query in MODELS.items():
        (models / f"{name}.sql").write_text(query)
    columns = [{"name": "v", "data_type": "text"}, {"name": "n", "data_type": "integer"}]
    columns[1]["constraints"] = [{"type": "not_null"}]  # type: ignore[assignment]
    index = {"name": "once", "config": {"indexes": [{"columns": ["v"], "unique": True}]}}
    described = {"version": 2, "models": [{"name": "required", "columns": columns}, index]}
    (models / "models.yml").write_text(yaml.safe_dump(described))
    settings = {"name": "planted", "version": "1.0.0", "profile": "cityhub", "models": {"+materialized": "table"}}
    (tmp_path / "dbt_project.yml").write_text(yaml.safe_dump(settings))
    return tmp_path


def test_errors_of_models_name_kind_and_place_and_no_value(
    database: Database, project: Path, postgres_home: Path
) -> None:
    # Where another test of this worker let dbt write is no place for this one.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    environment = {
        **kept,
        **database.dbt_env(),
        "PYTHONPATH": str(PROJECT_ROOT),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_PROFILES_DIR": str(DBT_PROJECT_DIR),
        # Who asks for the file of debug messages finds no values there either.
        "DBT_LOG_LEVEL_FILE": "debug",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", "orchestration.terse_dbt", "run", "--threads", "2"],
        cwd=project,
        env=environment,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout.decode()
    results = json.loads((project / "target" / "run_results.json").read_text("utf-8"))["results"]
    messages = {result["unique_id"].rpartition(".")[2]: result["message"] for result in results}
    assert messages.keys() == EXPECTED.keys()
    for name, words in EXPECTED.items():
        assert words in messages[name]
    log = (project / "logs" / "dbt.log").read_bytes()
    assert b"SQLSTATE 22P02" in log
    files = [path for path in (project / "target").rglob("*") if path.is_file()]
    server_log = (postgres_home / "postgres" / "log").read_bytes()
    searched = {"output": done.stdout + done.stderr, "dbt.log": log, "server": server_log}
    searched |= {str(path): path.read_bytes() for path in files}
    escaped = json.dumps(PLANTED).strip('"').encode()
    assert not [place for place, text in searched.items() if PLANTED.encode() in text or escaped in text]
    assert not [place for place, text in searched.items() if PLANTED[-18:].encode() in text]
