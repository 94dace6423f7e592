"""The linkage of a run: certified identifiers first, then the model for the rest, ids and ledgers in one transaction.

Nothing new, nothing to do: where no record, decision, model or rule has changed since the last linkage, it ends there.
Where some have, only their faces are compared, with the faces they share a block with; the pairs in force are then the
same as if everything had been compared anew, and clusters are always made from all pairs in force.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psycopg

from identity import blocking, comparisons, faces, thresholds
from identity.cluster import MOST_FACES
from identity.engine import Engine, prior, shifted_faces
from identity.faces import Faces, build_faces, mark_fresh
from identity.features.records import KEY, features_of
from identity.first_load import begin_first_load, end_first_load, link_certified
from identity.linkage import Decision, Settled, compare, faces_of, settle
from identity.memory import Memory
from identity.model import KINDS, Kind, Model, load_model
from identity.nodes import TRAITS
from identity.phases import Phases
from identity.resolve import Resolved, lock, resolve_kind
from identity.store import (
    Extent,
    PastRun,
    extent,
    past_run,
    read_decisions,
    read_earlier,
    read_keys,
    read_named,
    read_pairs,
    read_records,
    write_loose,
    write_pairs,
    write_run,
    write_settled,
)
from warehouse.database import Database

# Raised when features or faces are made differently, which no other part of the fingerprint can see.
FEATURES_VERSION = 2
_NOTHING = Resolved(records=0, minted=0, adopted=0, merged=0, split=0, linked=0)


@dataclass(frozen=True)
class Linked:
    """What one linkage did, for one kind of subject.

    Attributes:
        mode: `full`, `incremental` or `unchanged`.
        compared: records that were compared with others.
        pairs: pairs in force.
        asked: pairs that the review queue asks about.
    """

    mode: str
    model_version: str
    compared: int
    pairs: int
    asked: int
    resolved: Resolved


@dataclass(frozen=True)
class _Job:
    """The linkage of one kind: with what, and whether it is the first this hub has seen."""

    connection: psycopg.Connection[Any]
    memory: Memory
    kind: Kind
    run_id: str
    engine: Engine
    watch: Phases
    is_first: bool


@dataclass(frozen=True)
class _Work:
    """What one kind has to compare: its faces, and the records whose old pairs no longer count (None: all)."""

    features: pl.DataFrame
    faces: Faces
    stale: pl.DataFrame | None


def link(
    database: Database,
    *,
    run_id: str,
    home: Path,
    full: bool = False,
    engine: Engine = "duckdb",
    phases: Phases | None = None,
) -> dict[str, Linked]:
    """Link every record of the current state, in one transaction under one lock.

    Args:
        run_id: the run that links, events, pairs and questions are recorded under.
        home: the hub's home, where linkage remembers features.
        full: compare everything anew, whatever has changed.
        engine: what scores the pairs; the result is the same.
        phases: told how long each part took.
    """
    results: dict[str, Linked] = {}
    memory = Memory(home)
    watch = phases or Phases()
    with database.psycopg("pipeline") as connection:
        lock(connection)
        is_first = begin_first_load(connection)
        for kind in KINDS:
            job = _Job(connection, memory, kind, run_id, engine, watch, is_first)
            results[kind] = _link_kind(job, full)
        if is_first:
            with watch.phase("constraints"):
                end_first_load(connection)
    for kind in KINDS:
        if results[kind].mode != "unchanged":
            memory.forget(kind, but=run_id)
    return results


def _link_kind(job: _Job, full: bool) -> Linked:
    model = load_model(job.kind)
    decisions, newest = read_decisions(job.connection, job.kind)
    digest = f"{rules_digest(model)}:{newest}"
    seen, past = extent(job.connection, job.kind), None if full else past_run(job.connection, job.kind)
    if past is not None and past.rules_digest == digest and _same(past, seen):
        return Linked("unchanged", model.version, 0, 0, 0, _NOTHING)
    work = None
    if past is not None and past.rules_digest.partition(":")[0] == digest.partition(":")[0]:
        with job.watch.phase("find changes"):
            work = _incremental(job, model, past, seen, decisions)
    if work is None:
        with job.watch.phase("read records"):
            records = read_records(job.connection, job.kind)
    with ThreadPoolExecutor(max_workers=1) as beside:
        certified = None
        if job.is_first:
            certified = beside.submit(link_certified, job.connection, job.kind, job.run_id)
        if work is None:
            work = _everything(job, model, records, decisions)
            del records
        with job.watch.phase("compare"):
            scored = compare(model, work.faces, job.engine)
        with job.watch.phase("link certified"):
            linked = certified.result() if certified else _NOTHING
    pairs, settled = _settle(job, model, work, scored, decisions)
    # Only what changed may move, unless everything was compared anew.
    since = past.through_changed_at if past is not None and work.stale is not None else None
    with job.watch.phase("resolve ids"):
        resolved = resolve_kind(job.connection, job.kind, job.run_id, since, is_first_load=job.is_first)
    with job.watch.phase("write loose groups"):
        write_loose(job.connection, job.kind, settled.loose)
    mode = "full" if work.stale is None else "incremental"
    compared = work.features.height if work.stale is None else work.stale.height
    write_run(
        job.connection,
        job.kind,
        job.run_id,
        mode=mode,
        engine=job.engine,
        version=model.version,
        digest=digest,
        seen=seen,
        compared=compared,
        pairs=pairs,
    )
    return Linked(mode, model.version, compared, pairs, settled.review.height, linked + resolved)


def _everything(job: _Job, model: Model, records: pl.DataFrame, decisions: list[Decision]) -> _Work:
    with job.watch.phase("features"):
        features = features_of(job.kind, records)
    with job.watch.phase("faces"):
        return _Work(features, faces_of(model, features, decisions), None)


def _settle(
    job: _Job, model: Model, work: _Work, scored: pl.DataFrame, decisions: list[Decision]
) -> tuple[int, Settled]:
    """Write the pairs, cluster by all pairs in force, ask what is to be asked; returns how many pairs there are."""
    with job.watch.phase("remember"):
        job.memory.keep(job.kind, job.run_id, work.features)
    with job.watch.phase("write pairs"):
        write_pairs(job.connection, job.kind, job.run_id, model.version, scored, stale=work.stale)
    with job.watch.phase("read pairs"):
        pairs = scored if work.stale is None else read_pairs(job.connection, job.kind)
        earlier = [] if job.is_first else read_earlier(job.connection, job.kind)
    with job.watch.phase("cluster"):
        settled = settle(model, work.faces, pairs, decisions, earlier)
    with job.watch.phase("write questions"):
        write_settled(job.connection, job.kind, job.run_id, settled)
    return pairs.height, settled


def _same(past: PastRun, seen: Extent) -> bool:
    return (past.records_count, past.through_changed_at) == (seen.records_count, seen.through_changed_at)


def _incremental(job: _Job, model: Model, past: PastRun, seen: Extent, decisions: list[Decision]) -> _Work | None:
    """What to compare when the last linkage is remembered; None when everything has to be."""
    connection, kind = job.connection, model.kind
    remembered = job.memory.recall(kind, past.run_id)
    if remembered is None or past.through_changed_at is None:
        return None
    changed = features_of(kind, read_records(connection, kind, since=past.through_changed_at))
    features = pl.concat([remembered.join(changed, on=KEY, how="anti"), changed.select(remembered.columns)])
    if features.height != seen.records_count:
        features = features.join(read_keys(connection, kind), on=KEY, how="semi")
    if features.height != seen.records_count:
        return None
    before = build_faces(kind, remembered, read_named(connection, kind, int(past.rules_digest.partition(":")[2])))
    now = faces_of(model, features, decisions)
    if prior(now) != prior(before):
        return None
    now = mark_fresh(now, before)
    gone = mark_fresh(before, now)
    shifted = shifted_faces(kind, now.table, before.table)
    table = now.table.with_columns(is_fresh=pl.col("is_fresh") | pl.col("face").is_in(shifted.implode()))
    stale = [
        each.members.join(each.table.filter("is_fresh").select("face"), on="face", how="semi").select(KEY)
        for each in (Faces(table, now.members), gone)
    ]
    return _Work(features, Faces(table, now.members), pl.concat(stale).unique().sort(KEY))


def rules_digest(model: Model) -> str:
    """Fingerprint of everything but records and decisions that a linkage depends on."""
    rules = {
        "model": model.as_json(),
        "blocks": blocking.candidates_sql(model.kind),
        "faces": [faces.PHONE_NAMES, faces.BIRTH_FACTOR, faces.BIRTH_LEAST, faces.REGISTERS[model.kind]],
        "features": [FEATURES_VERSION, faces.FEATURES[model.kind]],
        "comparisons": [comparisons.SINGLING[model.kind], TRAITS[model.kind], MOST_FACES],
        "thresholds": [thresholds.THRESHOLDS, thresholds.AMONG_RIVALS],
    }
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:32]
