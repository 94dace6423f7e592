"""The quarantine as work: rejected rows sent to their owners, repaired and replayed, or waived, each step on record.

How rows get into the quarantine belongs to the landing, what a rule means to the checks. Workbooks hold rows as
received, personal values included; nothing else that leaves this package does.
"""

from __future__ import annotations

from connectors.quarantine.decisions import person, waive
from connectors.quarantine.export import Exported, export_rejected
from connectors.quarantine.replay import replay_contract, replay_workbook
from connectors.quarantine.replay_batch import Replayed

__all__ = [
    "Exported",
    "Replayed",
    "export_rejected",
    "person",
    "replay_contract",
    "replay_workbook",
    "waive",
]
