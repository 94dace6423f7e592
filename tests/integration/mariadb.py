"""A MariaDB server for tests: its own data, socket and port, never as root, with nothing in it but one login.

What stands in its databases is the tests' affair.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

USER = "urban"
PASSWORD = "geheim-7f3a"
START_SECONDS = 60
# Nothing here has to survive a power failure: no waiting for the disk (a city loads in half the time).
OPTIONS = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--bind-address=127.0.0.1",
)


@dataclass(frozen=True)
class MariaDB:
    """A running server."""

    port: int
    socket: Path

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        return f"mysql+pymysql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def administrator(self, database: str | None = None) -> Iterator[Any]:
        """A cursor of the server's own superuser, over the socket."""
        connection = pymysql.connect(
            unix_socket=str(self.socket), user="root", database=database, charset="utf8mb4", autocommit=True
        )
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    @contextmanager
    def database(self) -> Iterator[str]:
        """A throw-away database that the login owns; by its name."""
        name = f"city_{uuid.uuid4().hex[:10]}"
        with self.administrator() as cursor:
            # The server's default character set is what an old installation has; tables must say what they need.
            cursor.execute(f"create database {name} character set latin1")
            cursor.execute(f"grant all on {name}.* to '{USER}'@'127.0.0.1'")
        try:
            yield name
        finally:
            with self.administrator() as cursor:
                cursor.execute(f"drop database {name}")


def installed() -> bool:
    """Whether the server's programs are there; Debian keeps `mariadbd` in /usr/sbin, which not every PATH has."""
    return all(_program(name) for name in ("mariadbd", "mariadb-install-db"))


@contextmanager
def running() -> Iterator[MariaDB]:
    """Create a server in a directory of its own, and stop and remove it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="cityhub-mariadb-"))
    try:
        with _started(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(folder: Path) -> Iterator[MariaDB]:
    identity = _identity()
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    data, log, login = folder / "data", folder / "server.log", folder / "login.sql"
    login.write_text(f"create user '{USER}'@'127.0.0.1' identified by '{PASSWORD}';\n", encoding="utf-8")
    create = [
        _program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db",
        "--auth-root-authentication-method=normal", "--skip-name-resolve",
    ]  # fmt: skip
    with log.open("wb") as output:
        made = subprocess.run(create, check=False, stdout=output, stderr=output, cwd=folder, **identity)
        if made.returncode:
            raise RuntimeError(f"mariadb-install-db made no database:\n{log.read_text('utf-8')[-3000:]}")
        server = MariaDB(_free_port(), folder / "socket")
        command = [
            _program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={server.socket}",
            f"--port={server.port}", f"--pid-file={folder / 'pid'}", f"--init-file={login}", *OPTIONS,
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, **identity)
    try:
        _wait(server, process, log)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: MariaDB, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the login may come in: the init file is read before connections are accepted."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            pymysql.connect(host="127.0.0.1", port=server.port, user=USER, password=PASSWORD).close()
        except pymysql.Error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mariadbd did not start:\n{log.read_text('utf-8')[-3000:]}") from None
            time.sleep(0.05)
        else:
            return


def _identity() -> dict[str, Any]:
    """Whom the server runs as: never root, which it refuses to be."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _program(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin") or ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
