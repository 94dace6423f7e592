"""Which rows the contracts admit, and what their values are: a reading of the YAML of its own.

Row by row, as a clerk would do it. Times come out as naive Shanghai time, which has had no clock changes since 1991.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from tests.e2e.systems import Frames
from warehouse.paths import CONTRACTS_DIR

SHANGHAI = dt.timezone(dt.timedelta(hours=8))
WORDS = {"是": True, "否": False, "1": True, "0": False, "true": True, "false": False}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


@dataclass(frozen=True)
class Admitted:
    """A table as the contract lets it in.

    Attributes:
        rows: admitted rows, typed.
        refused: per refused row its key as text, in the source's order; None where a part of the key is missing.
    """

    rows: pd.DataFrame
    refused: list[str | None]


def admit_all(frames: Frames) -> dict[tuple[str, str], Admitted]:
    """All tables."""
    return {place: admit(_table(*place), frame) for place, frame in frames.items()}


def admit(table: Mapping[str, Any], frame: pd.DataFrame) -> Admitted:
    """The rows of one table that its contract admits."""
    columns = {column["name"]: column for column in table["properties"]}
    key = [name for name, column in columns.items() if column.get("primaryKey")]
    typed, good = [], []
    for row in frame.to_dict("records"):
        values, is_good = {}, True
        for name, column in columns.items():
            value, fits = _value(column, row[name])
            values[name] = value
            is_good = is_good and fits
        good.append(is_good and _rules_hold(table, values))
        typed.append(values)
    refused = [_key_text(frame.iloc[i], key) for i, fits in enumerate(good) if not fits]
    rows = pd.DataFrame([values for values, fits in zip(typed, good, strict=True) if fits], columns=list(columns))
    rows = rows.astype(object).where(rows.notna(), None)
    options = _options(table)
    # Equal rows: the first stays; an event sent twice is one event and no fault.
    repeated = rows.duplicated(keep="first")
    if options["loadMode"] != "append":
        refused += [_key_text(row, key) for _, row in rows[repeated].iterrows()]
    rows = rows[~repeated]
    # Rows that share a key and differ: the latest counts where the table has a clock. Otherwise nothing says which is
    # right, and none stays.
    if "cursor" in options:
        rows = rows.sort_values(options["cursor"], kind="stable").drop_duplicates(subset=key, keep="last").sort_index()
    ambiguous = rows.duplicated(subset=key, keep=False)
    refused += [_key_text(row, key) for _, row in rows[ambiguous].iterrows()]
    return Admitted(rows[~ambiguous].reset_index(drop=True), refused)


def load_options(system: str, table: str) -> dict[str, Any]:
    """A table's custom properties (load mode, cursor, overlap) and its key."""
    declared = _table(system, table)
    key = [column for column in declared["properties"] if column.get("primaryKey")]
    key.sort(key=lambda column: int(column["primaryKeyPosition"]))
    return {**_options(declared), "key": [column["name"] for column in key]}


def _options(table: Mapping[str, Any]) -> dict[str, Any]:
    return {item["property"]: item["value"] for item in table["customProperties"]}


@lru_cache
def _table(system: str, name: str) -> dict[str, Any]:
    document = yaml.safe_load((Path(CONTRACTS_DIR) / f"{system}.yaml").read_text("utf-8"))
    found: dict[str, Any] = next(table for table in document["schema"] if table["name"] == name)
    return found


def _value(column: Mapping[str, Any], given: Any) -> tuple[Any, bool]:
    """The typed value, and whether it keeps the promises that refuse a row."""
    if given is None:
        return None, not column.get("required")
    try:
        value = _typed(column["logicalType"], given)
    except (ValueError, InvalidOperation, KeyError):
        return None, False
    options = column.get("logicalTypeOptions", {})
    for bound, compare in (("minimum", operator.ge), ("maximum", operator.le)):
        if bound in options and not compare(value, _typed(column["logicalType"], options[bound])):
            return value, False
    for rule in column.get("quality", []):
        allowed = rule.get("arguments", {}).get("validValues")
        if allowed is not None and rule.get("severity") != "warning" and value not in allowed:
            return value, False
    return value, True


def _typed(kind: str, given: Any) -> Any:
    text = str(given).strip()
    if kind == "string":
        return text
    if kind == "boolean":
        return WORDS[text.lower()]
    if kind == "integer":
        number = Decimal(text)
        if number != int(number):
            raise ValueError(text)
        return int(number)
    if kind == "number":
        return Decimal(text)
    if kind == "date":
        return dt.date.fromisoformat(text[:10])
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(SHANGHAI).replace(tzinfo=None)


def _rules_hold(table: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    for rule in table.get("quality", []):
        if rule.get("engine") != "cityhub" or rule.get("severity") == "warning":
            continue
        parts = rule["implementation"]
        left = values[parts["left"]]
        right = values[parts["right"]] if "right" in parts else parts["value"]
        if left is not None and right is not None and not OPERATORS[parts["operator"]](left, right):
            return False
    return True


def _key_text(row: Any, key: list[str]) -> str | None:
    parts = [row[name] for name in key]
    return None if any(part is None for part in parts) else "|".join(str(part).strip() for part in parts)
