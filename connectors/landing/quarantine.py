"""Refused rows: written by the landing, listed for people. The values stay in the table: no list shows them."""

from __future__ import annotations

from typing import Any

import psycopg

from connectors.contract import TableContract
from connectors.landing.names import REJECTS
from warehouse.database import Database

Connection = psycopg.Connection[tuple[Any, ...]]


# A row that the source delivers wrong again was not repaired there, nor made right by a newer contract. A repair by
# workbook stands beside such a source, and so does a waiver.
_IS_BACK = "q.status = 'repaired' and q.repaired_via <> 'workbook'"


def store_rejected(connection: Connection, table: TableContract, batch_id: int) -> None:
    """Move the batch's refused rows into the quarantine, in the caller's transaction.

    A row sent again as it was stays one entry that notes when it was last seen. It keeps its status, unless the source
    had repaired it and now delivers it wrong again: then it is open again.
    """
    values = {"system": table.system, "table": table.name, "batch": batch_id}
    connection.execute(
        f"""
insert into quarantine.decisions (rejected_id, from_state, to_state, via, decided_by, why, batch_id)
select distinct
    q.rejected_id, q.status, 'open', 'source', 'cityhub', 'the source delivered the row wrong again', %(batch)s
from quarantine.rejected_rows as q
inner join {REJECTS} as x on x.row_digest = q.row_digest
where q.system = %(system)s and q.table_name = %(table)s and {_IS_BACK}""".encode(),
        values,
    )
    connection.execute(
        f"""
insert into quarantine.rejected_rows as q (
    system, table_name, row_key, match_key, row_digest, payload, reasons, position, first_batch_id, last_batch_id
)
select distinct on (row_digest)
    %(system)s, %(table)s, row_key, match_key, row_digest, payload, reasons, position, %(batch)s, %(batch)s
from {REJECTS}
order by row_digest, position
on conflict (system, table_name, row_digest) do update set
    reasons = excluded.reasons, position = excluded.position, last_batch_id = excluded.last_batch_id,
    match_key = excluded.match_key, last_seen_at = now(),
    status = case when {_IS_BACK} then 'open' else q.status end""".encode(),
        values,
    )


def close_repaired(connection: Connection, table: TableContract, good_keys: str, batch_id: int) -> int:
    """Settle rows refused earlier whose key this batch brings in good order; how many. In the caller's transaction.

    `good_keys`: a query for these keys, as the quarantine writes them.
    """
    values = {"system": table.system, "table": table.name, "batch": batch_id}
    waiting = connection.execute(
        "select exists (select 1 from quarantine.rejected_rows where system = %(system)s and table_name = %(table)s"
        " and status in ('open', 'sent') and last_batch_id < %(batch)s and match_key is not null)",
        values,
    ).fetchone()
    # Comparing keys reads all of them, which most batches need not.
    if waiting is None or not waiting[0]:
        return 0
    closed = connection.execute(
        f"""
with good as (
    select q.rejected_id, q.status
    from quarantine.rejected_rows as q
    where q.system = %(system)s and q.table_name = %(table)s and q.status in ('open', 'sent')
        and q.last_batch_id < %(batch)s
        and q.match_key in ({good_keys})
),
closed as (
    update quarantine.rejected_rows as q
    set status = 'repaired', repaired_via = 'source', repaired_key = q.match_key
    from good where q.rejected_id = good.rejected_id
)
insert into quarantine.decisions (rejected_id, from_state, to_state, via, decided_by, why, batch_id)
select rejected_id, status, 'repaired', 'source', 'cityhub', 'the source delivered this key in good order', %(batch)s
from good""".encode(),
        values,
    )
    return closed.rowcount


def has_new_rejects(connection: Connection, table: TableContract) -> bool:
    """Whether a refused row of this batch is not yet in the quarantine, or now has other reasons."""
    row = connection.execute(
        f"""
select exists (
    select 1 from {REJECTS} as x
    where not exists (
        select 1 from quarantine.rejected_rows as q
        where q.system = %s and q.table_name = %s and q.row_digest = x.row_digest and q.reasons = x.reasons
    )
)""".encode(),
        [table.system, table.name],
    ).fetchone()
    return row is None or bool(row[0])


def list_rejected(
    db: Database,
    system: str | None = None,
    table: str | None = None,
    limit: int = 100,
    status: str | None = None,
) -> list[dict[str, Any]]:
    """Refused rows, newest first: where each came from and which rules it broke, without its values.

    Returns:
        Rows with id, system, table, key, rules (list of `rule(column)`), position, batch, status.
    """
    with db.psycopg("pipeline") as connection:
        rows = connection.execute(
            """
select
    rejected_id, system, table_name, row_key, position, last_batch_id, status,
    array(
        select reason ->> 'rule' || coalesce('(' || (reason ->> 'column') || ')', '')
        from jsonb_array_elements(coalesce(repair_reasons, reasons)) as reason
        where reason ->> 'severity' = 'reject'
    )
from quarantine.rejected_rows
where (%(system)s::text is null or system = %(system)s) and (%(table)s::text is null or table_name = %(table)s)
    and (%(status)s::text is null or status = %(status)s)
order by last_batch_id desc, rejected_id desc
limit %(limit)s""",
            {"system": system, "table": table, "status": status, "limit": limit},
        ).fetchall()
    names = ("id", "system", "table", "key", "position", "batch", "status", "rules")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    order = ("id", "system", "table", "key", "rules", "position", "batch", "status")
    return [{name: row[name] for name in order} for row in found]
