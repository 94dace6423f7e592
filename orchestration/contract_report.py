"""What `cityhub contract` tells, as plain data: files checked, tables described, raw compared with its contracts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.contract import (
    ColumnContract,
    Rule,
    SystemContract,
    TableContract,
    check_references,
    load_contract,
)
from connectors.contract.drift import Drift, compare
from connectors.data_dictionary import rules_text
from orchestration import hub
from warehouse.errors import CityhubError, ConfigurationError, ContractError

# Tables of a raw schema that no contract has, without those the landing makes for itself or has set aside.
_WITHOUT_CONTRACT = r"""
select substr(schemaname, 5), tablename from pg_tables
where schemaname like 'raw\_%' and tablename not like '\_%' and tablename !~ '__v\d+_\d+_\d+$'
order by 1, 2
"""


@dataclass(frozen=True)
class CheckedFile:
    """A contract file: understood, or refused with its error."""

    path: Path
    contract: SystemContract | None
    error: ContractError | None

    def plain(self) -> dict[str, Any]:
        """For machines."""
        return {
            "file": str(self.path),
            "ok": self.error is None,
            "version": self.contract and self.contract.version,
            "tables": [table.name for table in self.contract.tables] if self.contract else [],
            "error": plain_error(self.error),
        }


def plain_error(error: CityhubError | None) -> dict[str, str] | None:
    """An error's four parts."""
    return None if error is None else dict(error.lines())


def check_files(given: Iterable[Path] | None = None) -> list[CheckedFile]:
    """Read every contract file, or those given in place of the hub's own of the same name.

    Raises:
        ContractError: there is no file at all.
    """
    directory = hub.hub_settings().contracts_dir
    own = sorted(directory.glob("*.yaml"))
    if not own and not given:
        raise ContractError(
            "There is no data contract.",
            where=str(directory),
            expected="one <system>.yaml per source system",
            do="check CITYHUB_CONTRACTS_DIR, and that the project is installed completely",
        )
    files = {path.stem: path for path in own} | {path.stem: path for path in given or ()}
    read = {name: _read(path) for name, path in files.items()}
    contracts = {name: checked.contract for name, checked in read.items() if checked.contract}
    # A reference to a file that is itself broken is not the fault of the file that refers to it.
    is_whole = len(contracts) == len(read)
    wanted = {path.stem for path in given} if given else set(read)
    return [_with_references(read[name], contracts) if is_whole else read[name] for name in read if name in wanted]


def _read(path: Path) -> CheckedFile:
    # The engine of the row checks takes 0.3 s, which the other commands should not pay.
    from connectors.checks.rules import require_patterns

    try:
        contract = load_contract(path)
        for table in contract.tables:
            require_patterns(table)
    except ContractError as error:
        return CheckedFile(path, None, error)
    return CheckedFile(path, contract, None)


def _with_references(checked: CheckedFile, contracts: Mapping[str, SystemContract]) -> CheckedFile:
    assert checked.contract is not None
    try:
        check_references(checked.contract, contracts)
    except ContractError as error:
        return CheckedFile(checked.path, checked.contract, error)
    return checked


def chosen_system(name: str) -> SystemContract:
    """The contract of a system.

    Raises:
        ConfigurationError: there is none.
    """
    contracts = hub.hub_contracts()
    if name not in contracts:
        raise ConfigurationError(
            f"There is no system called {name}.",
            where="argument SYSTEM",
            expected=" | ".join(contracts),
            do="choose one of these, or add connectors/contracts/<system>.yaml",
        )
    return contracts[name]


def chosen_tables(name: str) -> tuple[SystemContract, tuple[TableContract, ...]]:
    """`SYSTEM` or `SYSTEM.TABLE` as a contract and its tables.

    Raises:
        ConfigurationError, ContractError: there is no such system or table.
    """
    system, _, table = name.partition(".")
    contract = chosen_system(system)
    return contract, (contract.table(table),) if table else contract.tables


