"""The table that the landing benchmarks move: 12 columns of a case register, half a per cent of its rows dirty.

Postgres makes the rows from their numbers, so that ten million need no generator in Python and every run has the same.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import psycopg
import yaml

from connectors.contract import SystemContract, load_contract

SYSTEM = "bench"
TABLE = "cases"
COLUMNS = (
    ("case_no", "text"),
    ("street_code", "text"),
    ("category", "text"),
    ("status", "text"),
    ("address", "text"),
    ("description", "text"),
    ("found_at", "timestamp"),
    ("closed_at", "timestamp"),
    ("due_on", "date"),
    ("cost_cny", "numeric(14,2)"),
    ("level", "integer"),
    ("is_urgent", "boolean"),
)
NAMES = tuple(name for name, _ in COLUMNS)
CATEGORIES = ("litter", "parking", "noise", "lighting", "greenery", "drain", "stall", "fire_lane")
STATUSES = ("open", "dispatched", "disposed", "closed")
# Two in a thousand have a status nobody knows; one each a negative cost, no street, a level of 99.
DIRTY_PER_MILLE = 5

_ROWS = f"""
select
    'AJ' || lpad(n::text, 12, '0') as case_no,
    case when n % 1000 = 17 then null else '31011' || (5000 + n % 12)::text end as street_code,
    (array[{", ".join(f"'{name}'" for name in CATEGORIES)}])[1 + n % 8] as category,
    case when n % 500 = 3 then '??' else (array[{", ".join(f"'{name}'" for name in STATUSES)}])[1 + n % 4] end
        as status,
    '滨江路' || (n % 900)::text || '号' || (n % 40)::text || '栋' || (n % 1800)::text || '室' as address,
    case when n % 7 = 0 then '' else '居民反映楼道堆放杂物，已通知物业处理' || (n % 5000)::text end as description,
    timestamp '2024-06-30 08:00:00' + (n % 60000000) * interval '1 second' as found_at,
    case when n % 4 = 3 then timestamp '2024-06-30 10:00:00' + (n % 60000000) * interval '1 second' end as closed_at,
    date '2024-07-01' + (n % 700)::int as due_on,
    case when n % 1000 = 29 then -1 else (n % 99991) / 7.0 end::numeric(14,2) as cost_cny,
    case when n % 1000 = 31 then 99 else 1 + n % 5 end::integer as level,
    n % 9 = 0 as is_urgent
from generate_series({{first}}::bigint, {{last}}::bigint) as n
"""


def columns_ddl() -> str:
    """The columns as they are declared at the source."""
    return ", ".join(f"{name} {kind}" for name, kind in COLUMNS)


def make_source(conninfo: str, rows: int, some: int) -> None:
    """Fill the department's table anew, and a table `some_cases` with the first `some` rows."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"drop table if exists {TABLE}".encode())
        connection.execute(f"create table {TABLE} ({columns_ddl()})".encode())
        connection.execute(f"insert into {TABLE} {_ROWS.format(first=1, last=rows)}".encode())
        connection.execute(f"drop table if exists some_{TABLE}".encode())
        connection.execute(f"create table some_{TABLE} as select * from {TABLE} limit {some}".encode())
        connection.execute(f"vacuum (analyze) {TABLE}, some_{TABLE}".encode())


def change_source(conninfo: str, share: float) -> None:
    """Change this share of the rows, evenly spread."""
    step = round(1 / share)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(
            f"update {TABLE} set cost_cny = cost_cny + 1 where right(case_no, 12)::bigint % {step} = 5".encode()
        )
        connection.execute(f"vacuum (analyze) {TABLE}".encode())


def write_drop(conninfo: str, folder: Path, rows: int) -> None:
    """A drop of the first rows as one GB18030 file with its manifest."""
    folder.mkdir(parents=True)
    digest, path = hashlib.sha256(), folder / f"{TABLE}.csv"
    query = f"copy (select * from {TABLE} limit {rows}) to stdout (format csv, header)"
    with (
        psycopg.connect(conninfo) as connection,
        path.open("wb") as file,
        connection.cursor().copy(query.encode()) as lines,
    ):
        for line in lines:
            encoded = bytes(line).decode().encode("gb18030")
            digest.update(encoded)
            file.write(encoded)
    manifest = {"files": {path.name: {"rows": rows, "sha256": digest.hexdigest()}}}
    (folder / "_manifest.json").write_text(json.dumps(manifest))


def contract(folder: Path, transport: str, source: str = TABLE, **own: Any) -> SystemContract:
    """The contract of the table, written to `folder` and read from there."""
    properties = {"loadMode": "snapshot", "shrinkMaxShare": 0.2, **own}
    content = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": SYSTEM,
        "name": "Benchmark",
        "version": "1.0.0",
        "status": "active",
        "team": {"name": "bench", "description": "基准 · Benchmark"},
        "servers": [
            {
                "server": "source",
                "type": "custom",
                "customProperties": [{"property": "transport", "value": transport}],
            }
        ],
        "slaProperties": [{"property": "latency", "value": 36, "unit": "h"}],
        "customProperties": _properties({"nameZh": "基准", "timezone": "Asia/Shanghai", "rejectMaxShare": 0.05}),
        "schema": [
            {
                "name": TABLE,
                "businessName": "案件",
                "description": "Cases",
                "physicalName": source,
                "physicalType": "table",
                "customProperties": _properties(properties),
                "quality": [
                    {"metric": "rowCount", "mustBeBetween": [0, 100_000_000]},
                    {
                        "name": "closed_after_found",
                        "type": "custom",
                        "engine": "cityhub",
                        "implementation": {"left": "closed_at", "operator": ">=", "right": "found_at"},
                        "severity": "error",
                    },
                ],
                "properties": [_column(name) for name in NAMES],
            }
        ],
    }
    path = folder / f"{SYSTEM}.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return load_contract(path)


_KINDS: dict[str, dict[str, Any]] = {
    "case_no": {"logicalType": "string", "required": True, "primaryKey": True, "primaryKeyPosition": 1},
    "street_code": {"logicalType": "string", "required": True, "logicalTypeOptions": {"pattern": r"^\d{9}$"}},
    "category": {"logicalType": "string", "required": True, "one_of": CATEGORIES},
    "status": {"logicalType": "string", "required": True, "one_of": STATUSES},
    "address": {"logicalType": "string"},
    "description": {"logicalType": "string"},
    "found_at": {"logicalType": "timestamp", "required": True},
    "closed_at": {"logicalType": "timestamp"},
    "due_on": {"logicalType": "date", "logicalTypeOptions": {"minimum": "2000-01-01"}},
    "cost_cny": {"logicalType": "number", "physicalType": "numeric(14,2)", "logicalTypeOptions": {"minimum": 0}},
    "level": {"logicalType": "integer", "logicalTypeOptions": {"minimum": 1, "maximum": 5}},
    "is_urgent": {"logicalType": "boolean"},
}


def _column(name: str) -> dict[str, Any]:
    kind = dict(_KINDS[name])
    values = kind.pop("one_of", None)
    quality = [{"metric": "invalidValues", "arguments": {"validValues": list(values)}, "mustBe": 0}] if values else []
    common = {"name": name, "businessName": name, "description": name, "classification": "internal"}
    return {**common, **kind, **({"quality": quality} if quality else {})}


def _properties(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in values.items()]
