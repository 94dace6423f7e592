"""From the standard's model to ours: every promise checked as it is taken over.

Only what the standard says and what our custom properties add; reading files belongs in `reader`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args
from zoneinfo import ZoneInfo

from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)

from connectors.contract.code_lists import CODE_LISTS
from connectors.contract.model import (
    Classification,
    ColumnContract,
    Identifier,
    LoadMode,
    Mask,
    Rule,
    Severity,
    SystemContract,
    TableContract,
    Transport,
)
from warehouse.errors import ContractError

_SYSTEM_PROPERTIES = {"nameZh": str, "timezone": str, "shrinkMaxShare": float, "rejectMaxShare": float}
_SERVER_PROPERTIES = {"transport": str}
_TABLE_PROPERTIES = {
    "loadMode": str,
    "cursor": str,
    "overlapMinutes": int,
    "sourceFormat": str,
    "encoding": str,
    "asOf": str,
    "shrinkMaxShare": float,
    "rejectMaxShare": float,
}
_COLUMN_PROPERTIES = {"mask": str, "identifier": str, "codeList": str}
_PG_TYPES = {"string": "text", "integer": "integer", "boolean": "boolean", "date": "date", "timestamp": "timestamptz"}
_ALLOWED_PHYSICAL = {"integer": r"integer|bigint|smallint", "number": r"numeric\(\d{1,2},\d{1,2}\)"}
_SEVERITIES: Mapping[str | None, Severity] = {None: "reject", "error": "reject", "warning": "warn"}
_OPERATORS = ("<", "<=", ">", ">=", "=", "!=")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")
_FORMATS = ("csv", "xlsx", "jsonl", "parquet")


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


def map_contract(contract: OpenDataContractStandard, place: Place) -> SystemContract:
    """A whole file.

    Raises:
        ContractError: the file promises something that is unknown, missing or contradictory.
    """
    properties = _custom(contract.customProperties, _SYSTEM_PROPERTIES, place)
    system = _name(contract.id, place, "id")
    timezone = str(_need(properties.get("timezone"), place, "customProperties timezone", "an IANA time zone"))
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise place.error(
            f"Unknown time zone {timezone!r}.", at="timezone", expected="e.g. Asia/Shanghai", do="correct the name"
        ) from None
    servers = contract.servers or []
    if len(servers) != 1:
        raise place.error(
            "The contract must name one server.", at="servers", expected="one entry", do="keep one: its address is a setting"
        )
    transport = _custom(servers[0].customProperties, _SERVER_PROPERTIES, place).get("transport")
    team = contract.team
    owner = None if team is None or isinstance(team, list) else team.name
    head = SystemContract(
        system=system,
        version=str(_need(contract.version, place, "version", "e.g. 1.0.0")),
        zh=str(_need(properties.get("nameZh"), place, "customProperties nameZh", "the Chinese name")),
        en=str(_need(contract.name, place, "name", "the English name")),
        owner_department=_name(owner, place, "team.name"),
        transport=_choice(transport, Transport, place, "servers … transport"),
        timezone=timezone,
        tables=(),
    )
    defaults = {key: value for key, value in properties.items() if key.endswith("Share")}
    latencies = _latencies(contract, place)
    tables = tuple(_map_table(item, head, defaults, latencies, place) for item in contract.schema_ or [])
    if not tables:
        raise place.error("The contract has no table.", at="schema", expected="at least one table", do="add the tables")
    _unique((table.name for table in tables), place, "schema")
    if unknown := set(latencies) - {table.name for table in tables} - {""}:
        raise place.error(
            f"slaProperties name an unknown element: {', '.join(sorted(unknown))}.",
            at="slaProperties",
            expected="the name of a table of this file",
            do="correct the element",
        )
    return replace(head, tables=tables)


def _map_table(
    item: SchemaObject, head: SystemContract, defaults: Mapping[str, Any], latencies: Mapping[str, int], at: Place
) -> TableContract:
    name = _name(item.name, at, "schema … name")
    place = replace(at, table=name)
    own = {**defaults, **_custom(item.customProperties, _TABLE_PROPERTIES, place)}
    columns = tuple(_map_column(column, head.system, place) for column in item.properties or [])
    if not columns:
        raise place.error("The table has no column.", at="properties", expected="at least one", do="add the columns")
    _unique((column.name for column in columns), place, "properties")
    types = {column.name: column.pg_type for column in columns}
    key = _key(item, place)
    load_mode = _choice(own.get("loadMode"), LoadMode, place, "customProperties loadMode")
    cursor = _cursor(own, load_mode, types, place)
    as_of = own.get("asOf") or ("updated_at" if types.get("updated_at") == "timestamptz" else None)
    if as_of is not None and as_of not in types:
        raise place.error(f"asOf names no column: {as_of}.", at="asOf", expected="a column", do="correct the name")
    volume_min, volume_max, rules = _table_rules(item, types, place)
    source_format = own.get("sourceFormat")
    if (head.transport == "files") != (source_format is not None) or source_format not in (None, *_FORMATS):
        raise place.error(
            "sourceFormat does not fit the transport.",
            at="customProperties sourceFormat",
            expected=f"one of {', '.join(_FORMATS)} for transport files, nothing otherwise",
            do="add, correct or remove it",
        )
    for share in ("shrinkMaxShare", "rejectMaxShare"):
        if not 0 <= float(_need(own.get(share), place, share, "a share from 0 to 1, here or for the whole file")) <= 1:
            raise place.error(f"{share} is not a share.", at=share, expected="a number from 0 to 1", do="correct it")
    unique = Rule("unique_key", "unique_key", "reject", None, {"columns": key}, "Each key once")
    return TableContract(
        system=head.system,
        name=name,
        version=head.version,
        zh=str(_need(item.businessName, place, "businessName", "the Chinese name")),
        en=str(_need(item.description, place, "description", "an English description")),
        load_mode=load_mode,
        columns=columns,
        key=key,
        cursor=cursor,
        source_name=str(_need(item.physicalName, place, "physicalName", "the table, path or file at the source")),
        source_format=source_format,
        encoding=own.get("encoding"),
        rules=(unique, *rules),
        volume_min=volume_min,
        volume_max=volume_max,
        shrink_max_share=float(own["shrinkMaxShare"]),
        reject_max_share=float(own["rejectMaxShare"]),
        freshness_hours=_freshness(latencies, name, place),
        overlap_minutes=int(own.get("overlapMinutes", 0)),
        as_of_column=as_of,
        timezone=head.timezone,
        raw_schema=head.raw_schema,
    )


def _cursor(own: Mapping[str, Any], load_mode: str, types: Mapping[str, str], place: Place) -> str | None:
    cursor = own.get("cursor")
    if cursor is None and load_mode == "incremental":
        raise place.error(
            "An incremental table needs a cursor.",
            at="customProperties cursor",
            expected="a date or timestamp column that moves with every change",
            do="name it, or use loadMode snapshot",
        )
    if cursor is not None and load_mode == "snapshot":
        raise place.error(
            "A snapshot has no cursor.", at="cursor", expected="none", do="remove it or change the load mode"
        )
    if cursor is not None and types.get(cursor) not in ("date", "timestamptz"):
        raise place.error(
            f"The cursor {cursor!r} is not a date or timestamp column of the table.",
            at="customProperties cursor",
            expected="the name of such a column",
            do="correct the name",
        )
    return None if cursor is None else str(cursor)


def _key(item: SchemaObject, place: Place) -> tuple[str, ...]:
    keyed = [column for column in item.properties or [] if column.primaryKey]
    positions = sorted(column.primaryKeyPosition or 0 for column in keyed)
    if not keyed or positions != list(range(1, len(keyed) + 1)):
        raise place.error(
            "The table's key is not complete.",
            at="primaryKeyPosition",
            expected="at least one column with primaryKey, positions 1, 2, … without gaps",
            do="mark the key columns",
        )
    for column in keyed:
        if not column.required or column.classification in ("personal", "sensitive"):
            raise replace(place, column=str(column.name)).error(
                "This column cannot be part of the key.",
                at="primaryKey",
                expected="required, and not personal: keys are shown in quarantine lists",
                do="choose another key or mark the column required",
            )
    return tuple(str(column.name) for column in sorted(keyed, key=lambda column: column.primaryKeyPosition or 0))


def _map_column(item: SchemaProperty, system: str, at: Place) -> ColumnContract:
    name = _name(item.name, at, "properties … name")
    place = replace(at, column=name)
    own = _custom(item.customProperties, _COLUMN_PROPERTIES, place)
    pg_type = _pg_type(item, place)
    options = dict(item.logicalTypeOptions or {})
    if unknown := set(options) - {"pattern", "minimum", "maximum"}:
        raise place.error(
            f"Unknown logicalTypeOptions: {', '.join(sorted(unknown))}.",
            at="logicalTypeOptions",
            expected="pattern, minimum or maximum",
            do="remove them, or state the rule under quality",
        )
    identifier = None if "identifier" not in own else _choice(own["identifier"], Identifier, place, "identifier")
    if (identifier or "pattern" in options) and pg_type != "text":
        raise place.error("Only text can have a pattern or an identifier.", expected="logicalType string", do="correct it")
    code_list = own.get("codeList")
    if code_list is not None and code_list not in CODE_LISTS:
        raise place.error(
            f"Unknown code list {code_list!r}.", at="codeList", expected=", ".join(CODE_LISTS), do="correct the name"
        )
    column = ColumnContract(
        name=name,
        pg_type=pg_type,
        required=bool(item.required),
        zh=str(_need(item.businessName, place, "businessName", "the Chinese name")),
        en=str(_need(item.description, place, "description", "an English description")),
        classification=_choice(item.classification, Classification, place, "classification"),
        mask=None if "mask" not in own else _choice(own["mask"], Mask, place, "mask"),
        identifier=identifier,
        pattern=_pattern(options.get("pattern"), place),
        minimum=_bound(options.get("minimum"), pg_type, place),
        maximum=_bound(options.get("maximum"), pg_type, place),
        reference=_reference(item, system, place),
        code_list=code_list,
    )
    return _with_rules(column, item.quality or [], place)


def _with_rules(column: ColumnContract, quality: Iterable[DataQuality], place: Place) -> ColumnContract:
    name = column.name
    rules = [Rule(f"{name}_type", "type", "reject", name, {"pg_type": column.pg_type})]
    if column.required:
        rules.append(Rule(f"{name}_required", "required", "reject", name))
    if column.minimum is not None or column.maximum is not None:
        bounds = {"minimum": column.minimum, "maximum": column.maximum}
        rules.append(Rule(f"{name}_range", "range", "reject", name, bounds))
    if column.pattern is not None:
        rules.append(Rule(f"{name}_pattern", "pattern", "warn", name, {"pattern": column.pattern}))
    if column.identifier:
        rules.append(Rule(f"{name}_identifier", "identifier", "warn", name, {"kind": column.identifier}))
    if column.code_list:
        values = CODE_LISTS[column.code_list]
        rules.append(Rule(f"{name}_known", "reference", "warn", name, {"code_list": column.code_list, "values": values}))
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
    severity = _severity(check, place)
    description = check.description or ""
    if check.metric == "invalidValues" and check.mustBe == 0:
        values = (check.arguments or {}).get("validValues")
        if column.pg_type != "text" or not values or not all(isinstance(value, str) for value in values):
            raise place.error(
                "An enumeration needs its values.",
                at="quality invalidValues",
                expected="arguments: {validValues: [a, b]} with text values, on a text column",
                do="list the values; put quotes around those that YAML reads as numbers or booleans",
            )
        return Rule(
            f"{column.name}_enum", "enum", severity, column.name, {"values": tuple(values)}, description
        )
    if check.metric == "missingValues" and check.unit == "percent" and check.mustBeLessOrEqualTo is not None:
        share = float(check.mustBeLessOrEqualTo) / 100
        return Rule(f"{column.name}_missing", "missing_share", severity, column.name, {"max_share": share}, description)
    raise place.error(
        f"Unknown quality rule {check.name or check.metric or check.type!r}.",
        at="quality",
        expected="metric invalidValues with validValues and mustBe: 0, or missingValues in percent with mustBeLessOrEqualTo",
        do="use one of these, or a custom rule at the table",
    )


def _table_rules(item: SchemaObject, types: Mapping[str, str], place: Place) -> tuple[int, int, tuple[Rule, ...]]:
    volume: list[float | int] | None = None
    rules: list[Rule] = []
    for check in item.quality or []:
        if check.metric == "rowCount" and check.mustBeBetween is not None:
            volume = check.mustBeBetween
        elif check.type == "custom" and check.engine == "cityhub":
            rules.append(_expression(check, types, place))
        else:
            raise place.error(
                f"Unknown quality rule {check.name or check.metric or check.type!r}.",
                at="quality",
                expected="metric rowCount with mustBeBetween, or type custom with engine cityhub",
                do="use one of these",
            )
    if volume is None or not 0 <= volume[0] <= volume[1]:
        raise place.error(
            "The table has no volume band.",
            at="quality rowCount",
            expected="{metric: rowCount, mustBeBetween: [least, most]}",
            do="state how many rows the table may have",
        )
    _unique((rule.name for rule in rules), place, "quality")
    return int(volume[0]), int(volume[1]), tuple(rules)


def _expression(check: DataQuality, types: Mapping[str, str], place: Place) -> Rule:
    name = _name(check.name, place, "quality … name")
    parts = check.implementation if isinstance(check.implementation, dict) else {}
    left, right = parts.get("left"), parts.get("right")
    unknown = [str(side) for side in (left, right) if side is not None and side not in types]
    fits = set(parts) in ({"left", "operator", "right"}, {"left", "operator", "value"})
    if not fits or parts["operator"] not in _OPERATORS or unknown:
        raise place.error(
            f"The rule {name!r} cannot be understood" + (f": no column {', '.join(unknown)}." if unknown else "."),
            at=f"quality {name}",
            expected="implementation: {left: <column>, operator: '>=', right: <column>} (or value: <constant>)",
            do="correct the rule",
        )
    if right is not None and types[str(left)] != types[str(right)]:
        raise place.error(
            f"The rule {name!r} compares {types[str(left)]} with {types[str(right)]}.",
            at=f"quality {name}",
            expected="two columns of the same type",
            do="correct the rule or the types",
        )
    return Rule(name, "expression", _severity(check, place), str(left), dict(parts), check.description or "")


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


def _latencies(contract: OpenDataContractStandard, place: Place) -> dict[str, int]:
    """Promised hours between a source's state and its arrival here, by table; `""` holds the file's default."""
    hours: dict[str, int] = {}
    for promise in contract.slaProperties or []:
        if promise.property != "latency" or promise.unit != "h" or not isinstance(promise.value, (int, float)):
            raise place.error(
                f"Unknown slaProperties entry {promise.property!r}.",
                at="slaProperties",
                expected="{property: latency, value: <hours>, unit: h} with or without element: <table>",
                do="correct the entry",
            )
        hours[promise.element or ""] = int(promise.value)
    return hours


def _freshness(latencies: Mapping[str, int], table: str, place: Place) -> int:
    hours = latencies.get(table, latencies.get(""))
    if hours is None or hours <= 0:
        raise place.error(
            "No freshness is promised for the table.",
            at="slaProperties latency",
            expected="{property: latency, value: <hours>, unit: h} for the file or for this table",
            do="add the promise",
        )
    return hours


def _severity(check: DataQuality, place: Place) -> Severity:
    if check.severity not in _SEVERITIES:
        raise place.error(
            f"Unknown severity {check.severity!r}.", at="quality", expected="error or warning", do="correct it"
        )
    return _SEVERITIES[check.severity]


def _custom(items: Iterable[CustomProperty] | None, known: Mapping[str, type], place: Place) -> dict[str, Any]:
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


def _name(value: str | None, place: Place, at: str) -> str:
    # 50 characters leave room for `_<column>_grade` within Postgres's 63.
    if value is None or not _NAME.fullmatch(value):
        raise place.error(
            f"{value!r} is not a name.",
            at=at,
            expected="lower-case snake_case beginning with a letter, at most 51 characters",
            do="correct the name",
        )
    return value


def _need(value: Any, place: Place, at: str, expected: str) -> Any:
    if value is None or value == "":
        raise place.error(f"{at} is missing.", at=at, expected=expected, do="add it to the file")
    return value


def _choice(value: Any, literal: Any, place: Place, at: str) -> Any:
    allowed = get_args(literal)
    if value not in allowed:
        raise place.error(
            f"{at} is {'missing' if value is None else f'unknown: {value!r}'}.",
            at=at,
            expected=f"one of {', '.join(allowed)}",
            do="correct the value",
        )
    return value


def _unique(names: Iterable[str], place: Place, at: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise place.error(f"{name!r} is declared twice.", at=at, expected="each name once", do="remove one")
        seen.add(name)
