"""The review queue as linkage fills it: pairs between loose and normal, and pairs that a constraint refused.

A pair that two people have decided, or dispute, is left as it is; an open one follows the newest scores; one that is
no longer doubtful is superseded. Whether it was wrong to ask is for the opinions on record to say. A question that
somebody raised is open until people decide it, or until the records part or come together by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import psycopg

from identity.model import Kind

PAIR = ("left_system", "left_table", "left_key", "right_system", "right_table", "right_key")
COLUMNS = (*PAIR, "reason", "conflict", "probability", "match_weight")
# Rows made into text at a time.
_SLICE = 200_000

_UPSERT = f"""
insert into identity.review_items
(subject_kind, {", ".join(COLUMNS)}, waterfall, opened_run_id)
select
    %(kind)s, {", ".join(f"a.{name}" for name in COLUMNS)}, coalesce(p.waterfall, '[]'), %(run_id)s
from asked as a
left join identity.pairs as p
    on p.subject_kind = %(kind)s and ({", ".join(f"p.{c}" for c in PAIR)}) = ({", ".join(f"a.{c}" for c in PAIR)})
order by {", ".join(f"a.{c}" for c in PAIR)}
on conflict (subject_kind, {", ".join(PAIR)}) do update set
    reason = excluded.reason, conflict = excluded.conflict, probability = excluded.probability,
    match_weight = excluded.match_weight, waterfall = excluded.waterfall,
    state = 'open', closed_at = null
where
    review_items.state in ('open', 'superseded')
    -- A repair is asked about by whoever proposed it, for as long as it is proposed; and so is what somebody raised.
    and (review_items.reason not in ('repair', 'raised') or review_items.state = 'superseded')
    and (
        review_items.state, review_items.reason, review_items.conflict, review_items.match_weight,
        review_items.waterfall
    ) is distinct from ('open', excluded.reason, excluded.conflict, excluded.match_weight, excluded.waterfall)
"""
_SUPERSEDE = f"""
update identity.review_items as i set state = 'superseded', closed_at = now()
where
    i.subject_kind = %(kind)s and i.state = 'open' and i.reason in ('between', 'conflict')
    and not exists (select 1 from asked as a where ({", ".join(f"a.{c}" for c in PAIR)})
        = ({", ".join(f"i.{c}" for c in PAIR)}))
"""


_OF_TOUCHED = """
    and (
        (i.left_system, i.left_table, i.left_key) in (select system, table_name, record_key from touched)
        or (i.right_system, i.right_table, i.right_key) in (select system, table_name, record_key from touched)
    )
"""


# What has answered itself: a record is gone, or the two of a raised question stand as it wanted them to.
_CLOSE_ANSWERED = """
update identity.review_items as i set state = 'superseded', closed_at = now()
from (
    select o.item_id, q.asks, one.subject_id = other.subject_id as is_joined,
        exists (
            select 1 from {relation} as r
            where (r.system, r.table_name, r.record_key) = (o.left_system, o.left_table, o.left_key)
        ) and exists (
            select 1 from {relation} as r
            where (r.system, r.table_name, r.record_key) = (o.right_system, o.right_table, o.right_key)
        ) as is_there
    from identity.review_items as o
    left join lateral (
        select asked.asks from identity.raised_questions as asked
        where asked.item_id = o.item_id and o.reason = 'raised' and o.state = 'open'
        order by asked.question_id desc limit 1
    ) as q on true
    left join lateral (
        select l.subject_id from identity.links as l
        where
            (l.subject_kind, l.system, l.table_name, l.record_key)
            = (o.subject_kind, o.left_system, o.left_table, o.left_key)
        order by l.link_id desc limit 1
    ) as one on true
    left join lateral (
        select l.subject_id from identity.links as l
        where
            (l.subject_kind, l.system, l.table_name, l.record_key)
            = (o.subject_kind, o.right_system, o.right_table, o.right_key)
        order by l.link_id desc limit 1
    ) as other on true
    where
        o.subject_kind = %(kind)s and o.state in ('open', 'disputed') and (o.reason = 'raised' or o.state = 'disputed')
) as found
where
    i.item_id = found.item_id
    and (not found.is_there or (found.asks = 'together' and found.is_joined)
        or (found.asks = 'apart' and not found.is_joined))
"""


def close_answered(connection: psycopg.Connection[Any], kind: Kind, relation: str) -> None:
    """Close what nothing is left of to decide, after the links of this run are written.

    Args:
        relation: the records of the kind.
    """
    connection.execute(_CLOSE_ANSWERED.format(relation=relation), {"kind": kind})


def write_queue(
    connection: psycopg.Connection[Any], kind: Kind, run_id: str, items: pl.DataFrame, *, only_touched: bool = False
) -> None:
    """Ask about these pairs, and no longer about any other.

    Args:
        items: `COLUMNS`; what the weights are made of is read from `identity.pairs`.
        only_touched: questions about records outside the temp table `touched` stay as they are.
    """
    connection.execute(
        "create temp table asked (left_system text, left_table text, left_key text, right_system text,"
        " right_table text, right_key text, reason text, conflict text, probability double precision,"
        " match_weight double precision) on commit drop"
    )
    copy_rows(connection, "asked", COLUMNS, items)
    connection.execute("analyze asked")
    names = {"kind": kind, "run_id": run_id}
    # A few questions among a million pairs just written, which no statistics tell of: each looked up by its key.
    with one_by_one(connection):
        connection.execute(_UPSERT, names)
    connection.execute(_SUPERSEDE + (_OF_TOUCHED if only_touched else ""), names)
    connection.execute("drop table asked")


@contextmanager
def one_by_one(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Let joins be looked up by index, row by row: no table is read whole for them."""
    connection.execute("set local enable_hashjoin = off; set local enable_mergejoin = off")
    yield
    connection.execute("set local enable_hashjoin = on; set local enable_mergejoin = on")


def copy_rows(connection: psycopg.Connection[Any], table: str, columns: tuple[str, ...], rows: pl.DataFrame) -> None:
    """Append rows to a table by COPY; null and the empty text stay different."""
    with connection.cursor().copy(f"copy {table} ({', '.join(columns)}) from stdin (format csv)") as copy:
        for part in rows.select(columns).iter_slices(_SLICE):
            copy.write(part.write_csv(include_header=False, null_value="", quote_style="non_numeric"))
