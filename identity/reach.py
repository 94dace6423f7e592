"""How far a change reaches: every record whose cluster, subject or question may be another one because of it.

Two records stand in one reach where a pair, a decision, a subject or a certified identifier connects them, directly or
through others. Whatever a clustering decides, it decides inside one reach; the rest of the city keeps what it has.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import psycopg

from identity.features.records import KEY
from identity.model import Kind
from identity.queue import copy_rows
from identity.resolve import KINDS
from identity.store import read_frame

_TABLE = "create temp table {name} (system text, table_name text, record_key text) on commit drop"
# One step from the records of `frontier`. A subject connects whoever was ever linked to it: that can only widen the
# reach, and needs no look at which link is in force.
_STEP = """
with ends as (
    select p.right_system as system, p.right_table as table_name, p.right_key as record_key
    from frontier as f
    inner join identity.pairs as p
        on (p.left_key, p.left_table, p.left_system, p.subject_kind) = (f.record_key, f.table_name, f.system, %(kind)s)
    union
    select p.left_system, p.left_table, p.left_key
    from frontier as f
    inner join identity.pairs as p
        on (p.right_key, p.right_table, p.right_system, p.subject_kind)
        = (f.record_key, f.table_name, f.system, %(kind)s)
    union
    select d.right_system, d.right_table, d.right_key
    from frontier as f
    inner join identity.decisions as d
        on (d.left_key, d.left_table, d.left_system, d.subject_kind) = (f.record_key, f.table_name, f.system, %(kind)s)
    union
    select d.left_system, d.left_table, d.left_key
    from frontier as f
    inner join identity.decisions as d
        on (d.right_key, d.right_table, d.right_system, d.subject_kind)
        = (f.record_key, f.table_name, f.system, %(kind)s)
),

subjects as (
    select l.subject_id
    from frontier as f
    inner join identity.links as l
        on (l.record_key, l.table_name, l.system, l.subject_kind) = (f.record_key, f.table_name, f.system, %(kind)s)
    union
    select i.subject_id
    from frontier as f
    inner join {relation} as r
        on (r.record_key, r.table_name, r.system) = (f.record_key, f.table_name, f.system)
    inner join identity.identifiers as i on (i.identifier, i.subject_kind) = (r.{key}, %(kind)s)
),

found as (
    select system, table_name, record_key from ends
    union
    select l.system, l.table_name, l.record_key
    from subjects as s inner join identity.links as l on l.subject_id = s.subject_id
)

insert into next
select n.* from found as n
where not exists (
    select 1 from touched as t
    where (t.record_key, t.table_name, t.system) = (n.record_key, n.table_name, n.system)
)
"""


def reach(connection: psycopg.Connection[Any], kind: Kind, beside: pl.DataFrame, seeds: pl.DataFrame) -> pl.DataFrame:
    """`KEY` of every record that these ones reach, themselves included; left behind as the temp table `touched`.

    Args:
        beside: `KEY` and `face` of the records that share their face with others: what is true of one is true of all.
    """
    for name in ("touched", "frontier", "next"):
        connection.execute(_TABLE.format(name=name))
    connection.execute("create unique index on touched (record_key, table_name, system)")
    relation, key, _ = KINDS[kind]
    step = _STEP.format(relation=relation, key=key)
    reached, news = seeds.select(KEY).clear(), seeds.select(KEY).unique()
    while news.height:
        same = beside.join(beside.join(news, on=KEY, how="semi").select("face").unique(), on="face", how="semi")
        news = pl.concat([news, same.select(KEY)]).unique().join(reached, on=KEY, how="anti")
        reached = pl.concat([reached, news])
        # Looked up in the order of their keys, they are read page by page instead of all over the tables.
        news = news.sort("record_key", "table_name", "system")
        copy_rows(connection, "touched", KEY, news)
        connection.execute("truncate frontier, next")
        copy_rows(connection, "frontier", KEY, news)
        connection.execute("analyze frontier")
        connection.execute("analyze touched")
        connection.execute(step, {"kind": kind})
        news = read_frame(connection, "select system, table_name, record_key from next", KEY)
    connection.execute("drop table frontier, next")
    return reached


def forget_touched(connection: psycopg.Connection[Any]) -> None:
    """Drop what `reach` and `note_subjects` left behind."""
    connection.execute("drop table touched, touched_subjects")
