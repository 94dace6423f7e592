"""Rejected rows through the checks again: as their department repaired them, or as they came under a newer contract.

A replay is a batch of its own with its own ledger row (read = inserted + updated + unchanged + quarantined). It takes
the table's lock, the stage, the checks and the merge of the landing, and leaves the source's state and cursor alone.
The admission gate judges deliveries and is not asked. A row that is refused again stays open with its new reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from connectors.contract import SystemContract, TableContract
from connectors.quarantine.replay_batch import Replay, Replayed
from connectors.quarantine.workbook import WAIVE, Answer, read_workbook
from warehouse.database import Database
from warehouse.errors import PermanentError
from warehouse.settings import Settings


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
        replay = Replay(db, settings, table, "workbook", by, f"workbook {path.name}")
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
                replay = Replay(db, settings, own, "contract", by, f"contract version {own.version}")
                result = replay.run()
                if result.batch_id is not None or result.known:
                    found.append(result)
    return found


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


def totals(results: Iterable[Replayed]) -> dict[str, int]:
    """Counts over several tables."""
    names = ("repaired", "refused", "waived", "untouched", "known")
    found = list(results)
    return {name: sum(getattr(result, name) for result in found) for name in names}
