"""Keys that come more than once in one batch: which row counts, and what becomes of the others.

What decides is the table's own order: the cursor column where it has one, the order of arrival in append tables
without one (a later drop knows better than an earlier one), nothing in other snapshots.

* Copies of the same content: append tables take them as the same event sent again (`unchanged`); elsewhere the first
  stays and the others are quarantined as `duplicate_row`.
* Differing rows, one of them later than the others: it counts. The earlier ones were true once: they are counted as
  updates, as if every version had come in a batch of its own.
* Differing rows and none the latest: nobody knows which is right. All of them are quarantined as `unique_key`, and raw
  keeps what it had for that key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from connectors.contract import TableContract
from connectors.contract.ddl import quote, quote_qualified, typed_columns
from connectors.landing.fresh import drop_key
from connectors.landing.names import REPEATS, SET_ASIDE, column_list, key_list, key_text, same_key

Connection = psycopg.Connection[tuple[Any, ...]]
# Rule a row is refused for, and its key as raw writes it.
Refused = tuple[str, str]


@dataclass(frozen=True)
class Repeats:
    """Rows taken out of the stage, by what they count as; `rejected` by their number of arrival."""

    unchanged: int = 0
    updated: int = 0
    rejected: dict[int, Refused] = field(default_factory=dict)


def settle_repeats(
    connection: Connection, table: TableContract, stage: str, columns: Sequence[str] | None = None
) -> Repeats:
    """Leave at most one row per key in the stage. `columns`: what it holds beside its bookkeeping, if not all."""
    name = quote_qualified(stage)
    found = connection.execute(
        f"select exists (select 1 from {name} group by {key_list(table)} having count(*) > 1)".encode()
    ).fetchone()
    if found is None or not found[0]:
        return Repeats()
    content = "s._content" if columns else column_list(table, "s")
    connection.execute(_fates(table, name, content).encode())
    columns = columns or [name for name, _ in typed_columns(table)]
    is_append = table.load_mode == "append"
    refused = {"contradiction": "unique_key"} if is_append else {"contradiction": "unique_key", "copy": "duplicate_row"}
    rejected = _refused(connection, table, name, refused)
    # Set aside rather than deleted: a batch that is held is kept whole.
    connection.execute(f"create temp table {SET_ASIDE} (like {name})".encode())
    connection.execute(
        f"with gone as (delete from {name} as s using {REPEATS} as r where s.ctid = r.tid and r.fate <> 'kept'"
        f" returning s.*, r.fate) insert into {SET_ASIDE} select {_listed(columns, 'gone')} from gone"
        " where fate <> all (%s)".encode(),
        [list(refused)],
    )
    counts: dict[str, int] = dict(
        connection.execute(f"select fate, count(*) from {REPEATS} group by fate".encode()).fetchall()
    )
    return Repeats(
        unchanged=counts.get("copy", 0) if is_append else 0,
        updated=counts.get("superseded", 0),
        rejected=rejected,
    )


def put_back(connection: Connection, table: TableContract, stage: str) -> None:
    """Return what was set aside to the stage of a batch that is held, which then holds its repeated keys again."""
    drop_key(connection, table, stage)
    there = connection.execute("select to_regclass(%s)", [f"pg_temp.{SET_ASIDE}"]).fetchone()
    if there is not None and there[0] is not None:
        columns = _listed([name for name, _ in typed_columns(table)])
        connection.execute(
            f"insert into {quote_qualified(stage)} ({columns}) select {columns} from {SET_ASIDE}".encode()
        )


def _fates(table: TableContract, stage: str, content: str) -> str:
    """`content`: what tells copies from other versions."""
    # The physical order of a table that was only copied into is the order of arrival.
    arrival = "s.ctid" if table.load_mode == "append" else "1"
    order = arrival if table.cursor is None else f"s.{quote(table.cursor)}"
    keys = key_list(table)
    latest_copy = "desc" if table.load_mode == "append" else "asc"
    return f"""
create temp table {REPEATS} as
with repeated as (
    select {keys} from {stage} group by {keys} having count(*) > 1
),
versions as (
    select s.ctid as tid, row({content}) as content, {order} as place, {key_list(table, "s")}
    from {stage} as s
    inner join repeated as k on {same_key(table, "s", "k")}
),
copies as (
    select *, row_number() over (partition by {keys}, content order by tid {latest_copy}) as copy from versions
),
placed as (
    select tid, {keys}, dense_rank() over (partition by {keys} order by place desc nulls last) as place
    from copies
    where copy = 1
),
judged as (
    select tid, place, count(*) filter (where place = 1) over (partition by {keys}) as at_top from placed
)
select
    c.tid,
    case
        when c.copy > 1 then 'copy'
        when j.at_top > 1 then 'contradiction'
        when j.place > 1 then 'superseded'
        else 'kept'
    end as fate
from copies as c
left join judged as j on j.tid = c.tid"""


def _refused(connection: Connection, table: TableContract, stage: str, rules: dict[str, str]) -> dict[int, Refused]:
    """The refused rows by their number of arrival: rule and key."""
    rows = connection.execute(
        f"select s._arrival, r.fate, {key_text(table, 's')} from {REPEATS} as r"
        f" inner join {stage} as s on s.ctid = r.tid where r.fate = any(%s)".encode(),
        [list(rules)],
    )
    return {int(arrival): (rules[fate], key) for arrival, fate, key in rows}


def _listed(columns: Sequence[str], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{quote(name)}" for name in (*columns, "_row_hash", "_arrival"))
