"""What linkage reads from the warehouse and writes to its ledgers, inside the transaction it is given."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import psycopg
from psycopg.rows import class_row

from identity.features.records import DATES, FIRM_INPUT, KEY, PERSON_INPUT
from identity.linkage import LOOSE_COLUMNS, PAIR_COLUMNS, SCORES, Decision, EarlierLink, Settled
from identity.model import Kind
from identity.queue import copy_rows, write_queue
from identity.resolve import CLUSTERED, KINDS

_PART = 64 * 2**20
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
    parts = list(record_parts(connection, kind, since))
    return pl.concat(parts) if parts else pl.DataFrame(schema=input_schema(INPUT[kind]))


def record_parts(
    connection: psycopg.Connection[Any], kind: Kind, since: datetime | None = None
) -> Iterator[pl.DataFrame]:
    """The records of a kind in parts of 64 MB of text, the next one read while the caller looks at one.

    All records of a city as a frame, beside their features, would take twice the memory.
    """
    columns = INPUT[kind]
    where = "" if since is None else " where changed_at > %s"
    query = f"select {', '.join(columns)} from {KINDS[kind][0]}{where}"
    written = _written(connection, query, None if since is None else [since])
    with ThreadPoolExecutor(max_workers=1) as ahead:
        coming = ahead.submit(next, written, None)
        while (part := coming.result()) is not None:
            coming = ahead.submit(next, written, None)
            yield _parsed(part, columns)


def read_keys(connection: psycopg.Connection[Any], kind: Kind) -> pl.DataFrame:
    """`KEY` of every record of a kind."""
    return read_frame(connection, f"select {', '.join(KEY)} from {KINDS[kind][0]}", KEY)


def read_frame(
    connection: psycopg.Connection[Any], query: str, columns: tuple[str, ...], parameters: Any = None
) -> pl.DataFrame:
    """A query's rows by COPY, as text but for dates and probabilities; null and the empty text stay different."""
    parts = [_parsed(part, columns) for part in _written(connection, query, parameters)]
    return pl.concat(parts) if parts else pl.DataFrame(schema=input_schema(columns))


def _written(connection: psycopg.Connection[Any], query: str, parameters: Any) -> Iterator[bytes]:
    """A query's rows as CSV, in parts of whole rows."""
    rows: list[bytes] = []
    size = 0
    with connection.cursor().copy(f"copy ({query}) to stdout (format csv)", parameters or None) as copy:
        # The server sends one message per row.
        for row in copy:
            rows.append(bytes(row))
            size += len(row)
            if size >= _PART:
                yield b"".join(rows)
                rows, size = [], 0
    if rows:
        yield b"".join(rows)


def _parsed(part: bytes, columns: tuple[str, ...]) -> pl.DataFrame:
    return pl.read_csv(part, has_header=False, schema=input_schema(columns))


def input_schema(columns: tuple[str, ...]) -> dict[str, Any]:
    """Types of columns read from the warehouse: text, but for dates and probabilities."""
    schema: dict[str, Any] = dict.fromkeys(columns, pl.String)
    schema |= {name: pl.Date for name in DATES if name in schema}
    return schema | {name: pl.Float64 for name in ("probability", "match_weight") if name in schema}


def read_decisions(connection: psycopg.Connection[Any], kind: Kind) -> tuple[list[Decision], int]:
    """The decisions in force, and the newest decision's number."""
    rows = connection.execute(
        "select left_system, left_table, left_key, right_system, right_table, right_key, verdict, decision_id"
        " from identity.decisions_in_force where subject_kind = %s order by decision_id",
        [kind],
    ).fetchall()
    decisions = [Decision((row[0], row[1], row[2]), (row[3], row[4], row[5]), row[6]) for row in rows]
    return decisions, max((row[7] for row in rows), default=0)


def read_named(
    connection: psycopg.Connection[Any], kind: Kind, *, up_to: int | None = None, after: int = 0
) -> pl.DataFrame:
    """`KEY` of the records that decisions name, those up to or after a number."""
    where = "where subject_kind = %(kind)s and decision_id > %(after)s and (%(up_to)s::bigint is null"
    where += " or decision_id <= %(up_to)s::bigint)"
    query = f"""
        select left_system, left_table, left_key from identity.decisions {where}
        union
        select right_system, right_table, right_key from identity.decisions {where}
    """
    return read_frame(connection, query, KEY, {"kind": kind, "up_to": up_to, "after": after})


