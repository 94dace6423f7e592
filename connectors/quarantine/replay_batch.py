"""The batch that a replay of one table's rows is: lock, stage, checks, merge, ledger, decisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal
from uuid import uuid4

import psycopg

from connectors.contract import TableContract
from connectors.landing import LandingResult, ledger
from connectors.landing.ensure import ensure_followed
from connectors.landing.merge import make_plan, merge
from connectors.landing.names import REJECTS, SET_ASIDE, key_text
from connectors.landing.repeats import settle_repeats
from connectors.landing.session import landing_session
from connectors.landing.stage import Stage
from connectors.quarantine.replay_rows import Row, frames, has_older_rows, leave_judged, older_rows, repaired_rows
from connectors.quarantine.workbook import Answer
from connectors.transports.received import Columns
from warehouse.database import Database
from warehouse.errors import CityhubError, PermanentError
from warehouse.settings import Settings
from warehouse.tokens import citizen_tokens

Connection = psycopg.Connection[tuple[Any, ...]]
Via = Literal["workbook", "contract"]

# Rules a row breaks only beside others.
_OF_COMPANY = {"unique_key", "duplicate_row"}
_DECISION = """
insert into quarantine.decisions (
    rejected_id, from_state, to_state, via, decided_by, why, batch_id, content_digest, contract_version
)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""


@dataclass
class Replayed:
    """What became of one table's rows.

    Attributes:
        batch_id: the ledger row, None where no row was to be replayed.
        repaired, refused: rows that landed, rows that stay open.
        waived: rows the department withdrew.
        untouched: rows of the workbook in which nobody changed anything.
        known: rows not replayed again: settled already, or judged already with this content under this contract.
    """

    system: str
    table: str
    batch_id: int | None = None
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    repaired: int = 0
    refused: int = 0
    waived: int = 0
    untouched: int = 0
    known: int = 0
    rejections: dict[str, int] = field(default_factory=dict)


