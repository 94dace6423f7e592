"""Lands a table once, in a process of its own, and tells what it took: `python -m benchmarks.landing_loader …`.

A process of its own, because resident memory is a process's, and a benchmark holds more than a loader does.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import connectors.landing.land as land
from connectors.contract import GateRequest, GateResult, TableContract, load_contract
from connectors.contract.ddl import stage_table_ddl
from connectors.landing import ahead, land_table
from warehouse.database import Database
from warehouse.settings import get_settings


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conninfo")
    parser.add_argument("contract", type=Path)
    parser.add_argument("--gate", choices=("real", "none"), default="real")
    parser.add_argument("--profile", type=Path)
    arguments = parser.parse_args()
    database = Database(arguments.conninfo, shown="benchmark")
    contract = load_contract(arguments.contract)
    gate, asked = _gate(database, arguments.gate, contract.tables[0])
    ends: list[float] = []
    _note_end_of_reading(ends)
    profile = None
    if arguments.profile:
        import cProfile

        profile = cProfile.Profile()
        profile.enable()
    idle = _peak_mb()
    started, cpu = time.perf_counter(), time.process_time()
    result = land_table(database, get_settings(), contract, contract.tables[0], run_id="bench", gate=gate)
    ended = time.perf_counter()
    if profile is not None:
        profile.disable()
        profile.dump_stats(arguments.profile)
    figures = {
        "state": result.state,
        "reason": result.reason,
        "read": result.read,
        "inserted": result.inserted,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "quarantined": result.quarantined,
        "seconds": ended - started,
        "after_read_seconds": ended - ends[0],
        "gate_seconds": sum(asked),
        "client_cpu_seconds": time.process_time() - cpu,
        "rss_idle_mb": idle,
        "rss_peak_mb": _peak_mb(),
    }
    print(json.dumps(figures))


def _gate(database: Database, which: str, table: TableContract) -> tuple[Any, list[float]]:
    """The admission gate, loaded before the clock runs: a process that lands loads it once for all its tables."""
    asked: list[float] = []
    if which == "none":
        return (lambda request: GateResult(True)), asked
    from expectations.admission import make_gate
    from expectations.runner import load_great_expectations

    load_great_expectations()
    real = make_gate(database, get_settings())
    _warm_up(database, real, table)

    def timed(request: GateRequest) -> Any:
        started = time.perf_counter()
        answer = real(request)
        asked.append(time.perf_counter() - started)
        return answer

    return timed, asked


def _warm_up(database: Database, gate: Any, table: TableContract) -> None:
    """Ask the gate once about nothing: what it builds on first use, it builds for all tables of its process."""
    stage = f"{table.raw_schema}._stage_nothing"
    with database.psycopg("pipeline") as connection:
        connection.execute(f"create schema if not exists {table.raw_schema}".encode())
        for statement in stage_table_ddl(table, stage):
            connection.execute(statement.encode())
    gate(GateRequest(table, stage, 0, "warm-up", 0, 0, 0, 0))
    with database.psycopg("pipeline") as connection:
        connection.execute(f"drop table {stage}".encode())


def _note_end_of_reading(ends: list[float]) -> None:
    """Note when the source has given its last frame."""

    def watched(frames: Iterator[Any]) -> ahead.ReadAhead[Any]:
        def noted() -> Iterator[Any]:
            yield from frames
            ends.append(time.perf_counter())

        return ahead.ReadAhead(noted())

    setattr(land, "ReadAhead", watched)  # noqa: B010 - a plain assignment is one to a name that is not exported


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
