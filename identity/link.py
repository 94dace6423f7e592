"""The linkage of a run: certified identifiers first, then the model for the rest, ids and ledgers in one transaction.

Nothing new, nothing to do: where no record, decision, model or rule has changed since the last linkage, it ends there.
Where some have, only their faces are compared, with the faces they share a block with; the pairs in force are then the
same as if everything had been compared anew, and clusters are always made from all pairs in force.
"""

from __future__ import annotations

import hashlib
import json
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
from identity.linkage import Decision, compare, faces_of, settle
from identity.memory import Memory
from identity.model import KINDS, Kind, Model, load_model
from identity.nodes import TRAITS
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
class _Work:
    """What one kind has to compare: its faces, and the records whose old pairs no longer count (None: all)."""

    features: pl.DataFrame
    faces: Faces
    stale: pl.DataFrame | None


def link(
    database: Database, *, run_id: str, home: Path, full: bool = False, engine: Engine = "duckdb"
) -> dict[str, Linked]:
    """Link every record of the current state, in one transaction under one lock.

    Args:
        run_id: the run that links, events, pairs and questions are recorded under.
        home: the hub's home, where linkage remembers features.
        full: compare everything anew, whatever has changed.
        engine: what scores the pairs; the result is the same.
    """
    results: dict[str, Linked] = {}
    memory = Memory(home)
    with database.psycopg("pipeline") as connection:
        lock(connection)
        for kind in KINDS:
            results[kind] = _link_kind(connection, memory, kind, run_id, full, engine)
    for kind in KINDS:
        if results[kind].mode != "unchanged":
            memory.forget(kind, but=run_id)
    return results


def _link_kind(
    connection: psycopg.Connection[Any], memory: Memory, kind: Kind, run_id: str, full: bool, engine: Engine
) -> Linked:
    model = load_model(kind)
    decisions, newest = read_decisions(connection, kind)
    digest = f"{rules_digest(model)}:{newest}"
    seen, past = extent(connection, kind), None if full else past_run(connection, kind)
    if past is not None and past.rules_digest == digest and _same(past, seen):
        return Linked("unchanged", model.version, 0, 0, 0, _NOTHING)
    work = None
    if past is not None and past.rules_digest.partition(":")[0] == digest.partition(":")[0]:
        work = _incremental(connection, memory, model, past, seen, decisions)
    if work is None:
        features = features_of(kind, read_records(connection, kind))
        work = _Work(features, faces_of(model, features, decisions), None)
    memory.keep(kind, run_id, work.features)
    scored = compare(model, work.faces, engine)
    write_pairs(connection, kind, run_id, model.version, scored, stale=work.stale)
    pairs = scored if work.stale is None else read_pairs(connection, kind)
    settled = settle(model, work.faces, pairs, decisions, read_earlier(connection, kind))
    write_settled(connection, kind, run_id, settled)
    # Only what changed may move, unless everything was compared anew.
    since = past.through_changed_at if past is not None and work.stale is not None else None
    resolved = resolve_kind(connection, kind, run_id, since)
    write_loose(connection, kind, settled.loose)
    mode = "full" if work.stale is None else "incremental"
    compared = work.features.height if work.stale is None else work.stale.height
    write_run(
        connection,
        kind,
        run_id,
        mode=mode,
        engine=engine,
        version=model.version,
        digest=digest,
        seen=seen,
        compared=compared,
        pairs=pairs.height,
    )
    return Linked(mode, model.version, compared, pairs.height, settled.review.height, resolved)


def _same(past: PastRun, seen: Extent) -> bool:
    return (past.records_count, past.through_changed_at) == (seen.records_count, seen.through_changed_at)


def _incremental(
    connection: psycopg.Connection[Any],
    memory: Memory,
    model: Model,
    past: PastRun,
    seen: Extent,
    decisions: list[Decision],
) -> _Work | None:
    """What to compare when the last linkage is remembered; None when everything has to be."""
    kind = model.kind
    remembered = memory.recall(kind, past.run_id)
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
