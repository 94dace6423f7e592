"""What the landing promises: its result. No SQL, no connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

BatchState = Literal["admitted", "held", "failed"]


@dataclass(frozen=True)
class Allowance:
    """Leave for one batch to mark more rows deleted than its contract allows: who gave it, and why."""

    by: str
    why: str


@dataclass(frozen=True)
class LandingResult:
    """One finished batch, as its ledger row says it.

    Attributes:
        state: admitted; held (delivered, not admitted, kept in quarantine); failed (the pull broke, nothing kept).
        gate: passed, failed, or skipped where the batch would have changed nothing or never reached it.
        reason: why it was held or failed, or what an admitted batch wants the data team to know.
        broken: why the pull broke behind the rows of an admitted batch; the table is stale then, and the next pull goes
            on behind them.
        new_columns: names the source had and the contract does not; None where the pull saw no columns.
        swept_on: the business date an incremental table was last pulled whole on; None: as before.
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
    new_columns: tuple[str, ...] | None = None
    swept_on: date | None = None
    broken: str | None = None

    @property
    def is_current(self) -> bool:
        """Whether raw now holds what the source held."""
        return self.state == "admitted" and self.broken is None
