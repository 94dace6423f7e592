"""Identity: how good linkage is on whole cities, and how fast on a spine of any size.

    make bench NAME=identity ARGS="quality --residents 20000 --seeds 7 8 9"
    make bench NAME=identity ARGS="speed --residents 100000 1000000"
    make bench NAME=identity ARGS="stability --residents 2000"

Quality: precision and recall at normal against the demo's truth, usual and doubled dirt, linked from scratch. Ratios
are the aim over what was reached: 1 and below is within it. Speed: from Postgres to Postgres with every constraint, ids
and ledgers included, on a throw-away embedded server; then a day on which one row in a hundred changed. Stability: ten
days of a city down the whole road; how many records went elsewhere, and how many of those without an event.
"""

from __future__ import annotations

import argparse
from typing import Any

import polars as pl

from benchmarks.identity_speed import speed
from benchmarks.identity_stability import stability
from benchmarks.report import write
from demo.city.dirt import DirtRates
from demo.city.generation import generate
from demo.city.state import City
from identity.evaluate import Judged, evaluate, judge
from identity.model import Kind
from identity.scratch import link_from_scratch
from tests.city_records import city_firms, city_persons

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
                judged = judge(kind, linked.features, linked.links, known)
                found = evaluate(judged)
                name = f"{plural}_dirt_{dirt}"
                for figure in ("precision", "recall", "recall_of_tellable"):
                    key = f"{name}_{figure}"
                    worst[key] = min(worst.get(key, 1.0), found["normal"][figure])
                for figure, value in {
                    "wrong_pairs": found["normal"]["wrong_pairs"],
                    "over_merged": found["normal"]["over_merged"],
                    "two_certified": found["two_certified_in_one_subject"],
                    "asked": linked.asked,
                    **({"born_on_one_day_merged": born_on_one_day(judged, city)} if kind == "resident" else {}),
                }.items():
                    counts[f"{name}_{figure}"] = counts.get(f"{name}_{figure}", 0) + value
    ratios = {
        f"{kind}_dirt_{dirt}_{figure}": round(aim / worst[f"{kind}_dirt_{dirt}_{figure}"], 4)
        for (kind, dirt), aims in AIMS.items()
        for figure, aim in zip(("precision", "recall"), aims, strict=True)
    }
    return {**worst, **counts}, ratios


def born_on_one_day(judged: Judged, city: City) -> int:
    """Subjects that hold two people of one birthday: planted twins and namesakes among them."""
    born = city.people.select("true_id", "birth_on")
    people = judged.records.select("subject", "true_id").unique().join(born, on="true_id")
    return people.filter(pl.struct("subject", "birth_on").is_duplicated()).get_column("subject").n_unique()


def main() -> None:
    """Measure and write `benchmarks/results/identity_<what>.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["quality", "speed", "stability"], nargs="?", default="quality")
    parser.add_argument("--residents", type=int, nargs="+", default=[20_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    arguments = parser.parse_args()
    if arguments.what == "quality":
        figures, ratios = quality(arguments.residents[0], arguments.seeds)
        sizes: dict[str, Any] = {"residents": arguments.residents[0], "seeds": arguments.seeds}
    elif arguments.what == "stability":
        figures, ratios = stability(arguments.residents[0], arguments.seeds[0]), {}
        sizes = {"residents": arguments.residents[0], "seed": arguments.seeds[0], "days": 10}
    else:
        figures, ratios = speed(arguments.residents)
        sizes = {"residents": arguments.residents}
    write(f"identity_{arguments.what}", sizes=sizes, figures=figures, ratios=ratios)


if __name__ == "__main__":
    main()
