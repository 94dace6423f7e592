"""Reads contract files: YAML, then the standard's own model, then our promises checked one by one.

What a contract means as SQL, as row checks or as a suite belongs elsewhere; here a file is either understood in full or
refused with its file, table, column, rule, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import BaseModel, ValidationError

from connectors.contract.fields import Place
from connectors.contract.mapping import map_contract
from connectors.contract.model import SystemContract
from warehouse.errors import ContractError
from warehouse.paths import CONTRACTS_DIR

API_VERSION = "v3.1.0"


def load_contracts(directory: Path = CONTRACTS_DIR) -> dict[str, SystemContract]:
    """All contracts of a directory, by system, in the order of their file names.

    Read once per content of the directory: files whose size and time have not changed are not parsed again.

    Raises:
        ContractError: a file cannot be read or says something that cannot be kept.
    """
    files = sorted(directory.glob("*.yaml"))
    if not files:
        raise ContractError(
            "There is no data contract.",
            where=str(directory),
            expected="one <system>.yaml per source system",
            do="check that the project is installed completely",
        )
    stamps = tuple((path, stat.st_mtime_ns, stat.st_size) for path in files for stat in (path.stat(),))
    return dict(_load_cached(stamps))


def load_contract(path: Path) -> SystemContract:
    """One contract file. References to other systems are left for `load_contracts` to check.

    Raises:
        ContractError: the file cannot be read or says something that cannot be kept.
    """
    place = Place(path.name)
    data = _read_yaml(path)
    for where, key, known in _unknown_keys(data, OpenDataContractStandard, ""):
        raise place.error(
            f"Unknown key {key!r}.",
            at=where,
            expected=f"a key of the Open Data Contract Standard here: {', '.join(sorted(known))}",
            do="correct the spelling, or use customProperties for what the standard does not know",
        )
    try:
        contract = OpenDataContractStandard(**data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise place.error(
            "A value has the wrong form.",
            at=".".join(str(part) for part in first["loc"]),
            expected=first["msg"],
            do="correct the value in the file",
        ) from None
    if contract.apiVersion != API_VERSION or contract.kind != "DataContract":
        raise place.error(
            "The file does not declare the standard it follows.",
            at="apiVersion, kind",
            expected=f"apiVersion: {API_VERSION} and kind: DataContract",
            do="correct the head of the file",
        )
    if contract.id != path.stem:
        raise place.error(
            "The contract's id is not its file's name.",
            at="id",
            expected=path.stem,
            do="rename the file or correct the id: it is the system's name everywhere",
        )
    return map_contract(contract, place)


@lru_cache(maxsize=8)
def _load_cached(stamps: tuple[tuple[Path, int, int], ...]) -> tuple[tuple[str, SystemContract], ...]:
    contracts = {path.stem: load_contract(path) for path, _, _ in stamps}
    for contract in contracts.values():
        check_references(contract, contracts)
    return tuple(contracts.items())


def _read_yaml(path: Path) -> dict[str, Any]:
    place = Place(path.name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise place.error(
            f"The contract file cannot be read: {reason}.", expected="a readable UTF-8 file", do="check path and rights"
        ) from None
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader that also refuses repeated keys
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "unknown line"
        raise place.error(
            f"The contract file is not valid YAML: {getattr(error, 'problem', None) or 'unreadable'}.",
            at=line,
            expected="YAML 1.1, each key once",
            do="correct the line; an editor with YAML support shows the place",
        ) from None
    if not isinstance(data, dict):
        raise place.error(
            "The contract file holds no contract.", expected="a mapping with apiVersion, id, schema", do="fill the file"
        )
    return data


class _Loader(yaml.CSafeLoader):
    """The C loader (8 times faster than the Python one), refusing a key given twice, which YAML lets pass."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(getattr(key_node, "value", ""))
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The pydantic model inside an annotation such as `list[SchemaProperty] | None`, when there is exactly one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, list):
        models = {model for model in map(_model_of, get_args(annotation)) if model}
        return models.pop() if len(models) == 1 else None
    return None


@dataclass(frozen=True)
class _Keys:
    known: frozenset[str]
    children: Mapping[str, type[BaseModel] | None]


@lru_cache(maxsize=64)
def _keys_of(model: type[BaseModel]) -> _Keys:
    fields = {info.alias or name: _model_of(info.annotation) for name, info in model.model_fields.items()}
    return _Keys(frozenset(fields), fields)


def _unknown_keys(data: Any, model: type[BaseModel], where: str) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Keys the standard does not know. Its package refuses them at the top only; a misspelt `requird` deeper in the
    file would silently switch a promise off."""
    if isinstance(data, list):
        for item in data:
            name = item.get("name", item.get("property", "")) if isinstance(item, dict) else ""
            yield from _unknown_keys(item, model, f"{where}[{name}]")
        return
    if not isinstance(data, dict):
        return
    keys = _keys_of(model)
    for key, value in data.items():
        if key not in keys.known:
            yield where, str(key), keys.known
        elif (child := keys.children[key]) is not None:
            # A team may be a list of members or a mapping; both models carry the same keys we use.
            yield from _unknown_keys(value, child, f"{where}.{key}".lstrip("."))


def check_references(contract: SystemContract, contracts: Mapping[str, SystemContract]) -> None:
    """Every `relationships … to` of a contract names a column that exists, in this or in another system.

    Raises:
        ContractError: one does not.
    """
    known = {
        f"{other.system}.{table.name}.{column.name}"
        for other in contracts.values()
        for table in other.tables
        for column in table.columns
    }
    for table in contract.tables:
        for column in table.columns:
            if column.reference and column.reference not in known:
                raise Place(f"{contract.system}.yaml", table.name, column.name).error(
                    f"The column refers to {column.reference}, which no contract has.",
                    at="relationships",
                    expected="<table>.<column> of this file or <system>.<table>.<column> of another",
                    do="correct the target",
                )
