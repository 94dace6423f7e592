"""From the standard's model to ours: every promise of a file and its tables checked as it is taken over.

Columns are read in `columns`, single values in `fields`, files in `reader`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from open_data_contract_standard.model import DataQuality, OpenDataContractStandard, SchemaObject

from connectors.contract.access import map_access
from connectors.contract.columns import map_column
from connectors.contract.fields import (
    Place,
    checked_name,
    chosen,
    custom_values,
    needed,
    refuse_repeats,
    refuse_unread,
    severity_of,
)
from connectors.contract.model import LoadMode, Rule, SystemContract, TableContract

_SYSTEM_PROPERTIES = {
    "nameZh": str,
    "timezone": str,
    "shrinkMaxShare": float,
    "rejectMaxShare": float,
    "manifest": str,
}
_TABLE_PROPERTIES = {
    "loadMode": str,
    "cursor": str,
    "overlapMinutes": int,
    "sweepEveryDays": int,
    "order": str,
    "sourceFormat": str,
    "encoding": str,
    "manifest": str,
    "asOf": str,
    "shrinkMaxShare": float,
    "rejectMaxShare": float,
}
_OPERATORS = ("<", "<=", ">", ">=", "=", "!=")
_ENCODINGS = ("utf-8", "gb18030", "gbk")
_MANIFESTS = ("required", "optional")
# Weekly: a week is how long a change that its source hides may stay unseen, and a seventh of the cost of seeing all.
_SWEEP_EVERY_DAYS = 7
_FORMATS = ("csv", "xlsx", "jsonl", "parquet")


def map_contract(contract: OpenDataContractStandard, place: Place) -> SystemContract:
    """A whole file.

    Raises:
        ContractError: the file promises something that is unknown, missing or contradictory.
    """
    properties = custom_values(contract.customProperties, _SYSTEM_PROPERTIES, place)
    system = checked_name(contract.id, place, "id")
    timezone = str(needed(properties.get("timezone"), place, "customProperties timezone", "an IANA time zone"))
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise place.error(
            f"Unknown time zone {timezone!r}.", at="timezone", expected="e.g. Asia/Shanghai", do="correct the name"
        ) from None
    servers = contract.servers or []
    if len(servers) != 1:
        raise place.error(
            "The contract must name one server.",
            at="servers",
            expected="one entry",
            do="keep one: its address is a setting",
        )
    transport, access = map_access(servers[0].customProperties, place)
    team = contract.team
    owner = None if team is None or isinstance(team, list) else team.name
    head = SystemContract(
        system=system,
        version=_version(contract, place),
        zh=str(needed(properties.get("nameZh"), place, "customProperties nameZh", "the Chinese name")),
        en=str(needed(contract.name, place, "name", "the English name")),
        owner_department=checked_name(owner, place, "team.name"),
        transport=transport,
        timezone=timezone,
        tables=(),
        access=access,
    )
    defaults = {key: value for key, value in properties.items() if key.endswith("Share") or key == "manifest"}
    latencies = _latencies(contract, place)
    tables = tuple(_map_table(item, head, defaults, latencies, place) for item in contract.schema_ or [])
    if not tables:
        raise place.error("The contract has no table.", at="schema", expected="at least one table", do="add the tables")
    refuse_repeats((table.name for table in tables), place, "schema")
    if unknown := set(latencies) - {table.name for table in tables} - {""}:
        raise place.error(
            f"slaProperties name an unknown element: {', '.join(sorted(unknown))}.",
            at="slaProperties",
            expected="the name of a table of this file",
            do="correct the element",
        )
    return replace(head, tables=tables)


def _version(contract: OpenDataContractStandard, place: Place) -> str:
    """Three numbers: raising the first one says that raw cannot follow and is to be pulled anew."""
    version = str(needed(contract.version, place, "version", "e.g. 1.0.0"))
    if not re.fullmatch(r"\d{1,4}\.\d{1,4}\.\d{1,4}", version):
        raise place.error(
            f"{version!r} is not a version.", at="version", expected="three numbers, e.g. 1.0.0", do="correct it"
        )
    return version


def _map_table(
    item: SchemaObject, head: SystemContract, defaults: Mapping[str, Any], latencies: Mapping[str, int], at: Place
) -> TableContract:
    name = checked_name(item.name, at, "schema … name")
    place = replace(at, table=name)
    refuse_unread(item, {"relationships": "relationships at the column that refers"}, place)
    own = {**defaults, **custom_values(item.customProperties, _TABLE_PROPERTIES, place)}
    columns = tuple(map_column(column, head.system, place) for column in item.properties or [])
    if not columns:
        raise place.error("The table has no column.", at="properties", expected="at least one", do="add the columns")
    refuse_repeats((column.name for column in columns), place, "properties")
    types = {column.name: column.pg_type for column in columns}
    key = _key(item, place)
    load_mode = chosen(own.get("loadMode"), LoadMode, place, "customProperties loadMode")
    cursor = _cursor(own, load_mode, types, place)
    as_of = own.get("asOf")
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
    _require_choice(own, "encoding", _ENCODINGS, place)
    _require_choice(own, "manifest", _MANIFESTS, place)
    for share in ("shrinkMaxShare", "rejectMaxShare"):
        if not 0 <= float(needed(own.get(share), place, share, "a share from 0 to 1, here or for the whole file")) <= 1:
            raise place.error(f"{share} is not a share.", at=share, expected="a number from 0 to 1", do="correct it")
    unique = Rule("unique_key", "unique_key", "reject", None, {"columns": key}, "Each key once")
    return TableContract(
        system=head.system,
        name=name,
        version=head.version,
        zh=str(needed(item.businessName, place, "businessName", "the Chinese name")),
        en=str(needed(item.description, place, "description", "an English description")),
        load_mode=load_mode,
        columns=columns,
        key=key,
        cursor=cursor,
        source_name=str(needed(item.physicalName, place, "physicalName", "the table, path or file at the source")),
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
        needs_manifest=own.get("manifest") != "optional",
        sweep_every_days=_sweep(own, load_mode, place),
        is_ordered=_order(own, head.transport, cursor, place),
    )


def _require_choice(own: Mapping[str, Any], name: str, choices: tuple[str, ...], place: Place) -> None:
    if own.get(name) not in (None, *choices):
        raise place.error(
            f"Unknown {name}: {own[name]!r}.",
            at=f"customProperties {name}",
            expected=f"one of {', '.join(choices)}",
            do="correct it",
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


def _sweep(own: Mapping[str, Any], load_mode: str, place: Place) -> int | None:
    """After how many days an incremental table is pulled whole once more."""
    days = own.get("sweepEveryDays")
    if days is not None and (load_mode != "incremental" or days < 1):
        raise place.error(
            "sweepEveryDays does not fit the table.",
            at="customProperties sweepEveryDays",
            expected="a number of days from 1, with loadMode incremental: other modes see every row or delete none",
            do="correct or remove it",
        )
    return (days or _SWEEP_EVERY_DAYS) if load_mode == "incremental" else None


def _order(own: Mapping[str, Any], transport: str, cursor: str | None, place: Place) -> bool:
    """Whether the service promises its rows by ascending cursor."""
    order = own.get("order")
    if order is not None and (order != "cursor" or cursor is None or transport != "rest"):
        raise place.error(
            "order does not fit the table.",
            at="customProperties order",
            expected="`cursor`, for a table with a cursor behind transport rest: databases are asked for that order",
            do="correct or remove it",
        )
    return order is not None


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


def _table_rules(item: SchemaObject, types: Mapping[str, str], place: Place) -> tuple[int, int, tuple[Rule, ...]]:
    volume: list[float | int] | None = None
    rules: list[Rule] = []
    for check in item.quality or []:
        if check.metric == "rowCount" and check.mustBeBetween is not None:
            refuse_unread(check, {"severity": "none: a batch outside of the band is held"}, place)
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
    refuse_repeats((rule.name for rule in rules), place, "quality")
    return int(volume[0]), int(volume[1]), tuple(rules)


def _expression(check: DataQuality, types: Mapping[str, str], place: Place) -> Rule:
    name = checked_name(check.name, place, "quality … name")
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
    return Rule(name, "expression", severity_of(check, place), str(left), dict(parts), check.description or "")


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
