"""Rejected rows through the checks again: as their department repaired them, or as they came under a newer contract.

A replay is a batch of its own with its own ledger row (read = inserted + updated + unchanged + quarantined). It takes
the table's lock, the stage, the checks and the merge of the landing, and leaves the source's state and cursor alone.
The admission gate judges deliveries and is not asked. A row that is refused again stays open with its new reasons.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import polars as pl
import psycopg

from connectors.contract import SystemContract, TableContract
from connectors.landing import LandingResult, ledger
from connectors.landing.ensure import ensure_followed
from connectors.landing.merge import make_plan, merge
from connectors.landing.names import REJECTS, SET_ASIDE, key_text
from connectors.landing.repeats import settle_repeats
from connectors.landing.session import landing_session
from connectors.landing.stage import Stage
from connectors.quarantine.decisions import decide
from connectors.quarantine.workbook import REPLAY, TOO_LONG, WAIVE, Answer, read_workbook, same_text
from connectors.transports import POSITION
from connectors.transports.base import CHUNK_ROWS
from warehouse.database import Database
from warehouse.errors import CityhubError, PermanentError
from warehouse.settings import Settings
from warehouse.tokens import citizen_tokens

Connection = psycopg.Connection[tuple[Any, ...]]
Content = Mapping[str, str | None]
Via = Literal["workbook", "contract"]


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


@dataclass(frozen=True)
class _Row:
    """A row to be replayed. `digest` is of its content, `in_company` of all rows replayed with it too: whether a key
    repeats depends on them."""

    rejected_id: int
    status: str
    content: Content
    digest: str
    in_company: str = ""


def replay_workbook(
    db: Database, settings: Settings, contracts: Mapping[str, SystemContract], path: Path, *, by: str
) -> list[Replayed]:
    """Take back a workbook: land what was repaired, waive what was withdrawn, leave the rest.

    Table by table, each in its own transaction. Taken twice, the second time finds nothing to do.

    Raises:
        PermanentError: it is not a workbook of this hub's quarantine, or withdraws a row without saying why.
        TransientError: a loader is at work on one of its tables.
    """
    answers = read_workbook(path)
    if len({answer.rejected_id for answer in answers}) != len(answers):
        raise _wrong(path, "A row stands in the workbook more than once.", "each row once")
    for answer in answers:
        if answer.action == WAIVE and not answer.note:
            raise _wrong(
                path,
                f"Row with id {answer.rejected_id} is withdrawn ({WAIVE}) without a reason.",
                "the reason in the column 说明",
            )
    with db.psycopg("pipeline") as connection:
        homes: dict[int, tuple[str, str]] = {
            number: (system, name)
            for number, system, name in connection.execute(
                "select rejected_id, system, table_name from quarantine.rejected_rows where rejected_id = any(%s)",
                [[answer.rejected_id for answer in answers]],
            )
        }
    if len(homes) != len(answers):
        raise _wrong(path, f"{len(answers) - len(homes)} of its rows are not in this quarantine.", "rows of this hub")
    by_table: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        by_table.setdefault(homes[answer.rejected_id], []).append(answer)
    found = []
    for (system, name), own in by_table.items():
        table = _table(contracts, system, name)
        replay = _Replay(db, settings, table, "workbook", by, f"workbook {path.name}")
        found.append(replay.run(answers=own))
    return found


def replay_contract(
    db: Database,
    settings: Settings,
    contracts: Mapping[str, SystemContract],
    *,
    by: str,
    system: str | None = None,
    table: str | None = None,
) -> list[Replayed]:
    """Check open rows again where the contract has another version than the one they were refused under."""
    found = []
    for contract in contracts.values():
        for own in contract.tables:
            if system in (None, own.system) and table in (None, own.name):
                replay = _Replay(db, settings, own, "contract", by, f"contract version {own.version}")
                result = replay.run()
                if result.batch_id is not None or result.known:
                    found.append(result)
    return found


class _Replay:
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
            rows = self._chosen(connection, answers) if answers is not None else self._older(connection)
            rows = self._not_judged(connection, rows)
            if rows:
                self._land(connection, rows)
            connection.commit()
        return self._result

    def _has_older(self) -> bool:
        with self._db.psycopg("pipeline") as connection:
            row = connection.execute(
                f"select exists ({_OLDER_ROWS})".encode(), [self._table.system, self._table.name, self._table.version]
            ).fetchone()
        return row is not None and bool(row[0])

    def _chosen(self, connection: Connection, answers: Sequence[Answer]) -> list[_Row]:
        """The rows that someone repaired; withdrawn ones are waived on the way."""
        stored = {
            row[0]: row[1:]
            for row in connection.execute(
                "select rejected_id, status, payload, repair from quarantine.rejected_rows where rejected_id = any(%s)",
                [[answer.rejected_id for answer in answers]],
            )
        }
        rows = []
        for answer in answers:
            status, payload, repair = stored[answer.rejected_id]
            if status not in ("open", "sent"):
                self._result.known += 1
            elif answer.action == WAIVE:
                self._result.waived += decide(
                    connection, [answer.rejected_id], "waived", via="workbook", by=self._by, why=answer.note
                )
            else:
                shown = repair or payload
                content = {name: _taken(answer, name, shown) for name in self._table.column_names}
                if answer.action != REPLAY and all(content[name] == shown.get(name) for name in content):
                    self._result.untouched += 1
                else:
                    rows.append(_row(answer.rejected_id, status, content))
        return rows

    def _older(self, connection: Connection) -> list[_Row]:
        """Open rows refused under another version; as received, columns the contract gained are empty."""
        found = connection.execute(_OLDER_ROWS.encode(), [self._table.system, self._table.name, self._table.version])
        names = self._table.column_names
        return [_row(number, status, {name: payload.get(name) for name in names}) for number, status, payload in found]

    def _not_judged(self, connection: Connection, rows: list[_Row]) -> list[_Row]:
        judged = set(
            connection.execute(
                "select rejected_id, content_digest from quarantine.decisions"
                " where rejected_id = any(%s) and contract_version = %s",
                [[row.rejected_id for row in rows], self._table.version],
            )
        )
        company = _digest(sorted(row.digest for row in rows))
        rows = [replace(row, in_company=_digest([row.digest, company])) for row in rows]
        fresh = [row for row in rows if not {(row.rejected_id, row.digest), (row.rejected_id, row.in_company)} & judged]
        self._result.known += len(rows) - len(fresh)
        return fresh

    def _land(self, connection: Connection, rows: Sequence[_Row]) -> None:
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

    def _merge(self, connection: Connection, stage: Stage, rows: Sequence[_Row], batch_id: int) -> None:
        table, result = self._table, self._result
        for frame in _frames(table, rows):
            stage.add(frame)
        repeats = settle_repeats(connection, table, stage.name)
        stage.refuse(repeats.rejected)
        plan = make_plan(connection, table, stage.name, is_complete=False)
        merge(connection, table, stage.name, batch_id, plan)
        refused = self._note_refused(connection, rows, batch_id)
        self._note_repaired(connection, [row for row in rows if row.rejected_id not in refused], stage, batch_id)
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

    def _note_refused(self, connection: Connection, rows: Sequence[_Row], batch_id: int) -> set[int]:
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
                values = [_json(row), why] if of_repair else [why]
                cursor.execute(statement.encode(), [*values, row.rejected_id])
            for row in refused:
                is_alone = not _OF_COMPANY & {reason["rule"] for reason in reasons[row.rejected_id]}
                digest = row.digest if is_alone else row.in_company
                cursor.execute(_DECISION, self._decision(row, "open", batch_id, "still refused", digest))
        return set(reasons)

    def _note_repaired(self, connection: Connection, rows: Sequence[_Row], stage: Stage, batch_id: int) -> None:
        keys = self._keys(connection, stage)
        of_repair = self._via == "workbook"
        with connection.cursor() as cursor:
            cursor.executemany(
                "update quarantine.rejected_rows set status = 'repaired', repaired_via = %s, repaired_key = %s,"
                " repair = coalesce(%s, repair), repair_reasons = null where rejected_id = %s",
                [
                    (self._via, keys.get(row.rejected_id), _json(row) if of_repair else None, row.rejected_id)
                    for row in rows
                ],
            )
            cursor.executemany(
                _DECISION, [self._decision(row, "repaired", batch_id, "admitted", row.digest) for row in rows]
            )

    def _keys(self, connection: Connection, stage: Stage) -> dict[int, str]:
        """The key under which each row landed. Of rows with one key only one is left in the stage; the others'
        keys are found where the landing set them aside."""
        key = key_text(self._table, "s")
        sources = [stage.name]
        if self._there(connection, SET_ASIDE):
            sources.append(f"pg_temp.{SET_ASIDE}")
        keys: dict[int, str] = {}
        for source in sources:
            keys |= dict(
                connection.execute(
                    f"select (s._position ->> 'rejected_id')::bigint, {key} from {source} as s".encode()
                ).fetchall()
            )
        return keys

    def _there(self, connection: Connection, name: str) -> bool:
        row = connection.execute("select to_regclass(%s)", [f"pg_temp.{name}"]).fetchone()
        return row is not None and row[0] is not None

    def _decision(self, row: _Row, state: str, batch_id: int, how: str, digest: str) -> tuple[Any, ...]:
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


_OLDER_ROWS = """
select q.rejected_id, q.status, q.payload
from quarantine.rejected_rows as q
inner join ops.batches as b on b.batch_id = q.last_batch_id
where q.system = %s and q.table_name = %s and q.status in ('open', 'sent') and b.contract_version <> %s
order by q.rejected_id"""
# Rules a row breaks only beside others.
_OF_COMPANY = {"unique_key", "duplicate_row"}
_DECISION = """
insert into quarantine.decisions (
    rejected_id, from_state, to_state, via, decided_by, why, batch_id, content_digest, contract_version
)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""


