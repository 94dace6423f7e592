"""Data contracts as the rest of the hub reads them: load, models, DDL.

The files are `connectors/contracts/<system>.yaml`; docs/reference/contracts.md says how to write one. Nothing here opens
a connection or looks at a row.
"""

from __future__ import annotations

from connectors.contract.model import ColumnContract, Rule, SystemContract, TableContract
from connectors.contract.reader import load_contract, load_contracts

__all__ = ["ColumnContract", "Rule", "SystemContract", "TableContract", "load_contract", "load_contracts"]
