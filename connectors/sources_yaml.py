"""dbt's `sources.yml`, made from the contracts: one source per system, its tables, columns, labels and masks.

Run `python -m connectors.sources_yaml` after a contract has changed; a test compares the file with the contracts.
It reads the directory of CITYHUB_CONTRACTS_DIR and writes the project's file, or the file given as its argument.
Freshness is judged from the batch ledger, not by dbt.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from connectors.contract import ColumnContract, SystemContract, TableContract, load_contracts
from warehouse.paths import DBT_PROJECT_DIR
from warehouse.settings import get_settings

SOURCES_PATH = DBT_PROJECT_DIR / "models" / "staging" / "sources.yml"

_HEADER = (
    "# Generated from connectors/contracts by `python -m connectors.sources_yaml`; change the contracts instead.\n"
)


def render_sources(contracts: Mapping[str, SystemContract]) -> str:
    """The whole file as text, the same text for the same contracts."""
    sources = [_source(contract) for contract in contracts.values()]
    body = yaml.dump({"version": 2, "sources": sources}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118)
    return _HEADER + body


def write_sources(path: Path = SOURCES_PATH) -> bool:
    """Brings the file up to date; returns whether it had to change."""
    text = render_sources(load_contracts(get_settings().contracts_dir))
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True


def _source(contract: SystemContract) -> dict[str, Any]:
    return {
        "name": contract.raw_schema,
        "schema": contract.raw_schema,
        "description": f"{contract.zh} · {contract.en}",
        "loader": "cityhub",
        "config": {"meta": {"system": contract.system, "owner_department": contract.owner_department}},
        "tables": [_table(table) for table in contract.tables],
    }


def _table(table: TableContract) -> dict[str, Any]:
    return {
        "name": table.name,
        "description": f"{table.zh} · {table.en}",
        "config": {"meta": {"load_mode": table.load_mode, "key": list(table.key)}},
        "columns": [entry for column in table.columns for entry in _columns(column)],
    }


def _columns(column: ColumnContract) -> list[dict[str, Any]]:
    meta: dict[str, Any] = {"classification": column.classification}
    if column.mask:
        meta["mask"] = column.mask
    entries = [
        {
            "name": column.name,
            "description": f"{column.zh} · {column.en}",
            "data_type": column.pg_type,
            "config": {"meta": meta},
        }
    ]
    if column.identifier:
        key, grade = column.helper_columns
        entries.append({"name": key, "description": f"{column.zh} · Join key of {column.name}", "data_type": "text"})
        entries.append({"name": grade, "description": f"{column.zh} · Grade of {column.name}", "data_type": "text"})
    return entries


class _Dumper(yaml.SafeDumper):
    """Lists indented under their key, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


if __name__ == "__main__":
    write_sources(*map(Path, sys.argv[1:2]))
