"""One column of a contract file with the rules it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from open_data_contract_standard.model import DataQuality, SchemaProperty

from connectors.contract.code_lists import CODE_LISTS
from connectors.contract.fields import (
    Place,
    checked_name,
    chosen,
    custom_values,
    needed,
    refuse_unread,
    severity_named,
    severity_of,
)
from connectors.contract.model import Classification, ColumnContract, Identifier, Mask, Rule, Severity

_PROPERTIES = {"mask": str, "identifier": str, "codeList": str, "severity": dict}
_UNREAD = {
    "enum": "quality: {metric: invalidValues, arguments: {validValues: […]}, mustBe: 0}",
    "unique": "primaryKey and primaryKeyPosition: the key is what is unique",
    "properties": "one column for each value of the source: nested ones are none",
    "items": "one column for each value of the source: lists are none",
    "map": "one column for each value of the source: maps are none",
}
# Rules that a column's own keys stand for, and what becomes of a row that breaks them unless the contract says
# otherwise. Not among them: `type` and `required`, for raw has no place for what breaks these, and a reference to
# another table, which is judged when all tables have arrived and no row can be refused any more.
_USUAL: Mapping[str, Severity] = {"range": "reject", "pattern": "warn", "identifier": "warn", "codeList": "warn"}
_PG_TYPES = {"string": "text", "integer": "integer", "boolean": "boolean", "date": "date", "timestamp": "timestamptz"}
_ALLOWED_PHYSICAL = {"integer": r"integer|bigint|smallint", "number": r"numeric\(\d{1,2},\d{1,2}\)"}


def map_column(item: SchemaProperty, system: str, at: Place) -> ColumnContract:
    """A column as declared, with the rules its type, bounds, identifier and quality entries stand for."""
    name = checked_name(item.name, at, "properties … name")
    place = replace(at, column=name)
    refuse_unread(item, _UNREAD, place)
    own = custom_values(item.customProperties, _PROPERTIES, place)
    pg_type = _pg_type(item, place)
    options = dict(item.logicalTypeOptions or {})
    if unknown := set(options) - {"pattern", "minimum", "maximum"}:
        raise place.error(
            f"Unknown logicalTypeOptions: {', '.join(sorted(unknown))}.",
            at="logicalTypeOptions",
            expected="pattern, minimum or maximum",
            do="remove them, or state the rule under quality",
        )
    identifier = None if "identifier" not in own else chosen(own["identifier"], Identifier, place, "identifier")
    if (identifier or "pattern" in options) and pg_type != "text":
        raise place.error(
            "Only text can have a pattern or an identifier.", expected="logicalType string", do="correct it"
        )
    code_list = own.get("codeList")
    if code_list is not None and code_list not in CODE_LISTS:
        raise place.error(
            f"Unknown code list {code_list!r}.", at="codeList", expected=", ".join(CODE_LISTS), do="correct the name"
        )
    column = ColumnContract(
        name=name,
        pg_type=pg_type,
        required=bool(item.required),
        zh=str(needed(item.businessName, place, "businessName", "the Chinese name")),
        en=str(needed(item.description, place, "description", "an English description")),
        classification=chosen(item.classification, Classification, place, "classification"),
        mask=None if "mask" not in own else chosen(own["mask"], Mask, place, "mask"),
        identifier=identifier,
        pattern=_pattern(options.get("pattern"), place),
        minimum=_bound(options.get("minimum"), pg_type, place),
        maximum=_bound(options.get("maximum"), pg_type, place),
        reference=_reference(item, system, place),
        code_list=code_list,
    )
    return _with_rules(column, item.quality or [], _severities(own.get("severity", {}), column, place), place)


def _severities(own: Mapping[str, Any], column: ColumnContract, place: Place) -> Mapping[str, Severity]:
    """How much each rule weighs that is written without a severity of its own."""
    stated = {
        "range": column.minimum is not None or column.maximum is not None,
        "pattern": column.pattern is not None,
        "identifier": column.identifier is not None,
        "codeList": column.code_list is not None,
    }
    if unfit := [str(rule) for rule in own if not stated.get(str(rule))]:
        raise place.error(
            f"severity speaks of a rule that the column has not: {', '.join(unfit)}.",
            at="customProperties severity",
            expected=f"any of {', '.join(rule for rule in stated)}, each stated for the column",
            do="state the rule, or remove its severity",
        )
    return {**_USUAL, **{rule: severity_named(value, place) for rule, value in own.items()}}


def _with_rules(
    column: ColumnContract, quality: Iterable[DataQuality], weighs: Mapping[str, Severity], place: Place
) -> ColumnContract:
    name = column.name
    rules = [Rule(f"{name}_type", "type", "reject", name, {"pg_type": column.pg_type})]
    if column.required:
        rules.append(Rule(f"{name}_required", "required", "reject", name))
    if column.minimum is not None or column.maximum is not None:
        bounds = {"minimum": column.minimum, "maximum": column.maximum}
        rules.append(Rule(f"{name}_range", "range", weighs["range"], name, bounds))
    if column.pattern is not None:
        rules.append(Rule(f"{name}_pattern", "pattern", weighs["pattern"], name, {"pattern": column.pattern}))
    if column.identifier:
        rules.append(Rule(f"{name}_identifier", "identifier", weighs["identifier"], name, {"kind": column.identifier}))
    if column.code_list:
        values = CODE_LISTS[column.code_list]
        params = {"code_list": column.code_list, "values": values}
        rules.append(Rule(f"{name}_known", "reference", weighs["codeList"], name, params))
    if column.reference:
        rules.append(Rule(f"{name}_reference", "reference", "warn", name, {"target": column.reference}))
    enum: tuple[str, ...] | None = None
    for check in quality:
        rule = _column_rule(column, check, place)
        rules.append(rule)
        if rule.kind == "enum":
            enum = tuple(str(value) for value in rule.params["values"])  # type: ignore[attr-defined]
    return replace(column, enum=enum, rules=tuple(rules))


def _column_rule(column: ColumnContract, check: DataQuality, place: Place) -> Rule:
    severity = severity_of(check, place)
    description = check.description or ""
    if check.metric == "invalidValues" and check.mustBe == 0:
        arguments = check.arguments or {}
        values = arguments.get("validValues")
        if (
            column.pg_type != "text"
            or set(arguments) != {"validValues"}
            or not values
            or not all(isinstance(value, str) for value in values)
        ):
            raise place.error(
                "An enumeration needs its values.",
                at="quality invalidValues",
                expected="arguments: {validValues: [a, b]} with text values, on a text column",
                do="list the values; put quotes around those that YAML reads as numbers or booleans",
            )
        return Rule(f"{column.name}_enum", "enum", severity, column.name, {"values": tuple(values)}, description)
    if check.metric == "missingValues" and check.unit == "percent" and check.mustBeLessOrEqualTo is not None:
        share = float(check.mustBeLessOrEqualTo) / 100
        return Rule(f"{column.name}_missing", "missing_share", severity, column.name, {"max_share": share}, description)
    raise place.error(
        f"Unknown quality rule {check.name or check.metric or check.type!r}.",
        at="quality",
        expected="invalidValues with validValues and mustBe: 0, or missingValues in percent with mustBeLessOrEqualTo",
        do="use one of these, or a custom rule at the table",
    )


def _pg_type(item: SchemaProperty, place: Place) -> str:
    logical = item.logicalType or ""
    physical = (item.physicalType or _PG_TYPES.get(logical, "")).replace(" ", "")
    if logical not in (*_PG_TYPES, "number") or not re.fullmatch(
        _ALLOWED_PHYSICAL.get(logical, re.escape(_PG_TYPES.get(logical, ""))), physical
    ):
        raise place.error(
            f"Unknown type {logical or 'none'} / {item.physicalType or 'none'}.",
            at="logicalType, physicalType",
            expected="string, integer (or bigint), boolean, date, timestamp, or number with physicalType numeric(p,s)",
            do="correct the type",
        )
    return physical


def _pattern(value: Any, place: Place) -> str | None:
    if value is None:
        return None
    try:
        re.compile(str(value))
    except re.error as error:
        raise place.error(
            f"The pattern is not a regular expression: {error}.", at="pattern", expected="a valid one", do="correct it"
        ) from None
    return str(value)


def _bound(value: Any, pg_type: str, place: Place) -> float | str | None:
    if value is None:
        return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_date = isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is not None
    if is_number and (pg_type.startswith("numeric") or pg_type in ("integer", "bigint", "smallint")):
        return float(value)
    if is_date and pg_type in ("date", "timestamptz"):
        return str(value)
    raise place.error(
        "A bound does not fit the column's type.",
        at="logicalTypeOptions minimum, maximum",
        expected="a number for numbers, 'YYYY-MM-DD' in quotes for dates",
        do="correct the bound",
    )


def _reference(item: SchemaProperty, system: str, place: Place) -> str | None:
    targets = [relationship.to for relationship in item.relationships or []]
    if not targets:
        return None
    parts = str(targets[0]).split(".")
    if len(targets) > 1 or isinstance(targets[0], list) or len(parts) not in (2, 3):
        raise place.error(
            "The relationship cannot be understood.",
            at="relationships",
            expected="one `to: <table>.<column>` or `to: <system>.<table>.<column>`",
            do="correct the target",
        )
    return ".".join([system, *parts] if len(parts) == 2 else parts)
