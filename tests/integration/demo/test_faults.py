"""Each fault of structure does in the running system what its name says, and `repair` undoes it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import conninfo as pgconninfo
from psycopg import sql

from demo import faults, systems
from demo.city import generate
from demo.systems import KEY_ID
from demo.systems.market_server import create_app, signature
from warehouse.errors import ConfigurationError

DATE = "2026-06-30"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, postgres_admin: str) -> Iterator[tuple[Path, str]]:
    home = tmp_path_factory.mktemp("home")
    database = f"city_{uuid.uuid4().hex[:10]}"
    systems.build(home, generate(200, seed=5), postgres_admin, civil_database=database)
    yield home, pgconninfo.make_conninfo(postgres_admin, dbname=database)
    with psycopg.connect(postgres_admin, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(database)))


@pytest.fixture
def home(whole: tuple[Path, str]) -> Iterator[Path]:
    yield whole[0]
    faults.repair(whole[0])


def _drop(home: Path) -> Path:
    return home / "demo" / "drops" / "care_homes" / DATE


def _civil_columns(dsn: str, table: str) -> dict[str, str]:
    query = "select column_name, data_type from information_schema.columns where table_name = %s"
    with psycopg.connect(dsn) as connection:
        return dict(connection.execute(query, [table]).fetchall())


def _urban(home: Path, query: str) -> list[Any]:
    with sqlite3.connect(home / "demo" / "urban_management.sqlite") as connection:
        return connection.execute(query).fetchall()


def _page(home: Path, path: str) -> Any:
    app = create_app(home / "demo" / "market_supervision.sqlite", KEY_ID, "secret")
    stamp, nonce = str(int(time.time())), uuid.uuid4().hex
    headers = {
        "X-Key-Id": KEY_ID,
        "X-Timestamp": stamp,
        "X-Nonce": nonce,
        "X-Signature": signature("secret", "GET", path, stamp, nonce),
    }

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(answer())


def test_a_column_renamed(whole: tuple[Path, str], home: Path) -> None:
    faults.rename_column(home, "civil_affairs", "residents", "phone", "mobile")
    assert {"mobile"} <= set(_civil_columns(whole[1], "residents"))
    faults.rename_column(home, "urban_management", "sites", "kind", "type")
    assert _urban(home, "select type from sites limit 1")
    faults.rename_column(home, "market_supervision", "penalties", "cause", "reason")
    assert "reason" in _page(home, "/v1/penalties").json()["items"][0]
    faults.rename_column(home, "care_homes", "staff", "role", "post")
    assert "post" in (_drop(home) / "staff.csv").read_bytes().decode("gb18030").splitlines()[0].split(",")


def test_a_column_dropped(whole: tuple[Path, str], home: Path) -> None:
    faults.drop_column(home, "civil_affairs", "benefits", "monthly_cny")
    assert "monthly_cny" not in _civil_columns(whole[1], "benefits")
    faults.drop_column(home, "urban_management", "cases", "due_at")
    assert "due_at" not in [row[1] for row in _urban(home, "pragma table_info(cases)")]
    faults.drop_column(home, "care_homes", "device_alarms", "kind")
    first = json.loads((_drop(home) / "device_alarms.jsonl").read_text().splitlines()[0])
    assert "kind" not in first
    with pytest.raises(ConfigurationError):
        faults.drop_column(home, "urban_management", "cases", "case_no")


def test_a_column_retyped(whole: tuple[Path, str], home: Path) -> None:
    faults.retype(home, "civil_affairs", "residents", "birth_on")
    assert _civil_columns(whole[1], "residents")["birth_on"] == "text"
    faults.retype(home, "urban_management", "waste_weighings", "wet_kg")
    assert _urban(home, "select wet_kg from waste_weighings limit 1")[0][0].startswith("#")
    faults.retype(home, "market_supervision", "licences", "valid_until")
    assert _page(home, "/v1/licences").json()["items"][0]["valid_until"].startswith("#")


def test_a_table_shrunk(whole: tuple[Path, str], home: Path) -> None:
    before = _urban(home, "select count(*) from sites")[0][0]
    faults.shrink_table(home, "urban_management", "sites", 0.5)
    assert _urban(home, "select count(*) from sites")[0][0] == before // 2
    total = _page(home, "/v1/licences").json()["total"]
    faults.shrink_table(home, "market_supervision", "licences", 0.25)
    assert _page(home, "/v1/licences").json()["total"] == int(total * 0.25)
    faults.shrink_table(home, "care_homes", "beds", 0.5)
    rows = json.loads((_drop(home) / "_manifest.json").read_text())["files"]["beds.csv"]["rows"]
    assert len((_drop(home) / "beds.csv").read_bytes().splitlines()) == rows + 1
    faults.shrink_table(home, "civil_affairs", "residents", 0.1)
    with psycopg.connect(whole[1]) as connection:
        (left,) = connection.execute("select count(*) from residents").fetchone() or (None,)
    assert left == 20


def test_a_clock_off_by_an_hour(home: Path) -> None:
    before = _urban(home, "select found_at from cases order by case_no limit 1")[0][0]
    faults.shift_clock(home, "urban_management", "cases", "found_at", 1)
    after = _urban(home, "select found_at from cases order by case_no limit 1")[0][0]
    assert int(after[11:13]) == (int(before[11:13]) + 1) % 24
    faults.shift_clock(home, "care_homes", "device_alarms", "raised_at", -1)
    assert "+08:00" in (_drop(home) / "device_alarms.jsonl").read_text().splitlines()[0]


def test_the_service_fails_on_one_page(home: Path) -> None:
    faults.rest_error_at_page(home, "inspections", 2)
    assert _page(home, "/v1/inspections?page=1&size=5").status_code == 200
    assert _page(home, "/v1/inspections?page=2&size=5").status_code == 500


def test_the_service_delivers_half_a_page_or_cuts_it_off(home: Path) -> None:
    faults.half_page(home, "lifecycle_notices", 1)
    answer = _page(home, "/v1/lifecycle_notices?page=1&size=10").json()
    assert len(answer["items"]) == 5
    assert answer["total"] > 10
    faults.cut_off_page(home, "lifecycle_notices", 2)
    with pytest.raises(json.JSONDecodeError):
        _page(home, "/v1/lifecycle_notices?page=2&size=10").json()


def test_a_file_truncated_recoded_unfinished_or_sent_twice(home: Path) -> None:
    manifest = json.loads((_drop(home) / "_manifest.json").read_text())["files"]
    faults.truncate_drop(home, "stays.xlsx")
    content = (_drop(home) / "stays.xlsx").read_bytes()
    assert hashlib.sha256(content).hexdigest() != manifest["stays.xlsx"]["sha256"]
    faults.wrong_encoding(home, "institutions.csv")
    assert "浦东" in (_drop(home) / "institutions.csv").read_bytes().decode("utf-8")
    again = faults.send_again(home)
    assert again.name == "2026-07-01"
    assert (again / "beds.csv").read_bytes() == (_drop(home) / "beds.csv").read_bytes()
    faults.missing_manifest(home)
    assert not (again / "_manifest.json").exists()


def test_repair_puts_everything_back(whole: tuple[Path, str], home: Path) -> None:
    before = {path.name: path.read_bytes() for path in _drop(home).iterdir()}
    faults.drop_column(home, "civil_affairs", "residents", "phone")
    faults.rest_error_at_page(home, "penalties", 1)
    faults.truncate_drop(home, "staff.csv")
    faults.missing_manifest(home)
    faults.repair(home)
    assert "phone" in _civil_columns(whole[1], "residents")
    assert _page(home, "/v1/penalties").status_code == 200
    assert {path.name: path.read_bytes() for path in _drop(home).iterdir()} == before


def test_unknown_tables_are_named(home: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        faults.rename_column(home, "urban_management", "houses", "a", "b")
    assert "houses" in caught.value.where
