"""What the landing promises and asks for: its result, and the gate it is handed. No SQL, no connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from connectors.contract import TableContract
from warehouse.database import Database

BatchState = Literal["admitted", "held", "failed"]


@dataclass(frozen=True)
class GateRequest:
    """A batch before the admission gate.

    Attributes:
        table: its contract.
        stage: `schema.table` of the typed good rows, committed, so any connection of the pipeline role can read it.
        batch_id, run_id: the ledger row the results belong to.
        read: rows the source delivered.
        rejected: rows the checks refused, each with its reasons.
        rows_before, rows_after: rows of the raw table that are not marked deleted, now and if this batch is admitted.
        database: the warehouse; the gate opens its own connections.
        warnings, rejections: rows per rule of severity warn and reject, by the rule's name.
    """

    table: TableContract
    stage: str
    batch_id: int
    run_id: str
    read: int
    rejected: int
    rows_before: int
    rows_after: int
    database: Database
    warnings: Mapping[str, int] = field(default_factory=dict)
    rejections: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GateResult:
    """The gate's word. Names of checks only: what they observed is recorded by the gate, without row values."""

    passed: bool
    failed: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()


class AdmissionGate(Protocol):
    """Decides whether a staged batch may change the raw table."""

    def __call__(self, request: GateRequest) -> GateResult: ...


@dataclass(frozen=True)
class LandingResult:
    """One finished batch, as its ledger row says it.

    Attributes:
        state: admitted; held (delivered, not admitted, kept in quarantine); failed (the pull broke, nothing kept).
        gate: passed, failed, or skipped where the batch would have changed nothing or never reached it.
        reason: why it was held or failed, or what an admitted batch wants the data team to know.
    """

    system: str
    table_name: str
    batch_id: int
    state: BatchState
    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    quarantined: int = 0
    rejected: int = 0
    cursor: str | None = None
    as_of: datetime | None = None
    reason: str | None = None
    gate: Literal["passed", "failed", "skipped"] = "skipped"
    warned: tuple[str, ...] = ()
