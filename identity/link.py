"""The linkage of a run: certified identifiers first, then the model for the rest, ids and ledgers in one transaction.

Nothing new, nothing to do: where no record, decision, model or rule has changed since the last linkage, it ends there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import psycopg

from identity import blocking, faces, thresholds
from identity.features.records import KEY, features_of
from identity.linkage import Settled, compare, faces_of, settle
from identity.model import KINDS, Kind, Model, load_model
from identity.resolve import Resolved, lock, resolve_kind
from identity.store import (
    extent,
    past_run,
    read_decisions,
    read_earlier,
    read_records,
    write_loose,
    write_pairs,
    write_run,
    write_settled,
)
from warehouse.database import Database

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


def link(database: Database, *, run_id: str, full: bool = False) -> dict[str, Linked]:
    """Link every record of the current state, in one transaction under one lock.

    Args:
        run_id: the run that links, events, pairs and questions are recorded under.
        full: compare everything anew, whatever has changed.
    """
    results: dict[str, Linked] = {}
    with database.psycopg("pipeline") as connection:
        lock(connection)
        for kind in KINDS:
            results[kind] = _link_kind(connection, kind, run_id, full)
    return results


def _link_kind(connection: psycopg.Connection[Any], kind: Kind, run_id: str, full: bool) -> Linked:
    model = load_model(kind)
    decisions, newest = read_decisions(connection, kind)
    digest = f"{rules_digest(model)}:{newest}"
    seen, past = extent(connection, kind), past_run(connection, kind)
    if past is not None and not full and past.rules_digest == digest:
        same = (past.records_count, past.through_changed_at) == (seen.records_count, seen.through_changed_at)
        if same:
            return Linked("unchanged", model.version, 0, 0, 0, _NOTHING)
    records = read_records(connection, kind)
    found = faces_of(model, features_of(kind, records), decisions)
    pairs = compare(model, found)
    write_pairs(connection, kind, run_id, model.version, pairs, all_=True, stale=records.select(KEY).clear())
    settled = settle(model, found, pairs, decisions, read_earlier(connection, kind))
    resolved = _write(connection, kind, run_id, settled)
    write_run(
        connection,
        kind,
        run_id,
        mode="full",
        engine="duckdb",
        version=model.version,
        digest=digest,
        seen=seen,
        compared=records.height,
        pairs=pairs.height,
    )
    return Linked("full", model.version, records.height, pairs.height, settled.review.height, resolved)


def _write(connection: psycopg.Connection[Any], kind: Kind, run_id: str, settled: Settled) -> Resolved:
    write_settled(connection, kind, run_id, settled)
    resolved = resolve_kind(connection, kind, run_id)
    write_loose(connection, kind, settled.loose)
    return resolved


def rules_digest(model: Model) -> str:
    """Fingerprint of everything but the records that a linkage depends on."""
    rules = {
        "model": model.as_json(),
        "blocks": blocking.candidates_sql(model.kind),
        "faces": [faces.PHONE_NAMES, faces.BIRTH_FACTOR, faces.BIRTH_LEAST, faces.FEATURES[model.kind]],
        "thresholds": thresholds.THRESHOLDS,
    }
    return hashlib.sha256(json.dumps(rules, sort_keys=True, default=list).encode()).hexdigest()[:32]
