"""The words between the landing and the admission gate, two rooms that do not import each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from connectors.contract.model import TableContract


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
    warnings: Mapping[str, int] = field(default_factory=dict)
    rejections: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GateResult:
    """A gate's word: passed unless an error failed; the names of what failed and of what people should look at.

    What the checks observed is recorded by the gate, without row values.
    """

    passed: bool
    failed: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()


class AdmissionGate(Protocol):
    """Decides whether a staged batch may change the raw table."""

    def __call__(self, request: GateRequest) -> GateResult: ...
