"""What linkage reads from the warehouse and writes to its ledgers, inside the transaction it is given."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import psycopg
from psycopg.rows import class_row

from identity.features.records import FIRM_INPUT, KEY, PERSON_INPUT
from identity.linkage import LOOSE_COLUMNS, PAIR_COLUMNS, SCORES, Decision, EarlierLink, Settled
from identity.model import Kind
from identity.queue import copy_rows, write_queue
from identity.resolve import CLUSTERED, KINDS

INPUT: dict[Kind, tuple[str, ...]] = {"resident": PERSON_INPUT, "enterprise": FIRM_INPUT}


@dataclass(frozen=True)
class Extent:
    """How much there is to link: rows, and the newest change among them."""

    records_count: int
    through_changed_at: datetime | None


@dataclass(frozen=True)
class PastRun:
    """What the newest linkage of a kind took in."""

    run_id: str
    model_version: str
    rules_digest: str
    records_count: int
    through_changed_at: datetime | None


def extent(connection: psycopg.Connection[Any], kind: Kind) -> Extent:
    """The records of a kind as they are now."""
    with connection.cursor(row_factory=class_row(Extent)) as cursor:
        row = cursor.execute(
            f"select count(*) as records_count, max(changed_at) as through_changed_at from {KINDS[kind][0]}"
        ).fetchone()
    assert row is not None
    return row


def past_run(connection: psycopg.Connection[Any], kind: Kind) -> PastRun | None:
    """The newest linkage of a kind."""
    with connection.cursor(row_factory=class_row(PastRun)) as cursor:
        return cursor.execute(
            "select run_id, model_version, rules_digest, records_count, through_changed_at"
            " from identity.linkage_runs where subject_kind = %s order by finished_at desc, run_id limit 1",
            [kind],
        ).fetchone()


def read_records(connection: psycopg.Connection[Any], kind: Kind, since: datetime | None = None) -> pl.DataFrame:
    """The records of a kind (`INPUT`), all of them or those changed after `since`."""
    columns = ", ".join(INPUT[kind])
    where = "" if since is None else " where changed_at > %s"
    return read_frame(
        connection, f"select {columns} from {KINDS[kind][0]}{where}", INPUT[kind], [] if since is None else [since]
    )


def read_keys(connection: psycopg.Connection[Any], kind: Kind) -> pl.DataFrame:
    """`KEY` of every record of a kind."""
    return read_frame(connection, f"select {', '.join(KEY)} from {KINDS[kind][0]}", KEY)


def read_frame(
    connection: psycopg.Connection[Any], query: str, columns: tuple[str, ...], parameters: list[Any] | None = None
) -> pl.DataFrame:
    """A query's rows by COPY, as text but for dates and probabilities; null and the empty text stay different."""
    buffer = io.BytesIO()
    with connection.cursor().copy(f"copy ({query}) to stdout (format csv)", parameters or None) as copy:
        for block in copy:
            buffer.write(block)
    schema: dict[str, Any] = dict.fromkeys(columns, pl.String)
    schema |= {name: pl.Date for name in ("birth_on",) if name in schema}
    schema |= {name: pl.Float64 for name in ("probability", "match_weight") if name in schema}
    if not buffer.tell():
        return pl.DataFrame(schema=schema)
    buffer.seek(0)
    return pl.read_csv(buffer, has_header=False, schema=schema)


def read_decisions(connection: psycopg.Connection[Any], kind: Kind) -> tuple[list[Decision], int]:
    """The decisions in force, and the newest decision's number."""
    rows = connection.execute(
        "select left_system, left_table, left_key, right_system, right_table, right_key, verdict, decision_id"
        " from identity.decisions_in_force where subject_kind = %s order by decision_id",
        [kind],
    ).fetchall()
    decisions = [Decision((row[0], row[1], row[2]), (row[3], row[4], row[5]), row[6]) for row in rows]
    return decisions, max((row[7] for row in rows), default=0)


def read_named(connection: psycopg.Connection[Any], kind: Kind, up_to: int) -> pl.DataFrame:
    """`KEY` of the records that decisions up to a number name."""
    query = """
        select left_system, left_table, left_key from identity.decisions
        where subject_kind = %s and decision_id <= %s
        union
        select right_system, right_table, right_key from identity.decisions
        where subject_kind = %s and decision_id <= %s
    """
    return read_frame(connection, query, KEY, [kind, up_to, kind, up_to])


