"""The ledger of landing: one loader per table at a time, a row per batch, the state of every source table.

Only counts, cursors and reasons without row values are written here.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from connectors.contract import TableContract
from connectors.contract.ddl import quote_qualified
from connectors.landing.model import Allowance, LandingResult
from warehouse.errors import TransientError

Connection = psycopg.Connection[tuple[Any, ...]]

# The server notices a killed loader when its socket closes: a moment, but not at once.
LOCK_SECONDS = 5.0

_LOCK = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
_HOLDER = """
select a.pid, host(a.client_addr), b.run_id, b.started_at
from pg_locks as l
inner join pg_stat_activity as a on a.pid = l.pid
left join ops.batches as b on b.system = %s and b.table_name = %s and b.state = 'loading'
where l.locktype = 'advisory' and l.granted
    and l.database = (select oid from pg_database where datname = current_database())
    and ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(%s, 0)
order by b.batch_id desc
limit 1
"""
_STATE = """
insert into ops.source_states as s (
    system, table_name, state, state_since, cursor, as_of, last_batch_id, last_admitted_batch_id,
    content_version, last_error, freshness_hours, swept_on, new_columns
)
values (
    %(system)s, %(table)s, %(state)s, now(), %(cursor)s, %(as_of)s, %(batch_id)s,
    case when %(admitted)s then %(batch_id)s::bigint end, %(moved)s::int, %(reason)s, %(freshness)s,
    %(swept_on)s, coalesce(%(new_columns)s::text[], '{}')
)
on conflict (system, table_name) do update set
    state = excluded.state,
    state_since = case when s.state = excluded.state then s.state_since else excluded.state_since end,
    cursor = coalesce(excluded.cursor, s.cursor),
    as_of = coalesce(excluded.as_of, s.as_of),
    last_batch_id = excluded.last_batch_id,
    last_admitted_batch_id = coalesce(excluded.last_admitted_batch_id, s.last_admitted_batch_id),
    content_version = s.content_version + %(moved)s::int,
    last_error = excluded.last_error,
    freshness_hours = excluded.freshness_hours,
    swept_on = coalesce(excluded.swept_on, s.swept_on),
    new_columns = coalesce(%(new_columns)s::text[], s.new_columns)
"""
_FINISH = """
update ops.batches set
    state = %(state)s, finished_at = now(), read_count = %(read)s, inserted_count = %(inserted)s,
    updated_count = %(updated)s, unchanged_count = %(unchanged)s, deleted_count = %(deleted)s,
    quarantined_count = %(quarantined)s, rejected_count = %(rejected)s, cursor_to = %(cursor)s, as_of = %(as_of)s,
    reason = %(reason)s, new_columns = coalesce(%(new_columns)s::text[], '{}')
where batch_id = %(batch_id)s
"""
_COUNTS = ("read", "inserted", "updated", "unchanged", "deleted", "quarantined", "rejected")


@dataclass(frozen=True)
class SourceState:
    """How far a table is admitted."""

    cursor: str | None = None
    as_of: datetime | None = None
    swept_on: date | None = None

    def is_sweep_due(self, table: TableContract, business_date: date | None) -> bool:
        """Whether the table is to be pulled whole: no row that changed or vanished unseen stays so for longer.

        By the day the run speaks of, not by a clock: the same run again does the same.
        """
        if table.sweep_every_days is None or business_date is None or self.cursor is None:
            return False
        return self.swept_on is None or self.swept_on + timedelta(days=table.sweep_every_days) <= business_date


@contextmanager
def table_lock(connection: Connection, table: TableContract) -> Iterator[None]:
    """One loader per table; the lock ends with the session, so a killed loader leaves none.

    Raises:
        TransientError: another loader is at this table.
    """
    name = f"cityhub landing {table.qualified_name}"
    deadline = time.monotonic() + LOCK_SECONDS
    while not _one(connection, _LOCK, [name])[0]:
        connection.rollback()
        if time.monotonic() > deadline:
            holder = connection.execute(_HOLDER, [table.system, table.name, name]).fetchone()
            raise TransientError(
                "Another loader is at work on this table.",
                where=f"{table.qualified_name}, held by {_told(holder)}",
                expected="one loader per table at a time",
                do="wait until it has ended; if its process is gone, end that database process",
            )
        time.sleep(0.1)
    connection.commit()
    try:
        yield
    finally:
        # A session that is gone has let go of the lock already.
        with suppress(psycopg.OperationalError):
            connection.rollback()
            connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [name])
            connection.commit()


def _told(holder: tuple[Any, ...] | None) -> str:
    """Who holds the lock: the database process, from where, and the run that its batch belongs to."""
    if holder is None:
        return "a loader that just ended"
    pid, address, run_id, started_at = holder
    run = "" if run_id is None else f"run {run_id} (loading since {started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC), "
    return f"{run}database process {pid}{f' from {address}' if address else ''}"


def open_batch(connection: Connection, table: TableContract, run_id: str, cursor: str | None) -> int:
    """Write the batch's ledger row; close those of loaders that died on this table. Commits."""
    connection.execute(
        "update ops.batches set state = 'failed', finished_at = now(), reason = 'interrupted before it was merged'"
        " where system = %s and table_name = %s and state = 'loading'",
        [table.system, table.name],
    )
    batch_id = _one(
        connection,
        "insert into ops.batches (run_id, system, table_name, load_mode, cursor_from, contract_version)"
        " values (%s, %s, %s, %s, %s, %s) returning batch_id",
        [run_id, table.system, table.name, table.load_mode, cursor, table.version],
    )[0]
    connection.commit()
    return int(batch_id)


