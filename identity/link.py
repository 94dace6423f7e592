"""The linkage of a run: certified identifiers first, then the model for the rest, ids and ledgers in one transaction.

Nothing new, nothing to do: where no record, decision, model or rule has changed since the last linkage, it ends there.
Where some have, only their faces are compared, with the faces they share a block with, and only clusters within their
reach are made anew: pairs, clusters, questions and ids are the same as if everything had been compared again.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import psycopg

from identity import blocking, comparisons, faces, thresholds
from identity.changes import Changed, Versions, companions, find_changed, is_among, told_apart
from identity.cluster import MOST_FACES
from identity.engine import Engine, comparable, prior_among
from identity.faces import build_faces, hot_values, is_register, told
from identity.features.records import KEY, features_of
from identity.first_load import begin_first_load, end_first_load, link_certified
from identity.linkage import Decision, Settled, compare, named_in, settle
from identity.memory import Memory
from identity.model import KINDS, Kind, Model, load_model
from identity.nodes import TRAITS
from identity.phases import Phases
from identity.queue import close_answered
from identity.reach import forget_touched, reach
from identity.resolve import KINDS as RELATIONS
from identity.resolve import Resolved, lock, resolve_kind
from identity.store import (
    INPUT,
    Extent,
    PastRun,
    count_asked,
    count_pairs,
    extent,
    input_schema,
    note_subjects,
    past_run,
    read_decisions,
    read_earlier,
    read_keys,
    read_named,
    read_pairs,
    read_records,
    record_parts,
    replace_pairs,
    write_loose,
    write_pairs,
    write_run,
    write_settled,
)
from warehouse.database import Database

# Raised when features or faces are made differently, which no other part of the fingerprint can see.
FEATURES_VERSION = 4
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
    """The linkage of one kind.

    Attributes:
        beside: works at the connection while this thread compares: its tasks, and nothing else, use it meanwhile.
        certified: on the first linkage of a hub, what becomes of the certified records of each kind.
    """

    database: Database
    connection: psycopg.Connection[Any]
    beside: ThreadPoolExecutor
    memory: Memory
    kind: Kind
    run_id: str
    engine: Engine
    watch: Phases
    certified: Future[dict[Kind, Resolved]] | None

    @property
    def is_first(self) -> bool:
        return self.certified is not None


@dataclass(frozen=True)
class _Found:
    """What a linkage begins with: the decisions in force, the newest one's number, the records, the run before."""

    decisions: list[Decision]
    newest: int
    seen: Extent
    past: PastRun | None


@dataclass(frozen=True)
class _Done:
    """What one linkage came to; `pairs` are those in force, where it made them all."""

    mode: str
    compared: int
    resolved: Resolved
    pairs: int | None = None


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
    with database.psycopg("pipeline") as connection, ThreadPoolExecutor(max_workers=1) as beside:
        lock(connection)
        found = {kind: _look(connection, kind, full) for kind in KINDS}
        certified = None
        if begin_first_load(connection):
            certified = beside.submit(link_certified, connection, run_id)
        for kind in KINDS:
            job = _Job(database, connection, beside, memory, kind, run_id, engine, watch, certified)
            results[kind] = _link_kind(job, found[kind])
        if certified is not None:
            certified.result()
            with watch.phase("constraints"):
                end_first_load(connection)
    for kind in KINDS:
        if results[kind].mode != "unchanged":
            memory.forget(kind, but=run_id)
    return results


def _look(connection: psycopg.Connection[Any], kind: Kind, full: bool) -> _Found:
    """What there is of a kind, as long as nobody works at it."""
    decisions, newest = read_decisions(connection, kind)
    return _Found(decisions, newest, extent(connection, kind), None if full else past_run(connection, kind))


