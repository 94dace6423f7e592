"""Refused rows: written by the landing, listed for people. The values stay in the table: no list shows them."""

from __future__ import annotations

from typing import Any

import psycopg

from connectors.contract import TableContract
from connectors.landing.names import REJECTS
from warehouse.database import Database

Connection = psycopg.Connection[tuple[Any, ...]]


def store_rejected(connection: Connection, table: TableContract, batch_id: int) -> None:
    """Move the batch's refused rows into the quarantine, in the caller's transaction.

    A row sent again as it was stays one entry that notes when it was last seen. It keeps its status: whether a waived
    or repaired row that comes back is open again is decided where it is worked on.
    """
    connection.execute(
        f"""
insert into quarantine.rejected_rows as q (
    system, table_name, row_key, row_digest, payload, reasons, position, first_batch_id, last_batch_id
)
select distinct on (row_digest)
    %(system)s, %(table)s, row_key, row_digest, payload, reasons, position, %(batch)s, %(batch)s
from {REJECTS}
order by row_digest, position
on conflict (system, table_name, row_digest) do update set
    reasons = excluded.reasons, position = excluded.position, last_batch_id = excluded.last_batch_id,
    last_seen_at = now()""".encode(),
        {"system": table.system, "table": table.name, "batch": batch_id},
    )


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
        Rows with system, table, key, rules (list of `rule(column)`), position, batch, status.
    """
    with db.psycopg("pipeline") as connection:
        rows = connection.execute(
            """
select
    system, table_name, row_key, position, last_batch_id, status,
    array(
        select reason ->> 'rule' || coalesce('(' || (reason ->> 'column') || ')', '')
        from jsonb_array_elements(reasons) as reason
        where reason ->> 'severity' = 'reject'
    )
from quarantine.rejected_rows
where (%(system)s::text is null or system = %(system)s) and (%(table)s::text is null or table_name = %(table)s)
    and (%(status)s::text is null or status = %(status)s)
order by last_batch_id desc, rejected_id desc
limit %(limit)s""",
            {"system": system, "table": table, "status": status, "limit": limit},
        ).fetchall()
    names = ("system", "table", "key", "position", "batch", "status", "rules")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    order = ("system", "table", "key", "rules", "position", "batch", "status")
    return [{name: row[name] for name in order} for row in found]
