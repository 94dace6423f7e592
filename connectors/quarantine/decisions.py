"""Decisions about rejected rows: the state of each and the append-only record of who moved it, when and why."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from typing import Any

import psycopg

from warehouse.database import Database
from warehouse.errors import PermanentError

Connection = psycopg.Connection[tuple[Any, ...]]
# Identity numbers of bigint; anything larger was typed wrongly.
_MOST_ID = 2**63 - 1


def person() -> str:
    """Who is at the keyboard, as the record names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def decide(
    connection: Connection,
    ids: Sequence[int],
    state: str,
    *,
    via: str,
    by: str,
    why: str,
    batch_id: int | None = None,
) -> int:
    """Move open and sent rows to `state`, on record; how many were moved. In the caller's transaction."""
    moved = connection.execute(
        """
with chosen as (
    select rejected_id, status from quarantine.rejected_rows
    where rejected_id = any(%(ids)s) and status in ('open', 'sent')
    for update
),
moved as (
    update quarantine.rejected_rows as q set status = %(state)s from chosen where q.rejected_id = chosen.rejected_id
)
insert into quarantine.decisions (rejected_id, from_state, to_state, via, decided_by, why, batch_id)
select rejected_id, status, %(state)s, %(via)s, %(by)s, %(why)s, %(batch)s from chosen""",
        {"ids": list(ids), "state": state, "via": via, "by": by, "why": why, "batch": batch_id},
    )
    return moved.rowcount


def waive(db: Database, ids: Sequence[int], *, why: str, by: str) -> int:
    """Accept that these rows stay out of raw. All of them or none.

    Raises:
        PermanentError: no reason is given, or an id is not of an open or sent row.
    """
    if not why.strip():
        raise PermanentError(
            "A waiver needs a reason.",
            where="option --why",
            expected="why the row may stay out, in words",
            do="say why; the record keeps it",
        )
    wanted = sorted({number for number in ids if 0 < number <= _MOST_ID})
    with db.psycopg("pipeline") as connection:
        moved = decide(connection, wanted, "waived", via="command", by=by, why=why.strip())
        if moved != len(set(ids)):
            connection.rollback()
            states = dict(
                connection.execute(
                    "select rejected_id, status from quarantine.rejected_rows where rejected_id = any(%s)", [wanted]
                ).fetchall()
            )
            raise _not_waivable(sorted(set(ids)), states)
    return moved


def _not_waivable(ids: Sequence[int], states: dict[int, str]) -> PermanentError:
    wrong = [
        f"{number} ({states.get(number, 'unknown')})" for number in ids if states.get(number) not in ("open", "sent")
    ]
    return PermanentError(
        f"{len(wrong)} of {len(ids)} rows cannot be waived; none was.",
        where=f"id {', '.join(wrong[:10])}{' …' if len(wrong) > 10 else ''}",
        expected="ids of rows that are open or sent",
        do="take the ids from `cityhub quarantine list --status open`",
    )