def _link_kind(job: _Job, found: _Found) -> Linked:
    model = load_model(job.kind)
    decisions, newest, seen, past = found.decisions, found.newest, found.seen, found.past
    rules = rules_digest(model)
    if past is not None and past.rules_digest == f"{rules}:{newest}" and _same(past, seen):
        return Linked("unchanged", model.version, 0, 0, 0, _NOTHING)
    done = None
    if past is not None and not job.is_first and past.rules_digest.partition(":")[0] == rules:
        done = _link_changes(job, model, past, seen, decisions)
    if done is None:
        done = _link_everything(job, model, decisions)
    pairs = count_pairs(job.connection, job.kind) if done.pairs is None else done.pairs
    asked = count_asked(job.connection, job.kind)
    write_run(
        job.connection,
        job.kind,
        job.run_id,
        mode=done.mode,
        engine=job.engine,
        version=model.version,
        digest=f"{rules}:{newest}",
        seen=seen,
        compared=done.compared,
        pairs=pairs,
    )
    return Linked(done.mode, model.version, done.compared, pairs, asked, done.resolved)


def _same(past: PastRun, seen: Extent) -> bool:
    return (past.records_count, past.through_changed_at) == (seen.records_count, seen.through_changed_at)


def _link_everything(job: _Job, model: Model, decisions: list[Decision]) -> _Done:
    """Compare all records. Meanwhile the connection works: at the certified ones of a first load, then at the pairs."""
    with job.watch.phase("features"):
        features = _all_features(job)
        compared = features.height
    with job.watch.phase("remember"):
        hot = hot_values(job.kind, features)
        chance = prior_among(features.select("identifier", is_register=is_register(job.kind)))
        job.memory.keep(job.kind, job.run_id, features, hot, chance)
    with job.watch.phase("faces"):
        named = named_in(decisions)
        near = comparable(job.kind, told(job.kind, features, hot), named)
        del features
        everybody = build_faces(job.kind, near, named, is_told=True)
    with job.watch.phase("compare"):
        scored = compare(model, everybody, job.engine, chance)
    earlier = [] if job.is_first else read_earlier(job.connection, job.kind)
    written = job.beside.submit(write_pairs, job.connection, job.kind, job.run_id, model.version, scored)
    with job.watch.phase("cluster"):
        settled = settle(model, everybody, scored, decisions, earlier)
    pairs = scored.height
    del everybody, scored
    with job.watch.phase("link certified"):
        linked = job.certified.result()[job.kind] if job.certified else _NOTHING
    with job.watch.phase("write pairs"):
        written.result()
    return _Done("full", compared, linked + _write(job, settled), pairs)


def _all_features(job: _Job) -> pl.DataFrame:
    """The features of all records, which are read on a connection of their own."""
    with job.database.psycopg("pipeline") as reader:
        features = [features_of(job.kind, part) for part in record_parts(reader, job.kind)]
    return pl.concat(features or [_no_features(job.kind)])


def _no_features(kind: Kind) -> pl.DataFrame:
    return features_of(kind, pl.DataFrame(schema=input_schema(INPUT[kind])))


def _link_changes(job: _Job, model: Model, past: PastRun, seen: Extent, decisions: list[Decision]) -> _Done | None:
    """Compare and settle only what changes reach; None when everything has to be."""
    with job.watch.phase("find changes"):
        found = _find_changes(job, past, seen, decisions)
    if found is None:
        return None
    versions, changed, chance, newly_decided = found
    with job.watch.phase("compare"):
        scored = compare(model, changed.faces, job.engine, chance)
    with job.watch.phase("write pairs"):
        partners = replace_pairs(job.connection, job.kind, job.run_id, model.version, scored, changed.stale)
    with job.watch.phase("reach"):
        beside = companions(job.kind, versions)
        seeds = pl.concat([changed.stale, partners, newly_decided]).unique()
        reached = reach(job.connection, job.kind, beside, seeds)
        # Each for itself: as one frame, everything would be copied.
        records = pl.concat([each.join(reached, on=KEY, how="semi") for each in (versions.unchanged, versions.new)])
        near = build_faces(job.kind, records, versions.named_now, is_told=True)
        note_subjects(job.connection, job.kind)
    with job.watch.phase("read pairs"):
        pairs = read_pairs(job.connection, job.kind)
        earlier = read_earlier(job.connection, job.kind, only_touched=True)
    with job.watch.phase("cluster"):
        settled = settle(model, near, pairs, decisions, earlier)
    resolved = _write(job, settled, only_touched=True)
    forget_touched(job.connection)
    return _Done("incremental", changed.stale.height, resolved)