# The link in force of one record: of a few records looked up one by one, of all of them from the view.
_NEWEST = """
inner join lateral (
    select n.subject_id, n.probability from identity.links as n
    where
        n.record_key = {0}.record_key and n.table_name = {0}.table_name and n.system = {0}.system
        and n.subject_kind = %(kind)s
    order by n.link_id desc limit 1
) as l on true
"""
_CURRENT = """
inner join identity.current_links as l
    on l.subject_kind = %(kind)s and (l.system, l.table_name, l.record_key) = (r.system, r.table_name, r.record_key)
"""


def read_earlier(connection: psycopg.Connection[Any], kind: Kind, *, only_touched: bool = False) -> list[EarlierLink]:
    """Records that hold no certified identifier but whose subject does."""
    relation, key, _ = KINDS[kind]
    links = "inner join touched as t using (record_key, table_name, system)" + _NEWEST.format("r")
    rows = connection.execute(
        f"""
        select r.system, r.table_name, r.record_key, i.identifier, l.probability
        from {relation} as r
        {links if only_touched else _CURRENT}
        inner join identity.identifiers as i on i.subject_id = l.subject_id
        where (nullif(r.{key}, '') is null or r.{key} like 'REG%%') and i.identifier not like 'REG%%'
        order by 1, 2, 3
        """,
        {"kind": kind},
    ).fetchall()
    return [EarlierLink((row[0], row[1], row[2]), row[3], row[4]) for row in rows]


def note_subjects(connection: psycopg.Connection[Any], kind: Kind) -> None:
    """Add the subjects that the touched records have now to the temp table `touched_subjects`."""
    connection.execute("create temp table if not exists touched_subjects (subject_id text) on commit drop")
    connection.execute(
        "insert into touched_subjects select distinct l.subject_id from touched as t" + _NEWEST.format("t"),
        {"kind": kind},
    )


def read_pairs(connection: psycopg.Connection[Any], kind: Kind) -> pl.DataFrame:
    """The pairs in force between touched records (`SCORES`): a pair is touched with both its ends or not at all."""
    columns = ", ".join(f"p.{name}" for name in SCORES)
    query = f"""
        select {columns} from touched as t
        inner join identity.pairs as p
            on (p.left_key, p.left_table, p.left_system, p.subject_kind)
            = (t.record_key, t.table_name, t.system, %s)
    """
    return read_frame(connection, query, SCORES, [kind])


def count_pairs(connection: psycopg.Connection[Any], kind: Kind) -> int:
    """How many pairs are in force."""
    row = connection.execute("select count(*) from identity.pairs where subject_kind = %s", [kind]).fetchone()
    assert row is not None
    return int(row[0])


def count_asked(connection: psycopg.Connection[Any], kind: Kind) -> int:
    """How many pairs the queue asks about."""
    row = connection.execute(
        "select count(*) from identity.review_items"
        " where subject_kind = %s and state = 'open' and reason in ('between', 'conflict')",
        [kind],
    ).fetchone()
    assert row is not None
    return int(row[0])


def write_pairs(
    connection: psycopg.Connection[Any], kind: Kind, run_id: str, version: str, pairs: pl.DataFrame
) -> None:
    """Put these pairs (`PAIR_COLUMNS`) in the place of all."""
    connection.execute("delete from identity.pairs where subject_kind = %s", [kind])
    _append_pairs(connection, kind, run_id, version, pairs)


