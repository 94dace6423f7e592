"""The four departments' systems, serving a demo city for real: a Postgres database, a signed REST service, a SQLite or
MariaDB database, and a drop folder.

`build` writes everything, `serving` starts what needs a process and says under which addresses the hub finds it all.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import psycopg
from psycopg import conninfo as pgconninfo

from demo import home as places
from demo.city.state import City
from demo.systems import care_homes, civil_affairs, market_store, urban_management
from warehouse.errors import PermanentError, TransientError
from warehouse.paths import PROJECT_ROOT

KEY_ID = "cityhub-demo"
URBAN_VARIABLE = "CITYHUB_DEMO_URBAN_URL"


def build(
    home: Path,
    city: City,
    admin_dsn: str,
    urban_url: str | None = None,
    *,
    civil_database: str = civil_affairs.DATABASE,
) -> None:
    """Write the city into its four systems, its truth and its memory; what was there before is replaced.

    Args:
        home: the hub's home directory.
        admin_dsn: conninfo of a login that may create databases; civil affairs gets one of its own there.
        urban_url: SQLAlchemy address of a MariaDB database for urban management; None: SQLite under home.
        civil_database: name of the database of civil affairs; it is dropped and created.
    """
    shutil.rmtree(places.folder(home), ignore_errors=True)
    places.folder(home).mkdir(parents=True)
    with explained(admin_dsn):
        civil_affairs.build(admin_dsn, civil_database, city)
    market_store.build(places.market_store(home), city)
    urban_management.build(urban_url or sqlite_url(home), city)
    care_homes.write_drop(places.drops(home), city)
    addresses = {
        # Passwords stay out of the file: whoever used one gives it again.
        "civil_database": civil_database,
        "admin": {k: v for k, v in pgconninfo.conninfo_to_dict(admin_dsn).items() if k != "password"},
        "urban_url": None if urban_url is None else urban_management.masked(urban_url),
    }
    remember(home, city, addresses)


def remember(home: Path, city: City, addresses: Mapping[str, object]) -> None:
    """Keep the city's state and truth, then its description: whoever reads the description finds the rest."""
    truth = places.folder(home) / "truth"
    truth.mkdir(exist_ok=True)
    for name, frame in city.truth().items():
        _write(frame, truth / f"{name}.parquet")
    city.save(places.folder(home) / "state")
    places.write_description(home, {**city.facts(), **addresses})


def _write(frame: pl.DataFrame, path: Path) -> None:
    partial = path.with_suffix(".partial")
    frame.write_parquet(partial, compression="zstd", statistics=False)
    partial.replace(path)


def sqlite_url(home: Path) -> str:
    """Default address of urban management."""
    return f"sqlite:///{places.urban_store(home)}"


def admin_login(home: Path, admin_dsn: str | None = None) -> str:
    """The given login, or the one kept without its password."""
    return admin_dsn or pgconninfo.make_conninfo(**places.describe(home)["admin"])


def urban_address(home: Path, urban_url: str | None = None) -> str:
    """The given address of urban management, or the one built with; its password comes from the environment."""
    kept = places.describe(home)["urban_url"]
    if kept is None:
        return urban_url or sqlite_url(home)
    return urban_url or os.environ.get(URBAN_VARIABLE) or str(kept)


@contextmanager
def serving(
    home: Path,
    port: int = 0,
    *,
    admin_dsn: str | None = None,
    urban_url: str | None = None,
    rate: float = 100.0,
    in_thread: bool = False,
) -> Iterator[dict[str, str]]:
    """Serve the city and yield the environment variables under which the hub finds its four systems.

    Args:
        port: port of the market supervision service on loopback; 0 takes a free one.
        admin_dsn, urban_url: as in `build`; needed only where they hold a password.
        rate: requests a second that service allows.
        in_thread: run it in a thread of this process instead of a process of its own.
    """
    civil_database = places.describe(home)["civil_database"]
    secret = secrets.token_hex(32)
    start = _in_thread if in_thread else _in_process
    with start(places.market_store(home), port, secret, rate) as bound:
        yield {
            "CITYHUB_SOURCE_CIVIL_AFFAIRS_URL": civil_affairs.url(admin_login(home, admin_dsn), civil_database),
            "CITYHUB_SOURCE_MARKET_SUPERVISION_URL": f"http://127.0.0.1:{bound}",
            "CITYHUB_SOURCE_MARKET_SUPERVISION_KEY_ID": KEY_ID,
            "CITYHUB_SOURCE_MARKET_SUPERVISION_SECRET": secret,
            "CITYHUB_SOURCE_URBAN_MANAGEMENT_URL": urban_address(home, urban_url),
            "CITYHUB_SOURCE_CARE_HOMES_URL": places.drops(home).as_uri(),
        }


@contextmanager
def _in_process(store: Path, port: int, secret: str, rate: float) -> Iterator[int]:
    from demo.systems.market_server import KEY_VARIABLE, SECRET_VARIABLE

    # Secrets travel in the environment: arguments are seen by every user of the machine.
    environment = {
        **os.environ,
        KEY_VARIABLE: KEY_ID,
        SECRET_VARIABLE: secret,
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    if port:
        from demo.systems.listening import bound_socket

        bound_socket(port).close()  # a taken port is told here, by name, rather than by the child
    command = [sys.executable, "-m", "demo.systems.market_server", "--store", str(store), "--port", str(port)]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [*command, "--rate", str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        if not line.isdigit():
            raise TransientError(
                "The demo's market supervision service did not start.",
                where=f"127.0.0.1:{port}",
                expected="the service listening on loopback",
                do="look at the lines above; try another port",
            )
        yield int(line)
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def _in_thread(store: Path, port: int, secret: str, rate: float) -> Iterator[int]:
    import uvicorn

    from demo.systems.listening import bound_socket
    from demo.systems.market_server import create_app

    listener = bound_socket(port)
    app = create_app(store, KEY_ID, secret, rate=rate)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    # The socket listens already: requests wait in its queue until the loop runs.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


@contextmanager
def explained(admin_dsn: str) -> Iterator[None]:
    """Failures of the server of civil affairs, told as causes a person can act on."""
    where = str(pgconninfo.conninfo_to_dict(admin_dsn).get("host", "localhost"))
    try:
        yield
    except psycopg.OperationalError:
        raise TransientError(
            "The server for the demo's civil affairs database does not answer.",
            where=where,
            expected="a Postgres server that accepts the login",
            do="check that it runs and that the login is right",
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise PermanentError(
            "The login may not create the demo's civil affairs database.",
            where=where,
            expected="a login with CREATEDB",
            do="use the embedded Postgres, or grant CREATEDB to the login",
        ) from None


__all__ = ["build", "serving"]
