"""Reading single values out of a contract file: each is right, or refused with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from open_data_contract_standard.model import CustomProperty, DataQuality

from connectors.contract.model import Severity
from warehouse.errors import ContractError

_SEVERITIES: Mapping[str, Severity] = {"error": "reject", "warning": "warn"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")


@dataclass(frozen=True)
class Place:
    """Where in the contracts we are, for errors."""

    file: str
    table: str = ""
    column: str = ""

    def error(self, what: str, *, at: str = "", expected: str, do: str) -> ContractError:
        """A ContractError that names file, table, column and key."""
        parts = [f"file {self.file}"]
        parts += [f"table {self.table}"] if self.table else []
        parts += [f"column {self.column}"] if self.column else []
        parts += [at] if at else []
        return ContractError(what, where=", ".join(parts), expected=expected, do=do)


def severity_of(check: DataQuality, place: Place) -> Severity:
    """How much a quality rule weighs: `error` (the default) rejects, `warning` counts."""
    return "reject" if check.severity is None else severity_named(check.severity, place)


def severity_named(value: Any, place: Place) -> Severity:
    """The severity of that name in the standard."""
    if not isinstance(value, str) or value not in _SEVERITIES:
        raise place.error(f"Unknown severity {value!r}.", at="severity", expected="error or warning", do="correct it")
    return _SEVERITIES[value]


def custom_values(items: Iterable[CustomProperty] | None, known: Mapping[str, type], place: Place) -> dict[str, Any]:
    """Our custom properties as a mapping, each known, of its type and given once."""
    values: dict[str, Any] = {}
    for item in items or []:
        name = item.property or ""
        if name not in known or name in values:
            raise place.error(
                f"{'Repeated' if name in values else 'Unknown'} custom property {name!r}.",
                at="customProperties",
                expected=f"each at most once of {', '.join(known)}",
                do="correct or remove it",
            )
        accepted = (int, float) if known[name] is float else (known[name],)
        if not isinstance(item.value, accepted) or isinstance(item.value, bool):
            raise place.error(
                f"The custom property {name!r} has the wrong type.",
                at="customProperties",
                expected=known[name].__name__,
                do="correct the value",
            )
        values[name] = item.value
    return values


def checked_name(value: str | None, place: Place, at: str) -> str:
    """A name that can be a Postgres name and part of a Python or dbt name."""
    # 50 characters leave room for `_<column>_grade` within Postgres's 63.
    if value is None or not _NAME.fullmatch(value):
        raise place.error(
            f"{value!r} is not a name.",
            at=at,
            expected="lower-case snake_case beginning with a letter, at most 51 characters",
            do="correct the name",
        )
    return value


def needed(value: Any, place: Place, at: str, expected: str) -> Any:
    """A value that must be there."""
    if value is None or value == "":
        raise place.error(f"{at} is missing.", at=at, expected=expected, do="add it to the file")
    return value


def chosen(value: Any, literal: Any, place: Place, at: str) -> Any:
    """A value that must be one of a Literal's."""
    allowed = get_args(literal)
    if value not in allowed:
        raise place.error(
            f"{at} is {'missing' if value is None else f'unknown: {value!r}'}.",
            at=at,
            expected=f"one of {', '.join(allowed)}",
            do="correct the value",
        )
    return value


def refuse_repeats(names: Iterable[str], place: Place, at: str) -> None:
    """Refuses a name declared twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise place.error(f"{name!r} is declared twice.", at=at, expected="each name once", do="remove one")
        seen.add(name)


def refuse_unread(item: Any, instead: Mapping[str, str], place: Place) -> None:
    """Refuses keys of the standard that promise something and are not read here: left unread they would look kept.

    `instead`: how each of them is written in the hub's contracts.
    """
    for key, way in instead.items():
        if getattr(item, key):
            raise place.error(f"The key {key!r} is not read here.", at=key, expected=way, do="write it that way")