class Replay:
    """The replay of one table's rows."""

    def __init__(self, db: Database, settings: Settings, table: TableContract, via: Via, by: str, why: str) -> None:
        self._db = db
        self._tokens = partial(citizen_tokens, settings=settings)
        self._table = table
        self._via: Via = via
        self._by = by
        self._why = why
        self._result = Replayed(table.system, table.name)

    def run(self, answers: Sequence[Answer] | None = None) -> Replayed:
        """Waivers first, then one transaction from the merge to the ledger."""
        if answers is None and not self._has_older():
            return self._result
        with landing_session(self._db, self._table) as connection, ledger.table_lock(connection, self._table):
            # Under the lock: what another replay of these rows did is known by now.
            if answers is None:
                chosen = older_rows(connection, self._table)
            else:
                chosen = repaired_rows(connection, self._table, answers, self._by)
            chosen = leave_judged(connection, self._table, chosen)
            self._result.waived, self._result.untouched = chosen.waived, chosen.untouched
            self._result.known = chosen.known
            if chosen.rows:
                self._land(connection, chosen.rows)
            connection.commit()
        return self._result

    def _has_older(self) -> bool:
        with self._db.psycopg("pipeline") as connection:
            return has_older_rows(connection, self._table)

    def _land(self, connection: Connection, rows: Sequence[Row]) -> None:
        connection.commit()
        ensure_followed(connection, self._table)
        connection.commit()
        run_id = f"replay-{uuid4()}"
        batch_id = ledger.open_batch(connection, self._table, run_id, None)
        stage = Stage(connection, self._table, self._tokens)
        try:
            with closing(stage):
                self._merge(connection, stage, rows, batch_id)
        except BaseException as error:
            self._fail(connection, stage, batch_id, error)
            if isinstance(error, psycopg.Error):
                raise _broke(self._table, error) from None
            raise

    def _merge(self, connection: Connection, stage: Stage, rows: Sequence[Row], batch_id: int) -> None:
        table, result = self._table, self._result
        for frame in frames(table, rows):
            stage.add(stage.prepare(Columns(frame)))
        stage.tell_refused()
        repeats = settle_repeats(connection, table, stage.name)
        stage.refuse(repeats.rejected)
        plan = make_plan(connection, table, stage.name, is_complete=False)
        merge(connection, table, stage.name, batch_id, plan)
        refused = self._note_refused(connection, rows, batch_id)
        self._note_repaired(connection, rows, refused, stage, batch_id)
        result.batch_id, result.rejections = batch_id, dict(stage.rejections)
        result.inserted, result.updated = plan.inserted, plan.updated + repeats.updated
        result.unchanged = plan.unchanged + repeats.unchanged
        result.refused, result.repaired = len(refused), len(rows) - len(refused)
        landed = LandingResult(
            table.system, table.name, batch_id, "admitted",
            read=stage.read, inserted=result.inserted, updated=result.updated, unchanged=result.unchanged,
            quarantined=stage.rejected, rejected=stage.rejected, reason=f"replay of the quarantine: {self._why}",
        )  # fmt: skip
        ledger.record_replay(connection, table, landed, moved=plan.moves)
        stage.drop()
        connection.commit()

    def _note_refused(self, connection: Connection, rows: Sequence[Row], batch_id: int) -> set[int]:
        """Rows refused again: open, with their new reasons; what the department wrote is kept for the next workbook."""
        reasons: dict[int, Any] = dict(
            connection.execute(
                f"select (position ->> 'rejected_id')::bigint, reasons from {REJECTS}".encode()
            ).fetchall()
        )
        refused = [row for row in rows if row.rejected_id in reasons]
        of_repair = self._via == "workbook"
        columns = "repair = %s, repair_reasons = %s" if of_repair else "reasons = %s"
        statement = f"update quarantine.rejected_rows set status = 'open', {columns} where rejected_id = %s"
        with connection.cursor() as cursor:
            for row in refused:
                why = json.dumps(reasons[row.rejected_id])
                values = [row.json, why] if of_repair else [why]
                cursor.execute(statement.encode(), [*values, row.rejected_id])
            for row in refused:
                is_alone = not _OF_COMPANY & {reason["rule"] for reason in reasons[row.rejected_id]}
                digest = row.digest if is_alone else row.in_company
                cursor.execute(_DECISION, self._decision(row, "open", batch_id, "still refused", digest))
        return set(reasons)

    def _note_repaired(
        self, connection: Connection, every: Sequence[Row], refused: set[int], stage: Stage, batch_id: int
    ) -> None:
        rows = [row for row in every if row.rejected_id not in refused]
        keys = self._keys(connection, stage, every)
        of_repair = self._via == "workbook"
        with connection.cursor() as cursor:
            cursor.executemany(
                "update quarantine.rejected_rows set status = 'repaired', repaired_via = %s, repaired_key = %s,"
                " repair = coalesce(%s, repair), repair_reasons = null where rejected_id = %s",
                [
                    (self._via, keys.get(row.rejected_id), row.json if of_repair else None, row.rejected_id)
                    for row in rows
                ],
            )
            cursor.executemany(
                _DECISION, [self._decision(row, "repaired", batch_id, "admitted", row.digest) for row in rows]
            )

    def _keys(self, connection: Connection, stage: Stage, rows: Sequence[Row]) -> dict[int, str]:
        """The key under which each row landed. Of rows with one key only one is left in the stage; the others'
        keys are found where the landing set them aside."""
        key = key_text(self._table, "s")
        sources = [stage.name]
        if self._there(connection, SET_ASIDE):
            sources.append(f"pg_temp.{SET_ASIDE}")
        keys: dict[int, str] = {}
        for source in sources:
            found = connection.execute(f"select s._arrival, {key} from {source} as s".encode()).fetchall()
            # Rows arrive in the order they were replayed in.
            keys |= {rows[arrival - 1].rejected_id: text for arrival, text in found}
        return keys

    def _there(self, connection: Connection, name: str) -> bool:
        row = connection.execute("select to_regclass(%s)", [f"pg_temp.{name}"]).fetchone()
        return row is not None and row[0] is not None

    def _decision(self, row: Row, state: str, batch_id: int, how: str, digest: str) -> tuple[Any, ...]:
        why = f"{self._why}: {how}"
        version = self._table.version
        return (row.rejected_id, row.status, state, self._via, self._by, why, batch_id, digest, version)

    def _fail(self, connection: Connection, stage: Stage, batch_id: int, error: BaseException) -> None:
        """Nothing of the batch is kept; should the database be gone, the next loader closes the ledger row."""
        known = isinstance(error, CityhubError)
        reason = f"replay broke: {error if known else type(error).__name__}"
        failed = LandingResult(self._table.system, self._table.name, batch_id, "failed", reason=reason)
        with suppress(psycopg.Error):
            connection.rollback()
            if stage.exists:
                stage.drop()
            ledger.record_replay(connection, self._table, replace(failed), moved=False)
            connection.commit()


def _broke(table: TableContract, error: psycopg.Error) -> PermanentError:
    """An error of the warehouse; its text may quote values and is left out."""
    return PermanentError(
        f"The replay broke in the warehouse (SQLSTATE {error.sqlstate or 'unknown'}).",
        where=table.qualified_name,
        expected="a merge like any other; nothing of this table was replayed",
        do="replay again; should it break again, the ledger row names the batch",
    )
