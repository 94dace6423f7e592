"""Between the last row and the gate: repeated keys are decided, and what would change in raw is planned.

Which way depends on what raw holds. Empty: the stage may become raw, and its key is the proof that no key is repeated.
Otherwise a complete pull is sifted, and any other compared with raw as a whole.
"""

from __future__ import annotations

from typing import Any

import psycopg

from connectors.contract import TableContract
from connectors.landing.fresh import add_key, can_become_raw, is_empty
from connectors.landing.merge import Plan, make_plan, plan_anew, plan_first
from connectors.landing.repeats import Repeats, settle_repeats
from connectors.landing.sift import can_sift, differing_arrivals, note_differences, note_vanished
from connectors.landing.stage import Kind, Stage, roll_columns

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
        return Repeats(), plan_first(connection, stage.name)
    repeats = settle_repeats(connection, table, stage.name)
    stage.refuse(repeats.rejected)
    if becomes_raw and add_key(connection, table, stage.name):
        return repeats, plan_first(connection, stage.name)
    if is_replaced:
        return repeats, plan_anew(connection, table, stage.name)
    return repeats, make_plan(connection, table, stage.name, is_complete=is_complete)


def _settle_sifted(
    connection: Connection, table: TableContract, stage: Stage, *, is_complete: bool
) -> tuple[Repeats, Plan]:
    """`is_complete`: false where the pull broke off and what came of it is taken."""
    repeats = Repeats()
    if not note_differences(connection, table, stage.roll):
        repeats = settle_repeats(connection, table, stage.roll, roll_columns(table))
        stage.refuse(repeats.rejected)
        note_differences(connection, table, stage.roll)
    # What was noted stays, should a row not fit and the rest of the transaction be given up.
    connection.commit()
    stage.fill(differing_arrivals(connection))
    if is_complete:
        note_vanished(connection, table)
    return repeats, make_plan(connection, table, stage.name, is_complete=is_complete, roll=stage.roll)
