"""The whole road, as a newcomer's commands: `make bench NAME=road ARGS="--residents 20000"`.

Ratios are time over limit: below 1 is within it. The limits: a demo of 20,000 residents from an
empty state in 90 s, a run with nothing changed in 40 s, status in 1.5 s.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import write

LIMITS = {"demo": 90.0, "run_unchanged": 40.0, "status": 1.5}


def seconds(home: Path, *arguments: str) -> float:
    """Wall time of one command."""
    started = time.perf_counter()
    subprocess.run(
        [str(Path(sys.executable).with_name("cityhub")), *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"CITYHUB_HOME": str(home)},
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure each command in a home of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--residents", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="cityhub-bench-"))
    city = ("--residents", str(arguments.residents), "--seed", str(arguments.seed))
    try:
        figures = {
            "demo": seconds(home, "demo", "--no-serve", "--json", *city),
            "run_unchanged": seconds(home, "run", "--json"),
            "status": min(seconds(home, "status", "--json") for _ in range(3)),
            "advance_one_day": seconds(home, "demo", "advance", "--days", "1", "--json"),
            "run_next_day": seconds(home, "run", "--json"),
        }
    finally:
        shutil.rmtree(home, ignore_errors=True)
    write(
        "road",
        sizes={"residents": arguments.residents, "seed": arguments.seed},
        figures={f"{name}_seconds": round(value, 2) for name, value in figures.items()},
        ratios={f"{name}_vs_limit": round(figures[name] / limit, 3) for name, limit in LIMITS.items()},
    )


if __name__ == "__main__":
    main()
