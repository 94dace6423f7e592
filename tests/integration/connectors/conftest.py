"""A small system of one table, landed for real: its contract, its source in each transport, and a gate that watches."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import stamina
import yaml

from connectors.contract import SystemContract, TableContract, load_contract
from connectors.landing import GateRequest, GateResult, LandingResult, land_table
from warehouse.database import Database
from warehouse.settings import get_settings

SYSTEM = "fire_safety"
COLUMNS = ("site_no", "name", "id_no", "checked_on", "fee_cny", "is_ok", "level", "updated_at")
KINDS = {
    "site_no": {"logicalType": "string", "required": True, "primaryKey": True, "primaryKeyPosition": 1},
    "name": {"logicalType": "string", "required": True},
    "id_no": {"logicalType": "string", "customProperties": [{"property": "identifier", "value": "citizen_no"}]},
    "checked_on": {"logicalType": "date"},
    "fee_cny": {"logicalType": "number", "physicalType": "numeric(10,2)", "logicalTypeOptions": {"minimum": 0}},
    "is_ok": {"logicalType": "boolean"},
    "level": {"logicalType": "integer"},
    "updated_at": {"logicalType": "timestamp"},
}


def contract_file(
    folder: Path, transport: str, mode: str, source: str, server: dict[str, Any] | None = None, **own: Any
) -> Path:
    """Write the contract of the one-table system; `server` holds properties of its server, `own` of its table."""
    access = [{"property": k, "value": v} for k, v in {"transport": transport, **(server or {})}.items()]
    properties: dict[str, Any] = {"loadMode": mode, "shrinkMaxShare": 0.2}
    properties |= {"cursor": "updated_at", "overlapMinutes": 60} if mode == "incremental" else {}
    properties |= own
    content = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": SYSTEM,
        "name": "Fire safety",
        "version": "1.0.0",
        "status": "active",
        "team": {"name": "fire", "description": "消防 · Fire"},
        "servers": [{"server": "source", "type": "custom", "customProperties": access}],
        "slaProperties": [{"property": "latency", "value": 48, "unit": "h"}],
        "customProperties": [
            {"property": "nameZh", "value": "消防"},
            {"property": "timezone", "value": "Asia/Shanghai"},
            {"property": "rejectMaxShare", "value": 0.5},
        ],
        "schema": [
            {
                "name": "checks",
                "businessName": "检查",
                "description": "Checks of sites",
                "physicalName": source,
                "physicalType": "table",
                "customProperties": [{"property": k, "value": v} for k, v in properties.items()],
                "quality": [{"metric": "rowCount", "mustBeBetween": [0, 1000000]}],
                "properties": [
                    {"name": n, "businessName": n, "description": n, "classification": "internal", **KINDS[n]}
                    for n in COLUMNS
                ],
            }
        ],
    }
    path = folder / f"{SYSTEM}.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


@dataclass
class Gate:
    """An admission gate that notes what it was asked and answers as told."""

    fails: tuple[str, ...] = ()
    asked: list[GateRequest] = field(default_factory=list)

    def __call__(self, request: GateRequest) -> GateResult:
        self.asked.append(request)
        return GateResult(not self.fails, failed=self.fails)


@dataclass
class Kit:
    """One system under test."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    gate: Gate = field(default_factory=Gate)

    def contract(self, transport: str, mode: str, source: str = "checks", **own: Any) -> SystemContract:
        return load_contract(contract_file(self.folder, transport, mode, source, **own))

    def address(self, url: str, key_id: str | None = None, secret: str | None = None) -> None:
        for suffix, value in (("URL", url), ("KEY_ID", key_id), ("SECRET", secret)):
            if value is not None:
                self.monkeypatch.setenv(f"CITYHUB_SOURCE_{SYSTEM.upper()}_{suffix}", value)

    def sqlite(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] = COLUMNS) -> Path:
        """An SQLite source holding exactly these rows; no key, so that any dirt can stand in it."""
        path = self.folder / "source.sqlite"
        with sqlite3.connect(path) as connection:
            connection.execute("drop table if exists checks")
            connection.execute(f"create table checks ({', '.join(columns)})")
            connection.executemany(f"insert into checks values ({', '.join('?' * len(columns))})", rows)
        connection.close()
        self.address(f"sqlite:///{path}")
        return path

    def drop(self, day: str, files: dict[str, bytes], rows: dict[str, int], *, manifest: bool = True) -> Path:
        """A dated folder with its manifest."""
        folder = self.folder / "drops" / day
        folder.mkdir(parents=True, exist_ok=True)
        entries = {}
        for name, content in files.items():
            (folder / name).write_bytes(content)
            entries[name] = {"rows": rows[name], "sha256": hashlib.sha256(content).hexdigest()}
        if manifest:
            (folder / "_manifest.json").write_text(json.dumps({"files": entries}))
        self.address(str(self.folder / "drops"))
        return folder

    def land(self, database: Database, contract: SystemContract, **options: Any) -> LandingResult:
        options = {"run_id": "run", "gate": self.gate} | options
        return land_table(database, get_settings(), contract, contract.tables[0], **options)


def row(number: int | str, **changes: Any) -> tuple[Any, ...]:
    """A good row as the source holds it."""
    values = {
        "site_no": f"S{number:03d}" if isinstance(number, int) else number,
        "name": "滨江消防站",
        "id_no": "11010519491231002X",
        "checked_on": "2026-06-30",
        "fee_cny": "12.50",
        "is_ok": "1",
        "level": "3",
        "updated_at": "2026-06-30 08:00:00",
    } | changes
    return tuple(values[name] for name in COLUMNS)


def raw_rows(database: Database, contract: SystemContract, *, live: bool = True) -> list[tuple[Any, ...]]:
    """Contract columns of the raw rows, by key."""
    table = contract.tables[0]
    columns = ", ".join(f'"{name}"' for name in table.column_names)
    where = "where _deleted_at is null" if live else ""
    with database.psycopg("pipeline") as connection:
        return connection.execute(f"select {columns} from {table.qualified_name} {where} order by 1").fetchall()


def fingerprint(database: Database, table: TableContract) -> str:
    """Every bit of a raw table."""
    with database.psycopg("pipeline") as connection:
        found = connection.execute(
            f"select md5(string_agg(r::text, e'\\n' order by r::text)) from {table.qualified_name} as r"
        ).fetchone()
    assert found is not None
    return str(found[0])


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kit:
    return Kit(tmp_path, monkeypatch)


@pytest.fixture
def make_row() -> Callable[..., tuple[Any, ...]]:
    return row


@pytest.fixture
def raw() -> Callable[..., list[tuple[Any, ...]]]:
    return raw_rows


@pytest.fixture
def print_of() -> Callable[[Database, TableContract], str]:
    return fingerprint


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    """Retries happen as in earnest, without their pauses."""
    with stamina.set_testing(True, attempts=3):
        yield