def read_earlier(connection: psycopg.Connection[Any], kind: Kind) -> list[EarlierLink]:
    """Records that hold no certified identifier but whose subject does."""
    relation, key, _ = KINDS[kind]
    rows = connection.execute(
        f"""
        select l.system, l.table_name, l.record_key, i.identifier, l.probability
        from {relation} as r
        inner join identity.current_links as l
            on
                l.subject_kind = %s
                and (l.system, l.table_name, l.record_key) = (r.system, r.table_name, r.record_key)
        inner join identity.identifiers as i on i.subject_id = l.subject_id
        where (nullif(r.{key}, '') is null or r.{key} like 'REG%%') and i.identifier not like 'REG%%'
        order by 1, 2, 3
        """,
        [kind],
    ).fetchall()
    return [EarlierLink((row[0], row[1], row[2]), row[3], row[4]) for row in rows]


def read_pairs(connection: psycopg.Connection[Any], kind: Kind) -> pl.DataFrame:
    """The pairs in force (`SCORES`)."""
    return read_frame(
        connection, f"select {', '.join(SCORES)} from identity.pairs where subject_kind = %s", SCORES, [kind]
    )


def write_pairs(
    connection: psycopg.Connection[Any],
    kind: Kind,
    run_id: str,
    version: str,
    pairs: pl.DataFrame,
    *,
    stale: pl.DataFrame | None,
) -> None:
    """Put these pairs (`PAIR_COLUMNS`) in the place of those that name a stale record, or of all (`stale` None)."""
    if stale is None:
        connection.execute("delete from identity.pairs where subject_kind = %s", [kind])
    elif stale.height:
        connection.execute("create temp table stale (system text, table_name text, record_key text) on commit drop")
        copy_rows(connection, "stale", KEY, stale)
        connection.execute("analyze stale")
        for side in ("left", "right"):
            connection.execute(
                f"delete from identity.pairs as p using stale as s where p.subject_kind = %s"
                f" and (p.{side}_system, p.{side}_table, p.{side}_key) = (s.system, s.table_name, s.record_key)",
                [kind],
            )
        connection.execute("drop table stale")
    told = pairs.with_columns(subject_kind=pl.lit(kind), model_version=pl.lit(version), run_id=pl.lit(run_id))
    copy_rows(connection, "identity.pairs", ("subject_kind", *PAIR_COLUMNS, "model_version", "run_id"), told)


def write_settled(connection: psycopg.Connection[Any], kind: Kind, run_id: str, settled: Settled) -> None:
    """Fill the queue, and the temp table `clustered` that resolution reads."""
    write_queue(connection, kind, run_id, settled.review)
    connection.execute(CLUSTERED)
    copy_rows(connection, "clustered", tuple(settled.clustered.columns), settled.clustered)


def write_loose(connection: psycopg.Connection[Any], kind: Kind, loose: pl.DataFrame) -> None:
    """Which subjects statistics may count as one. Read after resolution: the rows name subjects by their records."""
    connection.execute("delete from identity.loose_groups where subject_kind = %s", [kind])
    if not loose.height:
        return
    columns = ", ".join(f"{name} {'double precision' if name == 'probability' else 'text'}" for name in LOOSE_COLUMNS)
    connection.execute(f"create temp table loose ({columns}) on commit drop")
    copy_rows(connection, "loose", LOOSE_COLUMNS, loose)
    connection.execute(
        """
        insert into identity.loose_groups (subject_kind, subject_id, loose_id, probability)
        select distinct on (mine.subject_id) %(kind)s, mine.subject_id, root.subject_id, l.probability
        from loose as l
        inner join identity.current_links as mine
            on
                mine.subject_kind = %(kind)s
                and (mine.system, mine.table_name, mine.record_key) = (l.system, l.table_name, l.record_key)
        inner join lateral (
            select i.subject_id from identity.identifiers as i
            where i.subject_kind = %(kind)s and i.identifier = l.root_identifier
            union all
            select c.subject_id from identity.current_links as c
            where
                l.root_identifier is null and c.subject_kind = %(kind)s
                and (c.system, c.table_name, c.record_key) = (l.root_system, l.root_table, l.root_key)
            limit 1
        ) as root on root.subject_id <> mine.subject_id
        order by mine.subject_id, l.probability desc, root.subject_id
        """,
        {"kind": kind},
    )
    connection.execute("drop table loose")


def write_run(
    connection: psycopg.Connection[Any],
    kind: Kind,
    run_id: str,
    *,
    mode: str,
    engine: str,
    version: str,
    digest: str,
    seen: Extent,
    compared: int,
    pairs: int,
) -> None:
    """Record what this linkage compared, and up to which change."""
    connection.execute(
        "insert into identity.linkage_runs (run_id, subject_kind, mode, engine, model_version, rules_digest,"
        " records_count, compared_records_count, pairs_count, through_changed_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [run_id, kind, mode, engine, version, digest, seen.records_count, compared, pairs, seen.through_changed_at],
    )