def _write(job: _Job, settled: Settled, *, only_touched: bool = False) -> Resolved:
    """Ask what is to be asked, give ids."""
    with job.watch.phase("write questions"):
        write_settled(job.connection, job.kind, job.run_id, settled, only_touched=only_touched)
    with job.watch.phase("resolve ids"):
        resolved = resolve_kind(
            job.connection, job.kind, job.run_id, is_first_load=job.is_first, only_touched=only_touched
        )
    with job.watch.phase("write loose groups"):
        write_loose(job.connection, job.kind, settled.loose, is_first_load=job.is_first, only_touched=only_touched)
    if not job.is_first:
        close_answered(job.connection, job.kind, RELATIONS[job.kind][0])
    return resolved


def _find_changes(
    job: _Job, past: PastRun, seen: Extent, decisions: list[Decision]
) -> tuple[Versions, Changed, float, pl.DataFrame] | None:
    """What changed since the last linkage, the prior, and the records of newer decisions.

    None when the last linkage is not remembered, or when the city has grown so much that every score moves.
    """
    kind, connection = job.kind, job.connection
    if past.through_changed_at is None:
        return None
    reading = job.beside.submit(read_records, connection, kind, since=past.through_changed_at)
    before = job.memory.recall(kind, past.run_id)
    read = reading.result()
    if before is None:
        return None
    changed = features_of(kind, read).select(before.features.columns)
    gone = before.features.select(KEY).clear()
    touched = is_among(before.features, changed.select(KEY))
    arrived = changed.height - int(touched.sum())
    if before.features.height + arrived != seen.records_count:
        gone = before.features.select(KEY).join(read_keys(connection, kind), on=KEY, how="anti")
    if before.features.height + arrived - gone.height != seen.records_count:
        return None
    decided = int(past.rules_digest.partition(":")[2])
    named = (read_named(connection, kind, up_to=decided), named_in(decisions))
    versions, hot = told_apart(kind, before.features, changed, gone, before.hot, named, touched)
    # A city's worth of memory less in use from here on.
    before = replace(before, features=before.features.clear())
    identifiers = [each.select(*KEY, "identifier") for each in (versions.unchanged, versions.new)]
    chance = prior_among(pl.concat(identifiers).with_columns(is_register=is_register(kind)))
    if chance != before.chance:
        return None
    job.memory.keep_changes(kind, job.run_id, before, changed, gone, hot)
    newly_decided = read_named(connection, kind, after=decided)
    return versions, find_changed(kind, versions), chance, newly_decided


def rules_digest(model: Model) -> str:
    """Fingerprint of everything but records and decisions that a linkage depends on."""
    rules = {
        "model": model.as_json(),
        "blocks": blocking.candidates_sql(model.kind),
        "faces": [
            *(faces.PHONE_NAMES, faces.BIRTH_FACTOR, faces.BIRTH_LEAST, faces.BIRTH_DAYS),
            faces.REGISTERS[model.kind],
        ],
        "features": [FEATURES_VERSION, faces.FEATURES[model.kind]],
        "comparisons": [comparisons.SINGLING[model.kind], TRAITS[model.kind], MOST_FACES],
        "thresholds": [thresholds.THRESHOLDS, thresholds.AMONG_RIVALS],
    }
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:32]