def replace_pairs(
    connection: psycopg.Connection[Any], kind: Kind, run_id: str, version: str, pairs: pl.DataFrame, stale: pl.DataFrame
) -> pl.DataFrame:
    """Put these pairs in the place of those that name a stale record; returns `KEY` of whom they named beside."""
    partners = [stale.select(KEY).clear()]
    connection.execute("create temp table stale (system text, table_name text, record_key text) on commit drop")
    copy_rows(connection, "stale", KEY, stale)
    connection.execute("analyze stale")
    for side, other in (("left", "right"), ("right", "left")):
        rows = connection.execute(
            f"delete from identity.pairs as p using stale as s where p.subject_kind = %s"
            f" and (p.{side}_key, p.{side}_table, p.{side}_system) = (s.record_key, s.table_name, s.system)"
            f" returning p.{other}_system, p.{other}_table, p.{other}_key",
            [kind],
        ).fetchall()
        partners.append(pl.DataFrame(rows, schema=dict.fromkeys(KEY, pl.String), orient="row"))
    connection.execute("drop table stale")
    _append_pairs(connection, kind, run_id, version, pairs)
    return pl.concat(partners).unique()


def _append_pairs(
    connection: psycopg.Connection[Any], kind: Kind, run_id: str, version: str, pairs: pl.DataFrame
) -> None:
    told = pairs.with_columns(subject_kind=pl.lit(kind), model_version=pl.lit(version), run_id=pl.lit(run_id))
    copy_rows(connection, "identity.pairs", ("subject_kind", *PAIR_COLUMNS, "model_version", "run_id"), told)


def write_settled(
    connection: psycopg.Connection[Any], kind: Kind, run_id: str, settled: Settled, *, only_touched: bool = False
) -> None:
    """Fill the queue, and the temp table `clustered` that resolution reads."""
    write_queue(connection, kind, run_id, settled.review, only_touched=only_touched)
    connection.execute(CLUSTERED)
    copy_rows(connection, "clustered", tuple(settled.clustered.columns), settled.clustered)


# On a first load every record has one link, and no index to look it up by.
_ONLY = """
inner join identity.links as l
    on l.subject_kind = %(kind)s and (l.record_key, l.table_name, l.system) = (o.record_key, o.table_name, o.system)
left join identity.links as c
    on
        o.root_identifier is null and c.subject_kind = %(kind)s
        and (c.record_key, c.table_name, c.system) = (o.root_key, o.root_table, o.root_system)
"""
_ANY = f"""
{_NEWEST.format("o")}
left join lateral (
    select n.subject_id from identity.links as n
    where
        o.root_identifier is null and n.subject_kind = %(kind)s
        and (n.record_key, n.table_name, n.system) = (o.root_key, o.root_table, o.root_system)
    order by n.link_id desc limit 1
) as c on true
"""


def write_loose(
    connection: psycopg.Connection[Any],
    kind: Kind,
    loose: pl.DataFrame,
    *,
    is_first_load: bool = False,
    only_touched: bool = False,
) -> None:
    """Which subjects statistics may count as one. Read after resolution: the rows name subjects by their records."""
    where = ""
    if only_touched:
        note_subjects(connection, kind)
        where = " and subject_id in (select subject_id from touched_subjects)"
    connection.execute(f"delete from identity.loose_groups where subject_kind = %s{where}", [kind])
    if not loose.height:
        return
    columns = ", ".join(f"{name} {'double precision' if name == 'probability' else 'text'}" for name in LOOSE_COLUMNS)
    connection.execute(f"create temp table loose ({columns}) on commit drop")
    copy_rows(connection, "loose", LOOSE_COLUMNS, loose)
    connection.execute("analyze loose")
    if is_first_load:
        # Nothing is known yet of ledgers just written: guessed to match one row, they would be read whole for each.
        connection.execute("set local enable_nestloop = off")
    connection.execute(
        f"""
        insert into identity.loose_groups (subject_kind, subject_id, loose_id, probability)
        select distinct on (l.subject_id)
            %(kind)s, l.subject_id, coalesce(i.subject_id, c.subject_id), o.probability
        from loose as o
        {_ONLY if is_first_load else _ANY}
        left join identity.identifiers as i on i.subject_kind = %(kind)s and i.identifier = o.root_identifier
        where coalesce(i.subject_id, c.subject_id) <> l.subject_id
        order by l.subject_id, o.probability desc, coalesce(i.subject_id, c.subject_id)
        """,
        {"kind": kind},
    )
    connection.execute("set local enable_nestloop = on")
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
