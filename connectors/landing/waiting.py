"""Which complete drops of a file source wait to be taken. Looks and tells; it takes nothing."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass
from datetime import date

from connectors.contract import SystemContract, TableContract
from connectors.landing import ledger
from connectors.transports import open_transport
from connectors.transports.drops import NO_DROP, Drop
from connectors.transports.files import FileTransport
from warehouse.database import Database
from warehouse.errors import HeldBatch, TransientError
from warehouse.settings import Settings


@dataclass(frozen=True)
class Waiting:
    """What lies there for a system.

    Attributes:
        tables: those with something to take, by name.
        newest: the newest day among it; None where only a delivery lies there that cannot be understood.
        key: the same for the same deliveries, another one when any of them is delivered anew.
    """

    tables: tuple[str, ...]
    newest: date | None
    key: str


def waiting_drops(db: Database, settings: Settings, contract: SystemContract) -> Waiting | None:
    """The drops of a file source that no admitted batch has taken; None where there are none.

    A delivery that would be held counts too: it is the landing that holds it, and tells.

    Raises:
        CityhubError: the folder cannot be reached.
    """
    found: dict[str, list[str]] = {}
    days: list[date] = []
    transport = open_transport(settings, contract)
    assert isinstance(transport, FileTransport)
    with closing(transport), db.psycopg("pipeline") as connection:
        for table in contract.tables:
            cursor = ledger.current_state(connection, table).cursor
            taken = ledger.taken_drops(connection, table)
            # No transaction stays open while the folder is read.
            connection.commit()
            try:
                drops = transport.due(table, cursor, taken)
            except HeldBatch as error:
                found[table.name] = [str(error)]
                continue
            except TransientError as error:
                if error.what != NO_DROP:
                    raise
                continue
            waiting = [drop for drop in drops if _is_new(table, drop, cursor)]
            if waiting:
                found[table.name] = [f"{drop.day} {drop.digest or drop.state}" for drop in waiting]
                days += [drop.day for drop in waiting]
    if not found:
        return None
    key = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
    return Waiting(tuple(found), max(days, default=None), key)


def _is_new(table: TableContract, drop: Drop, cursor: str | None) -> bool:
    """Whether a due drop is not yet in raw: a snapshot's newest drop is due every time."""
    return table.load_mode == "append" or cursor is None or drop.day.isoformat() > cursor
