"""Publishing: the differences of all released tables, the views and the pointer in one transaction.

A reader sees the release before or the release after, never a part (law 3); a publisher killed at any point leaves the
release before. Whether the tables may be published is the release gate's word, which the caller has heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from sharing.history import (
    Column,
    Connection,
    Difference,
    Extent,
    built_shape,
    ensure_history,
    ensure_indexes,
    find_difference,
    write_difference,
)
from sharing.increment import MartIncrement, note_published, touched_rows
from sharing.subject_history import drop_history_view, history_view
from sharing.tables import RELEASED_TABLES, ReleasedTable
from sharing.views import Masks, View, masks_from_manifest, table_comment, table_view
from warehouse.database import Database, connection_error
from warehouse.errors import CityhubError, PermanentError, TransientError
from warehouse.roles import ROLE_NAMES, Role

__all__ = ["RELEASED_TABLES", "ReleaseResult", "ReleasedTable", "masks_from_manifest", "publish_release"]

_RELEASE_LOCK = 724_310_118
# A view that has to change waits for the readers of its old form; behind it new readers wait in turn.
LOCK_TIMEOUT = "10s"
TRIES = 3

_BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

_CURRENT = """
select r.release_id, r.published_at, r.business_date, r.systems
from release.releases as r inner join release.pointer as p using (release_id)
"""


@dataclass(frozen=True)
class ReleaseResult:
    """What publishing did.

    Attributes:
        release_id, published_at: the release that readers see now.
        tables: per table the rows it holds and how many were inserted, updated and deleted by this run.
        changed: False when readers already saw exactly this.
    """

    release_id: int
    published_at: datetime
    tables: Mapping[str, Mapping[str, int]]
    changed: bool


@dataclass(frozen=True)
class _Release:
    """What is to be published, apart from the rows."""

    run_id: str
    business_date: date
    fingerprint: str | None
    systems: Mapping[str, Any]
    checks: Mapping[str, Any]
    build: MartIncrement | None


@dataclass(frozen=True)
class _Work:
    """One table on its way."""

    table: ReleasedTable
    built: list[Column]
    view: View
    view_stands: bool
    difference: Difference


def publish_release(
    db: Database,
    *,
    run_id: str,
    business_date: date,
    fingerprint: str | None,
    systems: Mapping[str, Any],
    checks: Mapping[str, Any],
    masks: Masks,
    tables: tuple[ReleasedTable, ...] = RELEASED_TABLES,
    build: MartIncrement | None = None,
) -> ReleaseResult:
    """Make the built tables the current release.

    A new release is written when a row, a view, the business date or the state of a source system differs from the
    current one; otherwise that one only notes that it was found true again.

    Args:
        fingerprint: digest of what the tables were built from.
        systems: state of every source table, for the release's own record.
        checks: results of the gates, for the release's own record.
        masks: per table the masked columns and the kind of mask (`masks_from_manifest`).
        tables: the tables of a release.
        build: the build of the marts that is published; without one every row is compared.

    Returns:
        The release readers see afterwards.

    Raises:
        PermanentError: a table is missing, has a repeated or empty key, or cannot take its new shape.
        TransientError: the database does not answer, or readers held a changing view too long.
        ContractError: a mask cannot be applied.
    """
    release = _Release(run_id, business_date, fingerprint, systems, checks, build)
    for attempt in range(1, TRIES + 1):
        try:
            with _connect(db) as connection:
                return _publish(connection, release, masks, tables)
        except _BUSY as error:
            if attempt == TRIES:
                raise TransientError(
                    "The release could not get at a table or view.",
                    where=f"publishing run {run_id} (SQLSTATE {error.sqlstate})",
                    expected=f"no reader holding a changing view for {LOCK_TIMEOUT}, {TRIES} times over",
                    do="end long-running queries on shared.* and scorecards.*, then publish again",
                ) from None
        except psycopg.OperationalError as error:
            raise connection_error(error, db.shown) from None
        except psycopg.Error as error:
            raise _refused(error) from None
    raise AssertionError("unreachable")


@contextmanager
def _connect(db: Database) -> Iterator[Connection]:
    with db.psycopg("pipeline") as connection:
        # Row hashes are over text forms, which must not depend on the server's settings (UTC comes with the role).
        connection.execute("set datestyle to 'ISO, YMD'")
        connection.execute("set extra_float_digits to 1")
        connection.execute("set application_name to 'cityhub release'")
        # One session compares and indexes whole tables; with less, five million events are compared through files.
        connection.execute("set work_mem to '256MB'")
        connection.execute("set maintenance_work_mem to '512MB'")
        connection.commit()
        yield connection


def _publish(
    connection: Connection, release: _Release, masks: Masks, tables: tuple[ReleasedTable, ...]
) -> ReleaseResult:
    connection.execute("select pg_advisory_xact_lock(%s)", [_RELEASE_LOCK])
    connection.execute(f"set local lock_timeout to '{LOCK_TIMEOUT}'".encode())
    work = _compare(connection, masks, tables, touched_rows(connection, release.build))
    history = history_view(tables, {item.table.name: item.built for item in work}, masks)
    history_stands = history is None or history.stands(connection)
    counts = {item.table.name: item.difference.counts() for item in work}
    current = connection.execute(_CURRENT).fetchone()
    is_same = current is not None and (current[2], current[3]) == (release.business_date, dict(release.systems))
    stands = history_stands and all(item.view_stands for item in work)
    if current is not None and is_same and stands and not any(item.difference.moves for item in work):
        connection.execute(
            "update release.releases set checked_at = clock_timestamp(), checked_run_id = %s, fingerprint = %s"
            " where release_id = %s",
            [release.run_id, release.fingerprint, current[0]],
        )
        note_published(connection, release.build, current[0])
        return ReleaseResult(current[0], current[1], counts, changed=False)
    release_id, published_at = _open_release(connection, release, counts)
    for item in work:
        if item.difference.moves:
            write_difference(connection, item.table, item.built, item.difference, release_id)
    _become(connection, "owner")
    for item in work:
        ensure_indexes(connection, item.table, item.difference)
        if not item.view_stands:
            item.view.make(connection)
    if history is not None and not history_stands:
        history.make(connection)
    _become(connection, "pipeline")
    connection.execute(
        "insert into release.pointer (release_id) values (%s)"
        " on conflict (only_row) do update set release_id = excluded.release_id",
        [release_id],
    )
    note_published(connection, release.build, release_id)
    return ReleaseResult(release_id, published_at, counts, changed=True)


def _compare(
    connection: Connection, masks: Masks, tables: tuple[ReleasedTable, ...], touched: Mapping[str, Extent]
) -> list[_Work]:
    shapes = {table.name: built_shape(connection, table) for table in tables}
    # dbt replaces a table by renaming: held so, all of them stay those that the gate has seen while they are read.
    connection.execute(f"lock table {', '.join(table.built for table in tables)} in access share mode".encode())
    _become(connection, "owner")
    for table in tables:
        ensure_history(connection, table, shapes[table.name], before_retype=drop_history_view)
    _become(connection, "pipeline")
    work = []
    for table in tables:
        built = shapes[table.name]
        view = table_view(table, built, masks.get(table.name, {}), table_comment(connection, table))
        difference = find_difference(connection, table, built, touched.get(table.name))
        work.append(_Work(table, built, view, view.stands(connection), difference))
    return work


def _open_release(
    connection: Connection, release: _Release, counts: Mapping[str, Mapping[str, int]]
) -> tuple[int, datetime]:
    row = connection.execute(
        "insert into release.releases"
        " (run_id, business_date, published_at, checked_at, checked_run_id, fingerprint, tables, systems, checks)"
        " values (%s, %s, clock_timestamp(), clock_timestamp(), %s, %s, %s, %s, %s)"
        " returning release_id, published_at",
        [
            release.run_id,
            release.business_date,
            release.run_id,
            release.fingerprint,
            Jsonb(counts),
            Jsonb(release.systems),
            Jsonb(release.checks),
        ],
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def _become(connection: Connection, role: Role) -> None:
    """Change the role until the end of the transaction: the owner makes tables and views, the pipeline fills them."""
    connection.execute(f"set local role {ROLE_NAMES[role]}".encode())


def _refused(error: psycopg.Error) -> CityhubError:
    """Why Postgres refused, without its own text: that quotes keys and whole rows."""
    relation = ".".join(part for part in (error.diag.schema_name, error.diag.table_name) if part)
    subject = error.diag.constraint_name or error.diag.column_name or ""
    return PermanentError(
        "The release was refused by the database; readers keep the release before.",
        where=f"{relation or 'release'} {subject} (SQLSTATE {error.sqlstate})".replace("  ", " "),
        expected="built tables with one row per key, in columns whose type the history can take",
        do="look at the dbt tests and release checks of this run, correct the model and publish again",
    )
