"""The dbt project's manifest: parsed once per state of the project, in the home's own `dbt/` directory.

A full parse takes 5 s and a partial one 1 s. dbt takes the partial one only when the connection is that of the last
parse, so a run starts its parse in the background while it pulls (`begin_parse`) and keeps what each dbt call
parsed (`keep_partial_parse`) for the next.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from orchestration import hub
from orchestration.ledger import code_version
from warehouse.errors import PermanentError
from warehouse.paths import DBT_PROJECT_DIR

DBT = [sys.executable, "-m", "orchestration.terse_dbt"]
PARTIAL_PARSE = "partial_parse.msgpack"

_running: list[subprocess.Popen[str]] = []


def dbt_directory() -> Path:
    """Where dbt writes in this home; every dbt call of this process follows `DBT_TARGET_PATH`."""
    directory = hub.hub_settings().home / "dbt"
    directory.mkdir(parents=True, exist_ok=True)
    os.environ["DBT_TARGET_PATH"] = str(directory)
    os.environ.setdefault("DBT_LOG_PATH", str(hub.hub_settings().home / "logs"))
    return directory


def business_date_variable(business_date: date) -> dict[str, str]:
    """The business date as the project reads it: a changed `--vars` would cost a full parse, this costs none."""
    return {"CITYHUB_BUSINESS_DATE": business_date.isoformat()}


def begin_parse() -> None:
    """Start parsing in the background unless this state of the project has been parsed already."""
    wanted = {"code": code_version(), **_connection()}
    if _running or _parsed() == wanted:
        return
    command = [*DBT, "--quiet", "parse", "--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)]
    directory = dbt_directory()
    _stamp().unlink(missing_ok=True)
    environment = os.environ | hub.hub_database().dbt_env()
    process = subprocess.Popen(  # noqa: S603
        command, env=environment, cwd=directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    _running.append(process)
    _stamp().with_suffix(".wanted").write_text(json.dumps(wanted))


def manifest_path() -> Path:
    """A manifest that is true to the project's files; waits for a parse under way, parses where none has been.

    Raises:
        PermanentError: the project does not parse.
    """
    if not _running and _parsed().get("code") != code_version():
        begin_parse()
    while _running:
        process = _running.pop()
        output, _ = process.communicate()
        if process.returncode:
            raise PermanentError(
                "The dbt project does not parse.",
                where=str(DBT_PROJECT_DIR),
                expected="a project that `dbt parse` accepts",
                do="correct what dbt says: " + output.strip()[-600:],
            )
        _stamp().with_suffix(".wanted").replace(_stamp())
    return dbt_directory() / "manifest.json"


def keep_partial_parse(target: Path) -> None:
    """Keep what one dbt call parsed for the next, and remove that call's own directory."""
    parsed = target / PARTIAL_PARSE
    if parsed.exists():
        parsed.replace(dbt_directory() / PARTIAL_PARSE)
    shutil.rmtree(target, ignore_errors=True)


def _stamp() -> Path:
    return dbt_directory() / "parsed.json"


def _parsed() -> Mapping[str, str]:
    if not (_stamp().exists() and (dbt_directory() / "manifest.json").exists()):
        return {}
    parsed: Mapping[str, str] = json.loads(_stamp().read_text())
    return parsed


def _connection() -> dict[str, str]:
    # The password changes nothing that dbt parses, and has no place in a file.
    return {name: value for name, value in hub.hub_database().dbt_env().items() if "PASSWORD" not in name}
