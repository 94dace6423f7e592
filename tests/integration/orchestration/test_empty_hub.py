"""A hub to which nothing was ever delivered: a run releases nothing; the servers answer, and stop when told to."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

# One home for all: making it and parsing the dbt project take longer than what is tested.
pytestmark = pytest.mark.xdist_group("empty hub")
START_SECONDS = 120
COMMAND = str(Path(sys.executable).with_name("cityhub"))


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home with a short path (a Unix socket's path has 107 bytes at most)."""
    directory = Path(tempfile.mkdtemp(prefix="ch-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def environment(home: Path, **more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CITYHUB_", "DAGSTER_", "DBT_"))}
    return clean | {"CITYHUB_HOME": str(home), "COLUMNS": "200", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[str]) -> httpx.Response:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            answer = httpx.get(url, timeout=5)
            if answer.status_code == 200:
                return answer
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"{url} did not answer within {START_SECONDS} s")


def test_a_hub_that_nobody_has_ever_delivered_to_releases_nothing(home: Path) -> None:
    """Civil affairs does not answer; the other systems have no address yet."""
    url = "postgresql+psycopg://hub:planted-secret@127.0.0.1:9/residents"
    secrets = {"CITYHUB_SOURCE_CIVIL_AFFAIRS_URL": url, "CITYHUB_TOKEN_KEY": "a key for tests, long enough"}
    done = subprocess.run(
        [COMMAND, "run"], env=environment(home, **secrets), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 1
    assert "Refused" in done.stdout
    assert "No source table has ever been admitted" in done.stdout
    assert "stale civil_affairs.benefits, civil_affairs.care_assessments, civil_affairs.residents" in done.stdout
    assert "planted-secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_both_servers_answer_and_an_interrupt_stops_everything(home: Path) -> None:
    """Told to end by SIGTERM, which Python alone would not treat as it treats Ctrl-C."""
    pages, dagster = free_port(), free_port()
    process = subprocess.Popen(
        [COMMAND, "up", "--pages-port", str(pages), "--dagster-port", str(dagster)],
        env=environment(home, CITYHUB_SOURCE_CARE_HOMES_URL=home.as_uri()),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{pages}/_stcore/health", process)
        assert "dagster_version" in wait_for(f"http://127.0.0.1:{dagster}/server_info", process).json()
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert f"http://127.0.0.1:{pages}" in out
        assert f"http://127.0.0.1:{dagster}" in out
        gone, alive = psutil.wait_procs(started, timeout=10)
        assert not alive
        assert len(gone) >= 2
        assert not (home / "postgres" / "postmaster.pid").exists()
    finally:
        for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
            child.kill()
        process.kill()
