"""Give every record its subject: by certified identifier first, else by the record's own earlier link, else a new one.

The rules for a record that carries certified identifier I and is linked to subject S (either may be missing):

    I known as T            → T. If S was another, uncertified subject that now has no record left, S merges into T.
    I new, S uncertified    → S adopts I: a better identifier arriving later keeps the id (law 4).
    I new, S has another    → a new subject for I; the record leaves S (its number was corrected to someone else's).
    I new, no S             → a new subject, one for all the records that carry I.
    no I, S there           → S stays: losing a number changes nobody's id.
    no I, no S              → a new subject of its own.

An id is derived from the first record it was minted for, so the same input gives the same ids (law 5), and is opaque:
it holds no part of a number or a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from warehouse.database import Database

_IDENTITY_LOCK = 724_310_117
_SQL = Path(__file__).with_name("resolve.sql").read_text(encoding="utf-8")

# Where each kind's records are, and the prefix of its ids.
KINDS: dict[str, tuple[str, str, str]] = {
    "resident": ("identity.int_person_records", "citizen_no_key", "R"),
    "enterprise": ("identity.int_enterprise_records", "enterprise_key", "E"),
}


@dataclass(frozen=True)
class Resolved:
    """What one resolution did, for one kind of subject.

    Attributes:
        records: records that speak of such a subject today.
        minted, adopted, merged, split: events written by this run.
        linked: links appended by this run.
    """

    records: int
    minted: int
    adopted: int
    merged: int
    split: int
    linked: int

    @property
    def changed(self) -> bool:
        """Whether this run appended anything."""
        return bool(self.linked or self.adopted or self.merged)


def resolve(database: Database, *, run_id: str) -> dict[str, Resolved]:
    """Link every record of the current state, in one transaction under one lock.

    Args:
        run_id: the run that the links and events are recorded under.

    Returns:
        What was done, per kind of subject.
    """
    results = {}
    with database.psycopg("pipeline") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [_IDENTITY_LOCK])
        for kind, (relation, key, prefix) in KINDS.items():
            results[kind] = _resolve_kind(connection, kind, relation, key, prefix, run_id)
    return results


def _resolve_kind(
    connection: psycopg.Connection[Any], kind: str, relation: str, key: str, prefix: str, run_id: str
) -> Resolved:
    for name, value in {"kind": kind, "prefix": prefix, "run_id": run_id}.items():
        connection.execute("select set_config(%s, %s, true)", [f"cityhub.{name}", value])
    connection.execute(
        f"""
        create temp table incoming on commit drop as
        select system, table_name, record_key, nullif({key}, '') as identifier from {relation}
        """
    )
    connection.execute(_SQL)
    counts = dict(
        connection.execute(
            "select event, count(*) from identity.events where run_id = %s and subject_kind = %s"
            " and event_id > (select before from events_before) group by event",
            [run_id, kind],
        ).fetchall()
    )
    row = connection.execute("select (select count(*) from incoming), (select count(*) from decided)").fetchone()
    assert row is not None
    connection.execute("drop table incoming, known, decided, newcomers, events_before")
    return Resolved(
        records=row[0],
        linked=row[1],
        **{event: counts.get(event, 0) for event in ("minted", "adopted", "merged", "split")},
    )