def current_state(connection: Connection, table: TableContract) -> SourceState:
    """What the last admitted batch left."""
    row = connection.execute(
        "select cursor, as_of, swept_on from ops.source_states where system = %s and table_name = %s",
        [table.system, table.name],
    ).fetchone()
    return SourceState() if row is None else SourceState(*row)


def last_admitted_version(connection: Connection, table: TableContract) -> str | None:
    """The contract version under which raw was last written or found unchanged, None before the first time."""
    row = connection.execute(
        "select b.contract_version from ops.source_states as s"
        " inner join ops.batches as b on b.batch_id = s.last_admitted_batch_id"
        " where s.system = %s and s.table_name = %s and s.state = 'admitted'",
        [table.system, table.name],
    ).fetchone()
    return None if row is None else str(row[0])


def record(connection: Connection, table: TableContract, result: LandingResult, *, moved: bool = False) -> None:
    """Write a finished batch into ledger and source state, in the caller's transaction.

    `moved`: whether rows of raw were written, so that downstream has work to do.
    """
    values = {
        "state": result.state,
        "read": result.read,
        "inserted": result.inserted,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "deleted": result.deleted,
        "quarantined": result.quarantined,
        "rejected": result.rejected,
        "cursor": result.cursor,
        "as_of": result.as_of,
        "reason": result.reason,
        "batch_id": result.batch_id,
        "new_columns": None if result.new_columns is None else list(result.new_columns),
    }
    connection.execute(_FINISH, values)
    admitted = result.state == "admitted"
    state = {
        **values,
        "system": table.system,
        "table": table.name,
        "admitted": admitted,
        "state": "stale" if result.state == "failed" or result.broken else result.state,
        "cursor": result.cursor if admitted else None,
        "as_of": result.as_of if admitted else None,
        "reason": result.broken if admitted else result.reason,
        "moved": moved,
        "freshness": table.freshness_hours,
        "swept_on": result.swept_on if admitted else None,
    }
    connection.execute(_STATE, state)


def record_replay(connection: Connection, table: TableContract, result: LandingResult, *, moved: bool) -> None:
    """Write a finished batch of rows replayed from the quarantine, in the caller's transaction.

    State, cursor and last batch of the source stay: a replay says nothing about the source. Downstream learns that
    rows moved.
    """
    values = {name: getattr(result, name) for name in _COUNTS}
    connection.execute(
        _FINISH,
        {
            **values,
            "state": result.state,
            "cursor": None,
            "as_of": None,
            "reason": result.reason,
            "batch_id": result.batch_id,
            "new_columns": None,
        },
    )
    if moved:
        connection.execute(
            "update ops.source_states set content_version = content_version + 1 where system = %s and table_name = %s",
            [table.system, table.name],
        )


def taken_drops(connection: Connection, table: TableContract) -> frozenset[date]:
    """Days whose drop an admitted batch of the append table took."""
    found = connection.execute(
        "select drop_on from ops.taken_drops where system = %s and table_name = %s", [table.system, table.name]
    ).fetchall()
    return frozenset(day for (day,) in found)


def take_drops(connection: Connection, table: TableContract, batch_id: int, days: Collection[date]) -> None:
    """Note the drops of a batch that is being admitted, in its transaction. The first batch keeps a drop."""
    connection.execute(
        "insert into ops.taken_drops (system, table_name, drop_on, batch_id)"
        " select %s, %s, drop_on, %s from unnest(%s::date[]) as drop_on on conflict do nothing",
        [table.system, table.name, batch_id, sorted(days)],
    )


def note_allowance(
    connection: Connection, table: TableContract, batch_id: int, allowance: Allowance, *, gone: int, before: int
) -> None:
    """Keep on record who let a batch shrink its table, in the transaction that merges it."""
    connection.execute(
        "insert into ops.allowances (batch_id, system, table_name, gone_count, before_count, allowed_by, why)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [batch_id, table.system, table.name, gone, before, allowance.by, allowance.why],
    )


def keep_stage(connection: Connection, table: TableContract, stage: str, batch_id: int) -> None:
    """Keep a held batch whole as `quarantine.held_batch_<id>`, and of its table only this newest one."""
    older = connection.execute(
        "select batch_id from ops.batches where system = %s and table_name = %s and state = 'held' and batch_id < %s"
        " and to_regclass('quarantine.held_batch_' || batch_id) is not null",
        [table.system, table.name, batch_id],
    ).fetchall()
    for (old,) in older:
        connection.execute(f"drop table if exists quarantine.held_batch_{int(old)}".encode())
    schema = stage.split(".")[0]
    held = f"held_batch_{batch_id}"
    for statement in (
        f"alter table {quote_qualified(stage)} rename to {held}",
        f"alter table {quote_qualified(f'{schema}.{held}')} set schema quarantine",
        # Unlogged tables are emptied by a crash; what is held must outlive one.
        f"alter table quarantine.{held} set logged",
    ):
        connection.execute(statement.encode())


def _one(connection: Connection, statement: str, values: list[Any]) -> tuple[Any, ...]:
    row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row
