"""A table whose key holds an instant: refused rows and rows of raw are known to be the same one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.contract import SystemContract
from connectors.quarantine.replay_batch import Replay
from connectors.quarantine.workbook import REPLAY, Answer
from connectors.reconcile import reconcile_table
from warehouse.database import Database
from warehouse.settings import get_settings


@pytest.fixture
def keyed(kit: Any) -> SystemContract:
    """Checks, several a day at one site."""
    contract: SystemContract = kit.contract("sql", "snapshot")
    table = contract.tables[0]
    columns = tuple(replace(column, required=column.name in ("site_no", "updated_at")) for column in table.columns)
    return replace(contract, tables=(replace(table, columns=columns, key=("site_no", "updated_at")),))


TIMES = ("2026-06-30 08:00:00", "2026-06-30 08:00:00.25", "2026-06-30T08:00:00.250001+08:00")


def rejected(database: Database) -> list[tuple[Any, ...]]:
    with database.psycopg("pipeline") as connection:
        return connection.execute(
            "select status, match_key, repaired_key from quarantine.rejected_rows order by rejected_id"
        ).fetchall()


def test_a_refused_row_keeps_its_row_of_raw_and_is_closed_by_its_repair(
    database: Database, kit: Any, make_row: Any, raw: Any, keyed: SystemContract
) -> None:
    kit.sqlite([make_row("S", updated_at=time) for time in TIMES])
    assert kit.land(database, keyed).inserted == 3
    kit.sqlite([make_row("S", updated_at=time, level="x") for time in TIMES[:1]] + [make_row("S", updated_at=TIMES[2])])

    refused = kit.land(database, keyed)

    # The first is refused, not gone; the second is gone.
    assert (refused.quarantined, refused.unchanged, refused.deleted) == (1, 1, 1)
    assert rejected(database) == [("open", "S|2026-06-30 00:00:00.000000+00:00", None)]
    kit.sqlite([make_row("S", updated_at=time) for time in (TIMES[0], TIMES[2])])
    kit.land(database, keyed)
    key = "S|2026-06-30 00:00:00.000000+00:00"
    assert rejected(database) == [("repaired", key, key)]


def test_a_row_repaired_by_workbook_stays_and_reconciles(
    database: Database, kit: Any, make_row: Any, raw: Any, keyed: SystemContract
) -> None:
    kit.sqlite([make_row("S", updated_at=TIMES[0]), make_row("S", updated_at=TIMES[1], level="x")])
    kit.land(database, keyed)
    known = reconcile_table(database, get_settings(), keyed, keyed.tables[0])
    assert (known.agrees, known.quarantined) == (True, 1)
    with database.psycopg("pipeline") as connection:
        (number,) = connection.execute("select rejected_id from quarantine.rejected_rows").fetchone() or (0,)
    # Repaired with another moment: the source goes on delivering the wrong row.
    answer = Answer(number, REPLAY, "", {"level": "3", "updated_at": "2026-06-30 09:00:00.5"})
    replay = Replay(database, get_settings(), keyed.tables[0], "workbook", "王", "workbook a.xlsx")
    assert replay.run(answers=[answer]).repaired == 1
    assert rejected(database)[0][::2] == ("repaired", "S|2026-06-30 01:00:00.500000+00:00")
    assert kit.land(database, keyed).deleted == 0
    assert len(raw(database, keyed)) == 2
    found = reconcile_table(database, get_settings(), keyed, keyed.tables[0])
    assert (found.agrees, found.repaired) == (True, 1)