def _row(rejected_id: int, status: str, content: Content) -> _Row:
    return _Row(rejected_id, status, content, _digest(content))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _taken(answer: Answer, name: str, shown: Content) -> str | None:
    """A field as it is now meant: the cell, or what stood there where nobody changed it."""
    before = shown.get(name)
    if name not in answer.cells:
        return before
    cell = answer.cells[name]
    return before if cell == TOO_LONG or same_text(cell, before) else cell


def _json(row: _Row) -> str:
    """A row as jsonb takes it, which refuses NUL."""
    return json.dumps({name: value and value.replace("\x00", "\u2400") for name, value in row.content.items()})


def _frames(table: TableContract, rows: Sequence[_Row]) -> Iterator[pl.DataFrame]:
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        columns = [pl.Series(name, [row.content[name] for row in chunk], pl.String) for name in table.column_names]
        positions = [f'{{"rejected_id": {row.rejected_id}}}' for row in chunk]
        yield pl.DataFrame([*columns, pl.Series(POSITION, positions, pl.String)])


def _table(contracts: Mapping[str, SystemContract], system: str, name: str) -> TableContract:
    if system not in contracts:
        raise PermanentError(
            "The workbook holds rows of a system without a contract.",
            where=system,
            expected=f"one of {', '.join(contracts)}",
            do="restore the contract, or waive the rows",
        )
    return contracts[system].table(name)


def _wrong(path: Path, what: str, expected: str) -> PermanentError:
    return PermanentError(what, where=path.name, expected=expected, do="correct the workbook; nothing was replayed")


def _broke(table: TableContract, error: psycopg.Error) -> PermanentError:
    """An error of the warehouse; its text may quote values and is left out."""
    return PermanentError(
        f"The replay broke in the warehouse (SQLSTATE {error.sqlstate or 'unknown'}).",
        where=table.qualified_name,
        expected="a merge like any other; nothing of this table was replayed",
        do="replay again; should it break again, the ledger row names the batch",
    )


def totals(results: Iterable[Replayed]) -> dict[str, int]:
    """Counts over several tables."""
    names = ("repaired", "refused", "waived", "untouched", "known")
    found = list(results)
    return {name: sum(getattr(result, name) for result in found) for name in names}
