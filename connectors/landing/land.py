"""Lands one table: pull, check, stage, settle, plan, gate, merge. The steps live beside; here is their order.

Every way out leaves one finished ledger row. A loader killed anywhere leaves a row `loading` and perhaps a stage; the
next loader of the table closes the one and drops the other, and pulls from the same cursor.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from traceback import extract_tb, format_tb
from typing import Any

import psycopg

from connectors.contract import AdmissionGate, GateRequest, GateResult, SystemContract, TableContract
from connectors.landing import ledger
from connectors.landing.ahead import ReadAhead
from connectors.landing.ensure import ensure_tables, set_aside
from connectors.landing.known import load_known
from connectors.landing.merge import Plan, merge
from connectors.landing.model import Allowance, LandingResult
from connectors.landing.position import latest, next_position
from connectors.landing.quarantine import close_repaired, has_new_rejects, store_rejected
from connectors.landing.repeats import Repeats, put_back
from connectors.landing.room import out_of_room
from connectors.landing.session import landing_session
from connectors.landing.settle import good_keys, kind_of_stage, settle
from connectors.landing.stage import Prepared, Stage
from connectors.landing.watch import OrderWatch
from connectors.transports import Pull, open_transport
from connectors.transports.base import new_columns_note
from connectors.transports.received import Received
from warehouse.database import Database, connection_error, is_out_of_room
from warehouse.errors import CityhubError, HeldBatch, TransientError
from warehouse.settings import Settings
from warehouse.tokens import citizen_tokens

Connection = psycopg.Connection[tuple[Any, ...]]

logger = logging.getLogger(__name__)


def land_table(
    db: Database,
    settings: Settings,
    contract: SystemContract,
    table: TableContract,
    *,
    run_id: str,
    gate: AdmissionGate,
    full: bool = False,
    business_date: date | None = None,
    allowance: Allowance | None = None,
    raise_transient: bool = True,
) -> LandingResult:
    """Pull a source table and bring raw to its state, or say why not.

    Args:
        run_id: the run the batch belongs to.
        gate: decides over the staged batch; asked only when the batch would change something.
        full: pull everything, whatever the cursor; rows of snapshot and incremental tables that are gone are marked.
        business_date: the day the run speaks of; an incremental table whose sweep is due by then is pulled in full.
        allowance: lets the batch mark more rows deleted than the contract allows.
        raise_transient: raise failures worth another try; False on the last try, when they too are returned.

    Returns:
        The finished batch: admitted (perhaps only up to where the pull broke), held, or failed with its reason. Held
        and failed leave raw as it was. Errors that no try repairs are returned too, so that the other tables go on.

    Raises:
        TransientError: the source did not answer (recorded as failed), or another loader holds the table.
    """
    with landing_session(db, table) as connection, ledger.table_lock(connection, table):
        state = ledger.current_state(connection, table)
        cursor = None if full or state.is_sweep_due(table, business_date) else state.cursor
        batch_id = ledger.open_batch(connection, table, run_id, cursor)
        result = LandingResult(table.system, table.name, batch_id, "admitted", cursor=state.cursor, as_of=state.as_of)
        landing = _Landing(db, settings, contract, table, run_id, gate, connection, result, business_date, allowance)
        with closing(landing):
            finished, transient = _attempt(landing, cursor)
    if transient is not None and raise_transient:
        raise transient
    return finished


def _attempt(landing: _Landing, cursor: str | None) -> tuple[LandingResult, TransientError | None]:
    """Run the batch to one of its ends; the error beside it where another try is worth while."""
    try:
        return landing.run(cursor), landing.broken
    except HeldBatch as error:
        return landing.hold(str(error)), None
    except TransientError as error:
        return landing.fail(str(error)), error
    except CityhubError as error:
        return landing.fail(str(error)), None
    except Exception as error:
        if isinstance(error, psycopg.OperationalError) or is_out_of_room(error):
            lost = connection_error(error, landing.db.shown)
            return landing.fail(str(lost)), lost if isinstance(lost, TransientError) else None
        if (full := out_of_room(error)) is not None:
            return landing.fail(str(full)), full
        # Not foreseen. Texts of database and frame errors quote values, so only its type and place are told.
        name = landing.table.qualified_name
        logger.error("landing %s broke:\n%s", name, "".join(format_tb(error.__traceback__)))
        return landing.fail(_unforeseen(error)), None


@dataclass
class _Landing:
    """One batch under way."""

    db: Database
    settings: Settings
    contract: SystemContract
    table: TableContract
    run_id: str
    gate: AdmissionGate
    connection: Connection
    result: LandingResult
    business_date: date | None = None
    allowance: Allowance | None = None
    stage: Stage | None = None
    new_columns: tuple[str, ...] | None = None
    broken: TransientError | None = None

    def run(self, cursor: str | None) -> LandingResult:
        """All steps in order, up to the commit."""
        is_replaced = bool(ensure_tables(self.connection, [self.table]))
        self.connection.commit()
        self.stage = Stage(self.connection, self.table, partial(citizen_tokens, settings=self.settings))
        stage = self.stage
        pull = self._pull(stage, None if is_replaced else cursor, is_replaced=is_replaced)
        if stage.read == 0 and not pull.is_complete:
            return self._admit_nothing(pull)
        stage.require_types()
        if not stage.exists:
            stage.create()
        repeats, plan = settle(
            self.connection, self.table, stage, is_complete=pull.is_complete, is_replaced=is_replaced
        )
        self._guard_shrink(plan, stage.rejected)
        answer = self._ask_gate(plan)
        if answer is not None and not answer.passed:
            if self.broken is not None:
                # The gate judges tables; that half of one is refused says nothing about the source.
                raise self.broken
            return self.hold(f"admission gate: {', '.join(answer.failed)}", gate_failed=True)
        return self._admit(pull, plan, repeats, answer)

    def close(self) -> None:
        """Forget the rows as received."""
        if self.stage is not None:
            self.stage.close()

    def _pull(self, stage: Stage, cursor: str | None, *, is_replaced: bool) -> Pull:
        """Everything from the source to the stage.

        A pull by ascending cursor that breaks off is as good as one that ended there earlier, so what came
        is merged and the next pull goes on behind it. Without order, rows below the cursor might still be missing.
        """
        taken = ledger.taken_drops(self.connection, self.table)
        # No transaction stays open while the source is read.
        self.connection.commit()
        transport = open_transport(self.settings, self.contract, taken)
        with closing(transport):
            pull = transport.pull(self.table, cursor)
            # Closed here, not by the garbage collector: a pull let go half-way has to be called off at the source.
            with closing(ReadAhead(pull.batches)) as batches:
                # The source begins while we look at what is here.
                stage.kind = kind_of_stage(
                    self.connection, self.table, is_complete=pull.is_complete, is_replaced=is_replaced
                )
                if stage.kind == "sifted":
                    stage.known = load_known(self.connection, self.table)
                self.connection.commit()
                self._take(pull, stage, batches, is_replaced=is_replaced)
            stage.tell_refused()
            self.new_columns = None if pull.new_columns is None else tuple(pull.new_columns)
        return pull

    def _take(self, pull: Pull, stage: Stage, batches: Iterator[Received], *, is_replaced: bool) -> None:
        """Bring the rows that come to the stage, up to where the pull breaks."""
        order = OrderWatch(self.table)
        with closing(ReadAhead(_prepared(stage, batches))) as frames:
            try:
                for frame in frames:
                    stage.add(frame)
                    if pull.is_ordered and frame.received is not None:
                        order.see(frame.received.frame)
            except TransientError as error:
                if is_replaced or not (pull.is_ordered and order.holds and stage.read):
                    raise
                self.broken, pull.is_complete, pull.as_of = error, False, None

    def hold(self, reason: str, *, gate_failed: bool = False) -> LandingResult:
        """Keep everything that arrived in the quarantine; raw and cursor stay."""
        if self.stage is not None and self.stage.exists:
            self.stage.break_off()
        read = self.stage.read if self.stage else 0
        result = replace(
            self.result,
            state="held",
            read=read,
            quarantined=read,
            rejected=self.stage.rejected if self.stage else 0,
            reason=reason,
            gate="failed" if gate_failed else "skipped",
            new_columns=self.new_columns,
        )
        if self.stage is not None and self.stage.exists:
            if self.stage.kind == "sifted":
                self.stage.fill_up()
            else:
                put_back(self.connection, self.table, self.stage.name)
            store_rejected(self.connection, self.table, result.batch_id)
            if read:
                ledger.keep_stage(self.connection, self.table, self.stage.name, result.batch_id)
            self.stage.drop()
        ledger.record(self.connection, self.table, result)
        self.connection.commit()
        return result

    def fail(self, reason: str) -> LandingResult:
        """The pull broke: nothing of it is kept. Uses another connection where this one is gone."""
        result = replace(self.result, state="failed", reason=reason)
        try:
            self.connection.rollback()
            if self.stage is not None and self.stage.exists:
                self.stage.drop()
            ledger.record(self.connection, self.table, result)
            self.connection.commit()
        except psycopg.OperationalError:
            # The database went away. Should it stay away, the row stays `loading` and the next loader closes it.
            with landing_session(self.db, self.table) as other:
                ledger.record(other, self.table, result)
        return result

    def _guard_shrink(self, plan: Plan, rejected: int) -> None:
        allowed = self.table.allowed_shrink(plan.before)
        if plan.lost > allowed and self.allowance is None:
            raise HeldBatch(
                f"{plan.lost} of {plan.before} rows would be marked deleted.",
                where=f"{self.table.system}.{self.table.name}",
                expected=f"at most {allowed} (share {self.table.shrink_max_share:g}); {rejected} rows were rejected",
                do="ask the owner whether so many rows are really gone; if so `cityhub run --allow-shrink"
                f" {self.table.system}.{self.table.name} --why …` lets them go, once and on record",
            )

    def _ask_gate(self, plan: Plan) -> GateResult | None:
        """The gate's word, None where there is nothing to guard.

        A batch that would write no row, refuses nothing new and is read under the contract version that raw was last
        admitted under leaves raw as the gate last left it.
        """
        assert self.stage is not None
        rejected = self.stage.rejected
        is_known = ledger.last_admitted_version(self.connection, self.table) == self.table.version
        if is_known and not plan.moves and not (rejected and has_new_rejects(self.connection, self.table)):
            return None
        request = GateRequest(
            table=self.table,
            stage=self.stage.name,
            batch_id=self.result.batch_id,
            run_id=self.run_id,
            read=self.stage.read,
            rejected=rejected,
            rows_before=plan.before,
            rows_after=plan.after,
            warnings=dict(self.stage.warnings),
            rejections=dict(self.stage.rejections),
        )
        # The gate reads over its own connection: the stage must be visible there, and no lock may stand in its way.
        self.connection.commit()
        return self.gate(request)

    def _admit(self, pull: Pull, plan: Plan, repeats: Repeats, answer: GateResult | None) -> LandingResult:
        """The one transaction: quarantine, raw, ledger, cursor."""
        assert self.stage is not None
        rejected = self.stage.rejected
        before = (self.result.cursor, self.result.as_of)
        cursor, as_of = next_position(self.table, self.stage.highest, pull, *before)
        warned = answer.warned if answer else ()
        notes = self._notes(pull)
        if plan.deferred:
            notes.append(f"{plan.deferred} deletions wait: rejected rows without a readable key may be those rows")
        if plan.replaces:
            notes.append(f"the table of the contract before is kept as {set_aside(self.connection, self.table)}")
        if self.allowance is not None and plan.lost > self.table.allowed_shrink(plan.before):
            notes.append(f"{plan.lost} of {plan.before} rows marked deleted by leave of {self.allowance.by}")
            ledger.note_allowance(
                self.connection,
                self.table,
                self.result.batch_id,
                self.allowance,
                gone=plan.lost,
                before=plan.before,
            )
        if warned:
            notes.append(f"admission gate warns: {', '.join(warned)}")
        result = replace(
            self.result,
            read=self.stage.read,
            inserted=plan.inserted,
            updated=plan.updated + repeats.updated,
            unchanged=plan.unchanged + repeats.unchanged,
            deleted=plan.deleted,
            quarantined=rejected,
            rejected=rejected,
            cursor=cursor,
            as_of=as_of,
            reason="; ".join(notes) or None,
            gate="passed" if answer else "skipped",
            warned=warned,
            new_columns=self.new_columns,
            swept_on=self._swept_on(pull),
            broken=str(self.broken) if self.broken else None,
        )
        store_rejected(self.connection, self.table, result.batch_id)
        close_repaired(self.connection, self.table, good_keys(self.table, self.stage), result.batch_id)
        merge(self.connection, self.table, self.stage.name, result.batch_id, plan)
        ledger.take_drops(self.connection, self.table, result.batch_id, pull.drops)
        ledger.record(self.connection, self.table, result, moved=plan.moves)
        self.stage.drop()
        self.connection.commit()
        return result

    def _admit_nothing(self, pull: Pull) -> LandingResult:
        """The source had nothing new: no stage, no gate, a ledger row that says so."""
        result = replace(
            self.result,
            cursor=pull.cursor or self.result.cursor,
            as_of=latest(pull.as_of, self.result.as_of),
            reason="; ".join(self._notes(pull)) or None,
            new_columns=self.new_columns,
        )
        ledger.take_drops(self.connection, self.table, result.batch_id, pull.drops)
        ledger.record(self.connection, self.table, result)
        self.connection.commit()
        return result

    def _notes(self, pull: Pull) -> list[str]:
        notes = [*pull.warnings, *([new_columns_note(self.new_columns)] if self.new_columns else [])]
        if self.broken is not None:
            notes.append(f"the pull broke behind these rows, the next one goes on there: {self.broken}")
        return notes

    def _swept_on(self, pull: Pull) -> date | None:
        """The business date, where every row was seen. A first pull that broke and goes on will have seen them."""
        is_begun = self.broken is not None and self.result.cursor is None
        is_sweep = self.table.sweep_every_days is not None and (pull.is_complete or is_begun)
        return self.business_date if is_sweep else None


def _prepared(stage: Stage, batches: Iterator[Received]) -> Iterator[Prepared]:
    """The rows checked, in a thread of their own between the source's and the one that copies.

    Where the pull breaks, what waits in the stage is handed over before the error goes on its way.
    """
    broken: CityhubError | None = None
    try:
        for received in batches:
            yield stage.prepare(received)
    except CityhubError as error:
        broken = error
    yield from stage.rest()
    if broken is not None:
        raise broken


def _unforeseen(error: Exception) -> str:
    """An error nobody named, without its text: type, SQLSTATE where it has one, and where it was raised."""
    state = f" {error.sqlstate}" if isinstance(error, psycopg.Error) and error.sqlstate else ""
    frame = extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__}{state} at {Path(frame.filename).name}:{frame.lineno}; see the log"
