"""From a settled stage to raw: what would change, and the change itself.

The plan is made before the gate is asked, so that the gate and the shrink guard judge what would happen, and so that a
batch that changes nothing costs one comparison and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from connectors.contract import TableContract
from connectors.contract.ddl import changed_index_ddl, quote, quote_qualified, typed_columns
from connectors.landing.fresh import become_raw
from connectors.landing.known import Known
from connectors.landing.names import (
    PLAN,
    REJECTS,
    VANISHED,
    column_list,
    key_list,
    key_text,
    same_key,
)

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Plan:
    """What merging the stage would do to raw.

    Attributes:
        staged: good rows in the stage.
        inserted: keys raw does not have, or has marked deleted.
        updated: keys whose content differs.
        deleted: keys of raw that a complete pull no longer brought.
        deferred: deletions not made because rejected rows without a readable key may be those very rows.
        before: rows of raw that are not marked deleted.
        present: keys to be written that raw has, marked deleted or not.
        rehashed: unchanged rows whose hash has another form by now (`content`).
        takes_place: raw is empty, and the stage becomes raw.
        replaces: raw is set aside for a new table, so all its rows count as deleted and all staged ones as inserted.
    """

    staged: int
    inserted: int
    updated: int
    deleted: int
    deferred: int
    before: int
    present: int
    rehashed: int = 0
    replaces: bool = False
    takes_place: bool = False

    @property
    def lost(self) -> int:
        """Rows the source no longer has, for the shrink guard."""
        return self.before - self.staged if self.replaces else self.deleted

    @property
    def unchanged(self) -> int:
        """Staged rows that raw already holds."""
        return self.staged - self.inserted - self.updated

    @property
    def after(self) -> int:
        """Rows of raw that would not be marked deleted."""
        return self.before + self.inserted - self.deleted

    @property
    def moves(self) -> bool:
        """Whether any row of raw would be written."""
        return self.inserted + self.updated + self.deleted > 0


def make_plan(
    connection: Connection,
    table: TableContract,
    stage: str,
    *,
    is_complete: bool,
    roll: str | None = None,
    known: Known | None = None,
) -> Plan:
    """Compare the stage with raw. Only rows to be written are noted, by their place in the stage.

    Equal hashes are equal rows. Of differing ones the values decide: the hash may only have another form.

    `roll`: the list of all good rows where only differing ones are staged; `known`: those that are not staged. With
    either, what vanished is noted already.
    """
    raw, staged = quote_qualified(table.qualified_name), quote_qualified(stage)
    first_key = quote(table.key[0])
    connection.execute(
        f"""
create temp table {PLAN} as
select
    s.ctid as tid, s._row_hash as hash, r.{first_key} is not null as is_present,
    r.{first_key} is null or r._deleted_at is not null as is_new,
    r._deleted_at is null and {_is_same(table)} as is_same
from {staged} as s
left join {raw} as r on {same_key(table, "s", "r")}
where r.{first_key} is null or r._deleted_at is not null or r._row_hash <> s._row_hash""".encode()
    )
    if is_complete and roll is None and known is None:
        _note_vanished(connection, table, raw, staged)
    deferred = _spare_refused(connection, table) if is_complete else 0
    live = f"(select count(*) from {raw} where _deleted_at is null)" if known is None else f"{known.live}::bigint"
    gone = f"(select count(*) from {VANISHED})" if is_complete else "0::bigint"
    row = connection.execute(
        f"select (select count(*) from {quote_qualified(roll or stage)}),"
        f" count(*) filter (where is_new), count(*) filter (where not is_new and not is_same),"
        f" {gone}, {live},"
        f" count(*) filter (where is_present and not is_same), count(*) filter (where is_same) from {PLAN}".encode()
    ).fetchone()
    assert row is not None
    count, inserted, updated, deleted, before, present, rehashed = (int(value) for value in row)
    staged_rows = count + (known.matched if known else 0)
    return Plan(staged_rows, inserted, updated, deleted, deferred, before, present, rehashed)


def plan_anew(connection: Connection, table: TableContract, stage: str) -> Plan:
    """Everything staged goes into a new table; the one that is there is set aside with all its rows."""
    raw, staged = quote_qualified(table.qualified_name), quote_qualified(stage)
    connection.execute(
        f"create temp table {PLAN} as"
        f" select s.ctid as tid, s._row_hash as hash, false as is_same from {staged} as s".encode()
    )
    connection.execute(f"create temp table {VANISHED} as select {key_list(table)} from {staged} limit 0".encode())
    row = connection.execute(
        f"select (select count(*) from {PLAN}), (select count(*) from {raw} where _deleted_at is null)".encode()
    ).fetchone()
    assert row is not None
    staged_rows, before = int(row[0]), int(row[1])
    return Plan(staged_rows, staged_rows, 0, before, 0, before, 0, replaces=True)


def plan_first(rows: int) -> Plan:
    """All of so many staged rows are new, and the stage takes raw's place."""
    return Plan(rows, rows, 0, 0, 0, 0, 0, takes_place=True)


