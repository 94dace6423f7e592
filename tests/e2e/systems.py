"""The four systems read straight, without the hub: values as the systems say them, one frame per table.

civil affairs by SQL, market supervision over its signed HTTP, urban management from its SQLite file, care homes from
the files of the drop folder.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
import secrets
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import psycopg
from python_calamine import CalamineWorkbook

from demo.systems import serving

CIVIL = ("residents", "benefits", "care_assessments")
MARKET = ("enterprises", "licences", "inspections", "penalties", "special_equipment", "lifecycle_notices")
URBAN = ("sites", "cases", "case_steps", "waste_weighings")
CARE = ("institutions", "beds", "stays", "staff", "prices", "device_alarms", "device_uptime")
# What a drop brings of these adds to the drops before it.
APPENDED = ("device_alarms", "device_uptime")
PAGE_SIZE = 300

Frames = dict[tuple[str, str], pd.DataFrame]


def read_all(home: Path) -> Frames:
    """Every row of every table of the four systems."""
    frames: Frames = {}
    frames.update({("civil_affairs", name): civil_affairs(home, name) for name in CIVIL})
    frames.update(market_supervision(home))
    frames.update({("urban_management", name): urban_management(home, name) for name in URBAN})
    frames.update({("care_homes", name): care_homes(home, name) for name in CARE})
    return frames


def civil_affairs(home: Path, table: str) -> pd.DataFrame:
    """A table of the database of civil affairs."""
    with psycopg.connect(host=str(home / "postgres"), user="postgres", dbname="city_civil_affairs") as connection:
        cursor = connection.execute(f"select * from {table}".encode())
        return _frame(cursor.fetchall(), [column.name for column in cursor.description or ()])


def urban_management(home: Path, table: str) -> pd.DataFrame:
    """A table of the SQLite file of urban management."""
    connection = sqlite3.connect(f"file:{home}/demo/urban_management.sqlite?mode=ro", uri=True)
    try:
        cursor = connection.execute(f"select * from {table}")
        return _frame(cursor.fetchall(), [column[0] for column in cursor.description])
    finally:
        connection.close()


def market_supervision(home: Path) -> Frames:
    """All resources of the REST service, page by page, every request signed."""
    frames: Frames = {}
    with serving(home) as given, httpx.Client(base_url=given["CITYHUB_SOURCE_MARKET_SUPERVISION_URL"]) as client:
        key_id = given["CITYHUB_SOURCE_MARKET_SUPERVISION_KEY_ID"]
        secret = given["CITYHUB_SOURCE_MARKET_SUPERVISION_SECRET"].encode()
        for name in MARKET:
            items: list[dict[str, Any]] = []
            total, page = 1, 0
            while len(items) < total:
                page += 1
                path = f"/v1/{name}?page={page}&size={PAGE_SIZE}"
                answer = client.get(path, headers=_signed(key_id, secret, path))
                answer.raise_for_status()
                body = answer.json()
                total = body["total"]
                items += body["items"]
            names = list(items[0]) if items else []
            frames["market_supervision", name] = _frame([tuple(item.values()) for item in items], names)
    return frames


def _signed(key_id: str, secret: bytes, path: str) -> dict[str, str]:
    stamp, nonce = str(int(time.time())), secrets.token_hex(8)
    text = f"GET\n{path}\n{stamp}\n{nonce}\n{hashlib.sha256(b'').hexdigest()}"
    mark = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return {"X-Key-Id": key_id, "X-Timestamp": stamp, "X-Nonce": nonce, "X-Signature": mark}


def drops(home: Path) -> list[Path]:
    """The complete drops, oldest first."""
    return sorted(manifest.parent for manifest in (home / "demo/drops/care_homes").glob("*/_manifest.json"))


def care_homes(home: Path, table: str) -> pd.DataFrame:
    """A table of the drop folder: the newest file, or for events the last word of all files."""
    if table not in APPENDED:
        return _file(drops(home)[-1], table)
    key = {"device_alarms": ["alarm_no"], "device_uptime": ["device_no", "on_date"]}[table]
    files = [_file(drop, table).assign(drop=drop.name) for drop in drops(home)]
    # A later drop's word replaces an earlier one's; rows sent twice in one file stay, as the file has them.
    everything = pd.concat([file for file in files if len(file)], ignore_index=True)
    last = everything.groupby(key)["drop"].transform("max")
    return everything[everything["drop"] == last].drop(columns="drop").reset_index(drop=True)


def _file(drop: Path, table: str) -> pd.DataFrame:
    if table == "stays":
        sheet = CalamineWorkbook.from_path(drop / "stays.xlsx").get_sheet_by_index(0).to_python()
        return _frame([tuple(row) for row in sheet[1:]], [str(name) for name in sheet[0]])
    if table in APPENDED:
        lines = [json.loads(line) for line in (drop / f"{table}.jsonl").read_text("utf-8").splitlines()]
        names = list(lines[0]) if lines else []
        return _frame([tuple(line.values()) for line in lines], names)
    rows = list(csv.reader(io.StringIO((drop / f"{table}.csv").read_text("gb18030"))))
    return _frame([tuple(row) for row in rows[1:]], rows[0])


def _frame(rows: list[Any], names: list[str]) -> pd.DataFrame:
    """Values as they came; nothing said in any of the ways systems have for it becomes None."""
    frame = pd.DataFrame([list(row) for row in rows], columns=names, dtype=object)
    for name in names:
        frame[name] = pd.Series(
            [None if isinstance(value, str) and not value.strip() else value for value in frame[name]], dtype=object
        )
    return frame
