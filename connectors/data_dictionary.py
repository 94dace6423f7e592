"""The data dictionary, `docs/reference/data-dictionary.md`, made from the contracts in both languages.

Run `python -m connectors.data_dictionary` after a contract has changed; a test compares the page with the contracts.
It reads the directory of CITYHUB_CONTRACTS_DIR and writes the page above, or the file given as its argument.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from connectors.contract import ColumnContract, SystemContract, TableContract, load_contracts
from warehouse.paths import PROJECT_ROOT
from warehouse.settings import get_settings

DICTIONARY_PATH = PROJECT_ROOT / "docs" / "reference" / "data-dictionary.md"

_HEADER = """<!-- Generated from connectors/contracts by `python -m connectors.data_dictionary`; change those. -->
# 数据字典 · Data dictionary

What the source systems deliver, as their contracts declare it. Raw tables add bookkeeping columns that begin with an
underscore; how contracts are written is in [contracts.md](contracts.md).
"""


def render_dictionary(contracts: Mapping[str, SystemContract]) -> str:
    """The whole page as Markdown, the same text for the same contracts."""
    return _HEADER + "".join(_system(contract) for contract in contracts.values())


def write_dictionary(path: Path = DICTIONARY_PATH) -> None:
    """Brings the page up to date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contracts = load_contracts(get_settings().contracts_dir)
    path.write_text(render_dictionary(contracts), encoding="utf-8")


def _system(contract: SystemContract) -> str:
    head = f"\n## {contract.zh} · {contract.en} (`{contract.system}`)\n\n"
    facts = f"Version {contract.version}, owner `{contract.owner_department}`, transport `{contract.transport}`.\n"
    return head + facts + "".join(_table(table) for table in contract.tables)


def _table(table: TableContract) -> str:
    cursor = f", cursor `{table.cursor}`" if table.cursor else ""
    lines = [
        f"\n### {table.zh} · `{table.qualified_name}`\n",
        f"{table.en}. Load mode `{table.load_mode}`{cursor}, key {', '.join(f'`{name}`' for name in table.key)}, "
        f"fresh within {table.freshness_hours} h.\n",
        "| column | 名称 | description | type | classification | rules |",
        "|---|---|---|---|---|---|",
        *(_column(column) for column in table.columns),
    ]
    rules = [rule for rule in table.rules if rule.kind == "expression"]
    if rules:
        lines += ["", *(f"- `{rule.name}` ({rule.severity}): {rule.description}" for rule in rules)]
    return "\n".join(lines) + "\n"


def _column(column: ColumnContract) -> str:
    classification = column.classification + (f", masked as {column.mask}" if column.mask else "")
    cells = (f"`{column.name}`", column.zh, column.en, f"`{column.pg_type}`", classification, rules_text(column))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def rules_text(column: ColumnContract) -> str:
    """A column's rules in words, in the order a reader asks for them."""
    weighs = {rule.kind: rule.severity for rule in column.rules if "target" not in rule.params}
    counted = {kind: " (warn)" if severity == "warn" else "" for kind, severity in weighs.items()}
    parts = ["required"] if column.required else []
    if column.enum:
        parts.append("one of " + ", ".join(f"`{value}`" for value in column.enum) + counted["enum"])
    if column.minimum is not None:
        parts.append(f"≥ {_number(column.minimum)}{counted['range']}")
    if column.maximum is not None:
        parts.append(f"≤ {_number(column.maximum)}{counted['range']}")
    if column.identifier:
        parts.append(f"graded as {column.identifier}" + ("" if counted["identifier"] else " (reject)"))
    if column.pattern:
        parts.append(f"pattern ({weighs['pattern']})")
    if column.code_list:
        parts.append(f"code list {column.code_list} ({weighs['reference']})")
    if column.reference:
        parts.append(f"refers to `{column.reference}`")
    return "; ".join(parts)


def _number(bound: float | str) -> str:
    return f"{bound:g}" if isinstance(bound, float) else bound


if __name__ == "__main__":
    write_dictionary(*map(Path, sys.argv[1:2]))
