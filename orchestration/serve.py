"""Streamlit and Dagster as child processes on the loopback, stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping

from rich.console import Console

from orchestration import hub
from orchestration.job import dagster_home
from warehouse.errors import ConfigurationError, PermanentError
from warehouse.paths import PROJECT_ROOT

HOST = "127.0.0.1"
# A child that has not stopped 10 s after being asked is killed.
STOP_SECONDS = 10.0


def require_ports(ports: Mapping[str, int]) -> None:
    """Refuse to start when a port is taken.

    Raises:
        ConfigurationError: names the port and the option that moves it.
    """
    for option, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise ConfigurationError(
                    f"Port {port} is taken.",
                    where=f"{HOST}:{port}",
                    expected="a free port",
                    do=f"stop the program that uses it, or choose another with {option} PORT",
                ) from None


def serve(pages_port: int, dagster_port: int, *, out: Console, err: Console) -> None:
    """Serve until Ctrl-C or SIGTERM, then stop every process that was started.

    Raises:
        PermanentError: a child ended by itself.
    """
    home = hub.hub_settings().home
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    dagster_home(home)
    python = sys.executable
    from streamlit_app.serve import pages_command

    commands = {
        "pages": pages_command(port=pages_port, address=HOST),
        "dagster": [python, "-m", "dagster", "dev", "-h", HOST, "-p", str(dagster_port),
                    "-m", "orchestration.definitions", "--log-level", "warning"],
    }  # fmt: skip
    children: dict[str, subprocess.Popen[bytes]] = {}
    # Also where a shell started this in the background, with Ctrl-C switched off.
    for interrupt in (signal.SIGINT, signal.SIGTERM):
        signal.signal(interrupt, signal.default_int_handler)
    try:
        for name, command in commands.items():
            with (logs / f"{name}.log").open("wb") as log:
                # A session of its own, so that the whole tree of a child can be stopped at once.
                children[name] = subprocess.Popen(  # noqa: S603
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=PROJECT_ROOT,
                    env=os.environ | {"CITYHUB_HOME": str(home)}, start_new_session=True,
                )  # fmt: skip
        out.print(f"Pages    http://{HOST}:{pages_port}\nDagster  http://{HOST}:{dagster_port}\nCtrl-C stops both.")
        while True:
            for name, child in children.items():
                if child.poll() is not None:
                    raise PermanentError(
                        f"The {name} process ended by itself.",
                        where=str(logs / f"{name}.log"),
                        expected="a process that serves until it is stopped",
                        do="read the end of that log",
                    )
            time.sleep(0.5)
    except KeyboardInterrupt:
        err.print("Stopping …")
    finally:
        stop(children.values())


def stop(children: object) -> None:
    """Ask every process tree to end, wait, and kill what stays."""
    running = [child for child in children if child.poll() is None]  # type: ignore[attr-defined]
    for child in running:
        os.killpg(child.pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    for child in running:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
