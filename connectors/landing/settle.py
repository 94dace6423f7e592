"""Between the last row and the gate: repeated keys are decided, and what would change in raw is planned.

Which way depends on what raw holds. Empty: the stage may become raw, and its key is the proof that no key is repeated.
Otherwise a complete pull is sifted, and any other compared with raw as a whole.
"""

from __future__ import annotations

from typing import Any

import psycopg

from connectors.contract import TableContract
from connectors.contract.ddl import quote_qualified, roll_columns
from connectors.landing.fresh import add_key, can_become_raw, is_empty
from connectors.landing.known import is_key_once
from connectors.landing.known import note_vanished as known_vanished
from connectors.landing.merge import Plan, make_plan, plan_anew, plan_first
from connectors.landing.names import UNMATCHED, key_text
from connectors.landing.repeats import Repeats, settle_repeats
from connectors.landing.sift import can_sift, differing_arrivals, note_differences, note_vanished
from connectors.landing.stage import Kind, Stage

Connection = psycopg.Connection[tuple[Any, ...]]


def kind_of_stage(connection: Connection, table: TableContract, *, is_complete: bool, is_replaced: bool) -> Kind:
    """The stage for a pull that is about to begin."""
    if is_replaced:
        return "whole"
    if is_empty(connection, table):
        return "lasting"
    return "sifted" if is_complete and can_sift(connection, table) else "whole"


def settle(
    connection: Connection, table: TableContract, stage: Stage, *, is_complete: bool, is_replaced: bool
) -> tuple[Repeats, Plan]:
    """Leave one row per key in the stage and say what merging it would do."""
    if stage.kind == "sifted":
        return _settle_sifted(connection, table, stage, is_complete=is_complete)
    becomes_raw = stage.kind == "lasting" and can_become_raw(connection, table, stage.name)
    if becomes_raw and add_key(connection, table, stage.name):
        return Repeats(), plan_first(stage.read - stage.rejected)
    repeats = settle_repeats(connection, table, stage.name)
    stage.refuse(repeats.rejected)
    if becomes_raw and add_key(connection, table, stage.name):
        return repeats, plan_first(stage.read - stage.rejected - repeats.unchanged - repeats.updated)
    if is_replaced:
        return repeats, plan_anew(connection, table, stage.name)
    return repeats, make_plan(connection, table, stage.name, is_complete=is_complete)


def _settle_sifted(
    connection: Connection, table: TableContract, stage: Stage, *, is_complete: bool
) -> tuple[Repeats, Plan]:
    """`is_complete`: false where the pull broke off and what came of it is taken."""
    known = stage.known
    if known is not None:
        if is_complete and not known.has_repeats:
            known.note_unmatched(connection, table)
            if is_key_once(connection, table, stage.name):
                known_vanished(connection, table, stage.name)
                return Repeats(), make_plan(connection, table, stage.name, is_complete=True, known=known)
        stage.list_all()
    return _settle_listed(connection, table, stage, is_complete=is_complete)


def _settle_listed(
    connection: Connection, table: TableContract, stage: Stage, *, is_complete: bool
) -> tuple[Repeats, Plan]:
    repeats = Repeats()
    if not note_differences(connection, table, stage.roll):
        repeats = settle_repeats(connection, table, stage.roll, [name for name, _ in roll_columns(table)])
        stage.refuse(repeats.rejected)
        note_differences(connection, table, stage.roll)
    # What was noted stays, should a row not fit and the rest of the transaction be given up.
    connection.commit()
    stage.fill(differing_arrivals(connection))
    if is_complete:
        note_vanished(connection, table)
    return repeats, make_plan(connection, table, stage.name, is_complete=is_complete, roll=stage.roll)


def good_keys(table: TableContract, stage: Stage) -> str:
    """A query for the keys that the batch brought in good order: the listed ones, and those of raw's rows that came."""
    listed = f"select {key_text(table, 's')} from {quote_qualified(stage.roll)} as s"
    if stage.known is None:
        return listed
    raw = quote_qualified(table.qualified_name)
    return (
        f"{listed} union all select {key_text(table, 'r')} from {raw} as r where r._deleted_at is null"
        f" and not exists (select 1 from {UNMATCHED} as u where u.place = r.ctid)"
    )