def _note_vanished(connection: Connection, table: TableContract, raw: str, staged: str) -> None:
    connection.execute(
        f"""
create temp table {VANISHED} as
select {key_list(table, "r")}
from {raw} as r
where r._deleted_at is null and not exists (select 1 from {staged} as s where {same_key(table, "s", "r")})""".encode()
    )


def _spare_refused(connection: Connection, table: TableContract) -> int:
    """Strike from the keys that a complete pull did not bring those that are not gone; how many deletions must wait.

    A row that came but was refused is not gone; nor is the row that its department repaired by workbook while the
    source goes on delivering it wrong. Where refused rows carry no readable key, nobody can say which row
    each of them is, so nothing is marked deleted until they are repaired or waived.
    """
    connection.execute(
        f"""
delete from {VANISHED} as v
using (
    select match_key from {REJECTS}
    union
    select q.repaired_key
    from {REJECTS} as x
    inner join quarantine.rejected_rows as q on q.row_digest = x.row_digest
    where q.system = %s and q.table_name = %s and q.status = 'repaired'
) as x
where x.match_key = {key_text(table, "v")}""".encode(),
        [table.system, table.name],
    )
    unreadable = connection.execute(
        f"select exists (select 1 from {REJECTS} as x where x.match_key is null and not exists ("
        "  select 1 from quarantine.rejected_rows as q where q.system = %s and q.table_name = %s"
        "    and q.row_digest = x.row_digest and q.status in ('waived', 'repaired')))".encode(),
        [table.system, table.name],
    ).fetchone()
    if unreadable is None or not unreadable[0]:
        return 0
    deferred = connection.execute(f"delete from {VANISHED}".encode()).rowcount
    return int(deferred)


def merge(connection: Connection, table: TableContract, stage: str, batch_id: int, plan: Plan) -> None:
    """Write the plan into raw, in the caller's transaction. Rows that did not change are not touched."""
    raw, staged = quote_qualified(table.qualified_name), quote_qualified(stage)
    if plan.takes_place:
        become_raw(connection, table, stage, batch_id)
        return
    if plan.moves:
        connection.execute(changed_index_ddl(table).encode())
    if plan.inserted or plan.updated:
        # Looking for conflicts costs 15 % of a first load, which has none.
        on_conflict = _on_conflict(table) if plan.present else ""
        connection.execute(
            f"""
insert into {raw} ({column_list(table)}, _batch_id, _row_hash, _first_batch_id, _changed_at, _deleted_at)
select {column_list(table, "s")}, {batch_id}, p.hash, {batch_id}, now(), null
from {PLAN} as p
inner join {staged} as s on s.ctid = p.tid
where not p.is_same
{on_conflict}""".encode()
        )
    if plan.rehashed:
        connection.execute(
            f"update {raw} as r set _row_hash = p.hash from {PLAN} as p"
            f" inner join {staged} as s on s.ctid = p.tid where p.is_same and {same_key(table, 's', 'r')}".encode()
        )
    if plan.deleted:
        connection.execute(
            f"update {raw} as r set _deleted_at = now(), _changed_at = now(), _batch_id = {batch_id}"
            f" from {VANISHED} as v where {same_key(table, 'v', 'r')}".encode()
        )


def _is_same(table: TableContract) -> str:
    """Whether a staged row `s` and a raw row `r` of its key hold the same values."""
    keys = set(table.key)
    names = [quote(name) for name, _ in typed_columns(table) if name not in keys]
    pairs = [", ".join(f"{alias}.{name}" for name in names) for alias in ("r", "s")]
    first = f"r.{quote(table.key[0])} is not null"
    return f"{first} and row({pairs[0]}) is not distinct from row({pairs[1]})" if names else first


def _on_conflict(table: TableContract) -> str:
    """Everything but the key and the first batch takes the new value."""
    keys = set(table.key)
    columns = [quote(name) for name, _ in typed_columns(table) if name not in keys]
    columns += ["_batch_id", "_row_hash", "_changed_at", "_deleted_at"]
    assignments = ", ".join(f"{column} = excluded.{column}" for column in columns)
    return f"on conflict ({key_list(table)}) do update set {assignments}"
