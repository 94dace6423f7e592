"""Data contracts as the rest of the hub reads them: load, models, DDL.

The files are `connectors/contracts/<system>.yaml`; docs/reference/contracts.md says how to write one. Nothing here
opens a connection or looks at a row.

`load_contracts()` gives every system by name, `load_contract(path)` one file. `ddl.raw_table_ddl(table)` and
`ddl.stage_table_ddl(table, name)` give SQL; `ddl.typed_columns(table)` gives the columns of a good row in order.
The share limits of small tables have a floor: ask `table.allowed_rejects(read)` and `table.allowed_shrink(before)`.
"""

from __future__ import annotations

from connectors.contract.gate import AdmissionGate, GateRequest, GateResult
from connectors.contract.model import Access, ColumnContract, Rule, SystemContract, TableContract
from connectors.contract.reader import check_references, load_contract, load_contracts

__all__ = [
    "Access",
    "AdmissionGate",
    "ColumnContract",
    "GateRequest",
    "GateResult",
    "Rule",
    "SystemContract",
    "TableContract",
    "check_references",
    "load_contract",
    "load_contracts",
]