def drifts(contracts: Iterable[SystemContract]) -> list[Drift]:
    """How raw differs from these contracts, table by table."""
    tables = [table for contract in contracts for table in contract.tables]
    if not hub.has_warehouse():
        return [compare(table, None) for table in tables]
    # The landing brings Polars (0.3 s), which the other commands should not pay.
    from connectors.landing.ensure import read_drifts

    with hub.hub_database().psycopg("pipeline") as connection:
        return read_drifts(connection, tables)


def refusal(drift: Drift) -> ContractError:
    """Why the next run would refuse the table."""
    from connectors.landing.ensure import refusal as reason

    return reason(drift)


def without_contract(contracts: Mapping[str, SystemContract], system: str | None = None) -> Iterator[dict[str, Any]]:
    """Raw tables that no contract speaks of any more, as differences."""
    if not hub.has_warehouse():
        return
    with hub.hub_database().psycopg("pipeline") as connection:
        found = connection.execute(_WITHOUT_CONTRACT).fetchall()
    known = {(name, table.name) for name, contract in contracts.items() for table in contract.tables}
    for name, table in found:
        if (name, table) not in known and system in (None, name):
            why = "raw keeps its rows, and nothing pulls them"
            yield _row(name, table, "table", None, f"raw_{name}.{table}", "missing", "keep", why, None, None)


def differences(drift: Drift) -> list[dict[str, Any]]:
    """A table's differences for people and machines, each with what the next run makes of it."""
    table, made_under = drift.table, drift.shape.version if drift.shape else None
    rows = []
    for item in drift.differences:
        verdict = drift.verdict
        if verdict == "refuse" and item.is_safe and drift.unsafe:
            verdict = "migrate"
        why = f"{', '.join(drift.in_the_way)} reads it" if verdict == "refuse" and item.is_safe else item.why
        versions = (made_under, table.version)
        rows.append(
            _row(table.system, table.name, item.change, item.column, item.raw, item.contract, verdict, why, *versions)
        )
    return rows


def _row(
    system: str,
    table: str,
    change: str,
    column: str | None,
    raw: str,
    contract: str,
    verdict: str,
    why: str,
    raw_version: str | None,
    contract_version: str | None,
) -> dict[str, Any]:
    return {
        "system": system,
        "table": table,
        "column": column,
        "change": change,
        "raw": raw,
        "contract": contract,
        "verdict": verdict,
        "why": why,
        "raw_version": raw_version,
        "contract_version": contract_version,
    }


def describe(contract: SystemContract, tables: Iterable[TableContract]) -> dict[str, Any]:
    """A system and some of its tables as its contract has them."""
    return {
        "system": contract.system,
        "version": contract.version,
        "zh": contract.zh,
        "en": contract.en,
        "owner_department": contract.owner_department,
        "transport": contract.transport,
        "timezone": contract.timezone,
        "tables": [_table(table) for table in tables],
    }


def _table(table: TableContract) -> dict[str, Any]:
    return {
        "name": table.name,
        "zh": table.zh,
        "en": table.en,
        "raw_table": table.qualified_name,
        "load_mode": table.load_mode,
        "key": list(table.key),
        "cursor": table.cursor,
        "overlap_minutes": table.overlap_minutes if table.cursor else None,
        "sweep_every_days": table.sweep_every_days,
        "is_ordered": table.is_ordered,
        "source_name": table.source_name,
        "source_format": table.source_format,
        "encoding": table.encoding,
        "rows": [table.volume_min, table.volume_max],
        "shrink_max_share": table.shrink_max_share,
        "reject_max_share": table.reject_max_share,
        "freshness_hours": table.freshness_hours,
        "columns": [_column(column, table) for column in table.columns],
        "rules": [_rule(rule) for rule in table.rules],
    }


def _column(column: ColumnContract, table: TableContract) -> dict[str, Any]:
    return {
        "name": column.name,
        "zh": column.zh,
        "en": column.en,
        "type": column.pg_type,
        "required": column.required,
        "key_position": table.key.index(column.name) + 1 if column.name in table.key else None,
        "classification": column.classification,
        "mask": column.mask,
        "rules_text": rules_text(column),
        "rules": [_rule(rule) for rule in column.rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "kind": rule.kind,
        "severity": rule.severity,
        "params": dict(rule.params),
        "description": rule.description,
    }
