"""Give every record its subject: by certified identifier first, else with its cluster, else by its own earlier link.

The rules for a record with identifier I (its own certified one, or that of the certified subject its cluster belongs
to) that is linked to subject S (either may be missing):

    I known as T            → T. If S was another, uncertified subject that now has no record left, S merges into T.
    I new, S uncertified    → S adopts I: a better identifier arriving later keeps the id (law 4).
    I new, S has another    → a new subject for I; the record leaves S (its number was corrected to someone else's).
    I new, no S             → a new subject, one for all the records that carry I.
    no I, S there           → S stays, and with it the cluster: the oldest subject of a cluster's records is theirs.
    no I, no S              → a new subject, one for the cluster.

A subject that no record speaks of any more is retired; when one does again, it is restored: its id is nobody else's.
An id is derived from the first record it was minted for, so the same input gives the same ids (law 5), and is opaque:
it holds no part of a number or a name.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import psycopg

from identity.thresholds import STRICT
from warehouse.database import Database

_IDENTITY_LOCK = 724_310_117
_SQL = Path(__file__).with_name("resolve.sql").read_text(encoding="utf-8")

# Where each kind's records are, and the prefix of its ids.
KINDS: dict[str, tuple[str, str, str]] = {
    "resident": ("identity.int_person_records", "citizen_no_key", "R"),
    "enterprise": ("identity.int_enterprise_records", "enterprise_key", "E"),
}


# What can happen to an id (`identity.events`).
EVENTS = ("minted", "adopted", "merged", "split", "retired", "restored")

# What linkage found: records of clusters, and the identifier of the certified subject a cluster belongs to.
CLUSTERED = """
create temp table clustered (
    system text, table_name text, record_key text, cluster text, identifier text, method text,
    probability double precision, model_version text
) on commit drop
"""


# Of a cluster without a certified identifier, the old registration number that one of its records carries.
_OLD_NUMBER = """,
    case
        when c.cluster is not null then min(r.{key}) filter (where r.{key} like 'REG%') over (partition by c.cluster)
    end"""


# The links that records have now: of everybody, or looked up one by one.
_LINKED = "l.system, l.table_name, l.record_key, l.subject_id, l.link_id, l.method, l.probability"
_OF_ALL = f"select {_LINKED} from identity.current_links as l where l.subject_kind = %(kind)s"
_OF_TOUCHED = f"""
select {_LINKED} from touched as t
inner join lateral (
    select n.* from identity.links as n
    where
        n.record_key = t.record_key and n.table_name = t.table_name and n.system = t.system
        and n.subject_kind = %(kind)s
    order by n.link_id desc limit 1
) as l on true
"""
_OF_NOBODY = f"select {_LINKED} from identity.links as l where l.subject_kind = %(kind)s and false"


@dataclass(frozen=True)
class Resolved:
    """What one resolution did, for one kind of subject.

    Attributes:
        records: records that speak of such a subject today.
        minted, adopted, merged, split, retired, restored: events written by this run.
        linked: links appended by this run.
    """

    records: int
    minted: int
    adopted: int
    merged: int
    split: int
    linked: int
    retired: int = 0
    restored: int = 0

    def __add__(self, other: Resolved) -> Resolved:
        """Both together, of records that differ."""
        return Resolved(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))

    @property
    def changed(self) -> bool:
        """Whether this run appended anything."""
        return bool(self.linked or self.adopted or self.merged or self.retired or self.restored)


def lock(connection: psycopg.Connection[Any]) -> None:
    """One resolution at a time, until the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(%s)", [_IDENTITY_LOCK])


def resolve(database: Database, *, run_id: str) -> dict[str, Resolved]:
    """Link every record by certified identifiers and earlier links alone, in one transaction under one lock.

    Args:
        run_id: the run that the links and events are recorded under.

    Returns:
        What was done, per kind of subject.
    """
    results = {}
    with database.psycopg("pipeline") as connection:
        lock(connection)
        for kind in KINDS:
            connection.execute(CLUSTERED)
            results[kind] = resolve_kind(connection, kind, run_id)
    return results


def configure(connection: psycopg.Connection[Any], kind: str, run_id: str, *, is_first_load: bool) -> None:
    """Settings of this transaction that the statements read."""
    settings = {
        "kind": kind,
        "prefix": KINDS[kind][2],
        "run_id": run_id,
        "strict": str(STRICT),
        "is_first_load": "on" if is_first_load else "off",
    }
    for name, value in settings.items():
        connection.execute("select set_config(%s, %s, true)", [f"cityhub.{name}", value])


def resolve_kind(
    connection: psycopg.Connection[Any],
    kind: str,
    run_id: str,
    *,
    is_first_load: bool = False,
    only_touched: bool = False,
) -> Resolved:
    """Link the records of one kind.

    The temp table `clustered` (see `CLUSTERED`) says what belongs together. With `only_touched`, records that are not
    in the temp table `touched` are left where they are: whoever shares a cluster or a subject with one in it is in it
    too. On a first load the certified ones are linked already (`identity.first_load`).
    """
    relation, key, _ = KINDS[kind]
    old_number = _OLD_NUMBER.format(key=key) if kind == "enterprise" else ""
    configure(connection, kind, run_id, is_first_load=is_first_load)
    connection.execute("analyze clustered")
    connection.execute(
        f"""
        create temp table incoming on commit drop as
        select
            r.system, r.table_name, r.record_key,
            case
                when nullif(r.{key}, '') is null or r.{key} like 'REG%'
                then coalesce(c.identifier, nullif(r.{key}, ''){old_number})
                else r.{key}
            end as identifier,
            coalesce(c.cluster, concat_ws('|', r.system, r.table_name, r.record_key)) as cluster,
            c.cluster is not null as is_clustered,
            case
                when nullif(r.{key}, '') is null or (r.{key} like 'REG%' and c.identifier is not null)
                then coalesce(c.method, 'own_record')
                else 'certified'
            end as method,
            coalesce(c.probability, 1) as probability,
            c.model_version
        from {relation} as r
        left join clustered as c using (system, table_name, record_key)
        {"inner join touched using (record_key, table_name, system)" if only_touched else ""}
        {f"where nullif(r.{key}, '') is null or r.{key} like 'REG%'" if is_first_load else ""}
        """
    )
    held = _OF_NOBODY if is_first_load else _OF_TOUCHED if only_touched else _OF_ALL
    connection.execute(f"create temp table linked on commit drop as {held}", {"kind": kind})
    connection.execute("analyze linked")
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
    connection.execute(
        "drop table clustered, incoming, linked, known, kept, decided, newcomers, alive, concerned, events_before"
    )
    return Resolved(records=row[0], linked=row[1], **{event: counts.get(event, 0) for event in EVENTS})
