"""`cityhub up` as its user has it: both servers answer, and an interrupt leaves no process behind."""

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

START_SECONDS = 120


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a short path (a Unix socket's path has 107 bytes at most)."""
    directory = Path(tempfile.mkdtemp(prefix="ch-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


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


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM])
def test_both_servers_answer_and_an_interrupt_stops_everything(home: Path, interrupt: signal.Signals) -> None:
    pages, dagster = free_port(), free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CITYHUB_", "DAGSTER_", "DBT_"))}
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("cityhub")), "up",
            "--pages-port", str(pages), "--dagster-port", str(dagster),
        ],
        env=clean | {"CITYHUB_HOME": str(home), "CITYHUB_SOURCE_CARE_HOMES_URL": home.as_uri()},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{pages}/_stcore/health", process)
        assert "dagster_version" in wait_for(f"http://127.0.0.1:{dagster}/server_info", process).json()
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(interrupt)
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
