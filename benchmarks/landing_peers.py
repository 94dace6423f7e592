"""dlt as a peer: its pinned environment, made on first use, and one run of it.

It is no dependency of the project. `peers.in` names it, `peers.lock` pins it with everything it needs, by hash and
without addresses; where it cannot be installed the benchmark says so and leaves its ratios empty.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOCK = HERE / "peers.lock"
PEER = HERE / "dlt_peer.py"
ENVIRONMENTS = HERE.parent / ".venv-peers"


def environment() -> Path | None:
    """The Python of the peers' environment, None where it cannot be made."""
    folder = ENVIRONMENTS / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([*install, "--no-deps", "--requirement", str(LOCK)], check=True)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"dlt could not be installed ({type(error).__name__}): its ratios stay empty", file=sys.stderr)
        return None
    (folder / "complete").touch()
    return python


def run_dlt(python: Path, source: str, target: str, mode: str, table: str) -> dict[str, Any]:
    """One load of the table by dlt: seconds, rows, version."""
    quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL", "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [str(python), str(PEER), source, target, "--mode", mode, "--table", table],
        check=True,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | quiet,
    )
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
