"""The four systems as the hub meets them: a database, a signed service, another database, a drop folder."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import polars as pl
import psycopg
import pytest
from psycopg import conninfo as pgconninfo
from psycopg import sql
from python_calamine import CalamineWorkbook
from sqlalchemy import create_engine, text

import demo
from demo import systems
from demo.city import City, generate
from demo.city.tables import TABLES, tables_of
from demo.city.truth import row_key
from demo.systems.listening import bound_socket
from demo.systems.market_server import signature
from warehouse.errors import ConfigurationError

RESIDENTS = 300


@dataclass(frozen=True)
class Built:
    home: Path
    city: City
    admin: str
    database: str
    seconds: float


def _build(home: Path, admin: str, residents: int = RESIDENTS, seed: int = 7) -> Built:
    database = f"city_{uuid.uuid4().hex[:10]}"
    start = time.perf_counter()
    city = generate(residents, seed)
    systems.build(home, city, admin, civil_database=database)
    return Built(home, city, admin, database, time.perf_counter() - start)


def _drop_database(built: Built) -> None:
    with psycopg.connect(built.admin, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(built.database)))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, postgres_admin: str) -> Iterator[Built]:
    result = _build(tmp_path_factory.mktemp("home"), postgres_admin)
    yield result
    _drop_database(result)


class Client:
    """Signs requests as a department would."""

    def __init__(self, env: dict[str, str]) -> None:
        self.base = env["CITYHUB_SOURCE_MARKET_SUPERVISION_URL"]
        self.key_id = env["CITYHUB_SOURCE_MARKET_SUPERVISION_KEY_ID"]
        self.secret = env["CITYHUB_SOURCE_MARKET_SUPERVISION_SECRET"]
        self.http = httpx.Client(timeout=10)

    def get(self, path: str, **changed: str) -> httpx.Response:
        stamp, nonce = str(int(time.time())), uuid.uuid4().hex
        headers = {
            "X-Key-Id": self.key_id,
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Signature": signature(self.secret, "GET", path, stamp, nonce),
        }
        return self.http.get(self.base + path, headers=headers | changed)


@pytest.fixture
def client(built: Built) -> Iterator[Client]:
    with systems.serving(built.home, in_thread=True) as env:
        signed = Client(env)
        yield signed
        signed.http.close()


def test_a_small_city_is_there_in_seconds(built: Built) -> None:
    assert built.seconds < 3
    assert demo.exists(built.home)
    assert demo.clock(built.home) == built.city.clock
    assert not demo.exists(built.home / "elsewhere")


def test_without_a_city_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        demo.clock(tmp_path)
    assert "cityhub demo" in caught.value.do


def test_civil_affairs_holds_the_city(built: Built) -> None:
    with systems.serving(built.home, in_thread=True) as env:
        engine = create_engine(env["CITYHUB_SOURCE_CIVIL_AFFAIRS_URL"])
        with engine.connect() as connection:
            for table in tables_of("civil_affairs"):
                count = connection.execute(text(f"select count(*) from {table.name}")).scalar_one()
                assert count == built.city.held(table.full_name).height
            row = connection.execute(text("select * from residents order by person_no limit 1")).mappings().one()
        engine.dispose()
    expected = built.city.held("civil_affairs.residents").sort("person_no").row(0, named=True)
    assert dict(row) == expected


def test_urban_management_holds_the_city(built: Built) -> None:
    with sqlite3.connect(built.home / "demo" / "urban_management.sqlite") as connection:
        for table in tables_of("urban_management"):
            (count,) = connection.execute(f"select count(*) from {table.name}").fetchone()
            assert count == built.city.held(table.full_name).height
        (found,) = connection.execute("select found_at from cases where case_no = 'AJ000000001'").fetchone()
        assert len(found) == len("2024-07-01 10:00:00")


def test_the_drop_is_what_its_manifest_says(built: Built) -> None:
    drop = built.home / "demo" / "drops" / "care_homes" / built.city.clock.isoformat()
    files = json.loads((drop / "_manifest.json").read_text())["files"]
    assert set(files) == {path.name for path in drop.iterdir()} - {"_manifest.json"}
    for name, facts in files.items():
        assert hashlib.sha256((drop / name).read_bytes()).hexdigest() == facts["sha256"]
    staff = (drop / "staff.csv").read_bytes().decode("gb18030").splitlines()
    assert len(staff) - 1 == files["staff.csv"]["rows"]
    assert staff[1].endswith(("是", "否"))
    head, *stays = CalamineWorkbook.from_path(drop / "stays.xlsx").get_sheet_by_index(0).to_python()
    assert head == list(TABLES["care_homes.stays"].columns)
    assert len(stays) == files["stays.xlsx"]["rows"]
    alarm = json.loads((drop / "device_alarms.jsonl").read_text().splitlines()[0])
    assert alarm["raised_at"].endswith("+08:00")


def test_every_true_record_stands_in_its_system(built: Built) -> None:
    truth = built.home / "demo" / "truth"
    persons = pl.read_parquet(truth / "persons.parquet")
    assert persons.columns == ["system", "table", "key", "role", "true_id"]
    urban = persons.filter(pl.col("system") == "urban_management")["key"]
    with sqlite3.connect(built.home / "demo" / "urban_management.sqlite") as connection:
        known = [key for (key,) in connection.execute("select case_no from cases where reporter_name is not null")]
    assert sorted(known) == sorted(urban)
    civil = persons.filter(pl.col("system") == "civil_affairs")["key"]
    with psycopg.connect(pgconninfo.make_conninfo(built.admin, dbname=built.database)) as connection:
        assert sorted(k for (k,) in connection.execute("select person_no from residents")) == sorted(civil)
    assert set(pl.read_parquet(truth / "findings.parquet").columns) == {"kind", "subject_kind", "true_id", "keys"}


def test_the_service_pages_through_everything(built: Built, client: Client) -> None:
    name = "market_supervision.lifecycle_notices"
    first = client.get("/v1/lifecycle_notices?page=1&size=100").json()
    assert first["as_of"] == "2026-06-30T23:59:59+08:00"
    seen = list(first["items"])
    page = 2
    while len(seen) < first["total"]:
        seen += client.get(f"/v1/lifecycle_notices?page={page}&size=100").json()["items"]
        page += 1
    keys = {row["notice_no"] for row in seen}
    assert keys == set(built.city.held(name)["notice_no"])
    assert list(seen[0]) == list(TABLES[name].columns)


def test_the_service_gives_what_changed_since(built: Built, client: Client) -> None:
    register = built.city.held("market_supervision.enterprises")
    middle = register["updated_at"].sort()[register.height // 2]
    since = middle.strftime("%Y-%m-%dT%H:%M:%S%%2B08:00")
    answer = client.get(f"/v1/enterprises?size=2000&updated_since={since}").json()
    expected = register.filter(pl.col("updated_at") >= middle)["uscc"]
    assert {row["uscc"] for row in answer["items"]} == set(expected)
    assert client.get("/v1/licences?updated_since=2026-01-01T00:00:00Z").status_code == 400
    assert client.get("/v1/enterprises?updated_since=yesterday").status_code == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Signature": "0" * 64},
        {"X-Key-Id": "somebody"},
        {"X-Timestamp": "1"},
        {"X-Nonce": ""},
    ],
)
def test_the_service_refuses_what_is_not_signed(client: Client, changed: dict[str, str]) -> None:
    assert client.get("/v1/enterprises?page=1", **changed).status_code == 401


def test_the_service_refuses_a_request_heard_before(client: Client) -> None:
    stamp, nonce = str(int(time.time())), "once"
    headers = {
        "X-Key-Id": client.key_id,
        "X-Timestamp": stamp,
        "X-Nonce": nonce,
        "X-Signature": signature(client.secret, "GET", "/v1/penalties", stamp, nonce),
    }
    answers = [client.http.get(f"{client.base}/v1/penalties", headers=headers).status_code for _ in range(2)]
    assert answers == [200, 401]


def test_the_service_knows_its_resources_and_limits(client: Client) -> None:
    assert httpx.get(f"{client.base}/v1/health").json() == {"status": "ok"}
    assert client.get("/v1/residents").status_code == 404
    assert client.get("/v1/enterprises?page=0").status_code == 400
    assert client.get("/v1/enterprises?size=100000").status_code == 400


def test_the_service_limits_the_rate(built: Built) -> None:
    with systems.serving(built.home, in_thread=True, rate=5) as env:
        client = Client(env)
        answers = [client.get("/v1/penalties") for _ in range(12)]
        client.http.close()
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert answers[0].status_code == 200


def test_the_service_runs_as_a_process_and_ends_with_its_reader(built: Built) -> None:
    with systems.serving(built.home) as env:
        client = Client(env)
        assert client.get("/v1/penalties").status_code == 200
        assert set(env) == {
            "CITYHUB_SOURCE_CIVIL_AFFAIRS_URL",
            "CITYHUB_SOURCE_MARKET_SUPERVISION_URL",
            "CITYHUB_SOURCE_MARKET_SUPERVISION_KEY_ID",
            "CITYHUB_SOURCE_MARKET_SUPERVISION_SECRET",
            "CITYHUB_SOURCE_URBAN_MANAGEMENT_URL",
            "CITYHUB_SOURCE_CARE_HOMES_URL",
        }
    with pytest.raises(httpx.ConnectError):
        client.get("/v1/penalties")
    client.http.close()


def test_a_taken_port_is_named(built: Built) -> None:
    taken = bound_socket(0)
    port = taken.getsockname()[1]
    with pytest.raises(ConfigurationError) as caught, systems.serving(built.home, port):
        pass
    taken.close()
    assert str(port) in caught.value.where


def _contents(built: Built) -> dict[str, object]:
    """Everything the four systems hold, and the truth."""
    found: dict[str, object] = {}
    with sqlite3.connect(built.home / "demo" / "urban_management.sqlite") as connection:
        for table in tables_of("urban_management"):
            order = ", ".join(table.key)
            found[table.full_name] = connection.execute(f"select * from {table.name} order by {order}").fetchall()
    with sqlite3.connect(built.home / "demo" / "market_supervision.sqlite") as connection:
        for table in tables_of("market_supervision"):
            found[table.full_name] = connection.execute(
                f"select key, body from {table.name} order by position"
            ).fetchall()
    with psycopg.connect(pgconninfo.make_conninfo(built.admin, dbname=built.database)) as connection:
        for table in tables_of("civil_affairs"):
            order = ", ".join(table.key)
            found[table.full_name] = connection.execute(f"select * from {table.name} order by {order}").fetchall()
    for path in sorted((built.home / "demo" / "drops").rglob("*.*")):
        found[str(path.relative_to(built.home))] = path.read_bytes()
    for path in sorted((built.home / "demo" / "truth").iterdir()):
        found[path.name] = path.read_bytes()
    return found


def test_days_are_carried_into_all_systems_and_are_the_same_at_once_or_one_by_one(
    tmp_path: Path, postgres_admin: str
) -> None:
    at_once, one_by_one = (_build(tmp_path / name, postgres_admin, 600, seed=3) for name in ("a", "b"))
    try:
        start = time.perf_counter()
        assert demo.advance(at_once.home, 3).isoformat() == "2026-07-03"
        assert time.perf_counter() - start < 10
        for _ in range(3):
            demo.advance(one_by_one.home)
        ours, theirs = _contents(at_once), _contents(one_by_one)
        assert set(ours) == set(theirs)
        assert [name for name in ours if ours[name] != theirs[name]] == []
        _agrees(at_once)
    finally:
        _drop_database(at_once)
        _drop_database(one_by_one)


def _agrees(built: Built) -> None:
    """The systems hold exactly what the advanced city says, dirt and broken rows aside."""
    from demo import home as places
    from demo.city import load

    city = load(places.folder(built.home) / "state", places.describe(built.home))
    contents = _contents(built)
    for name, table in TABLES.items():
        if table.system in ("civil_affairs", "urban_management"):
            assert len(contents[name]) == city.held(name).height, name  # type: ignore[arg-type]
        elif table.system == "market_supervision":
            stored = {key for key, _ in contents[name]}  # type: ignore[attr-defined]
            assert stored == set(city.held(name).select(row_key(table.key)).to_series()), name
    drops = sorted(path.name for path in (built.home / "demo" / "drops" / "care_homes").iterdir())
    assert drops == ["2026-06-30", "2026-07-01", "2026-07-02", "2026-07-03"]
    newest = built.home / "demo" / "drops" / "care_homes" / drops[-1] / "device_uptime.jsonl"
    assert {json.loads(line)["on_date"] for line in newest.read_text().splitlines()} == {"2026-07-03"}


def test_days_must_be_counted_forward(built: Built) -> None:
    with pytest.raises(ConfigurationError):
        demo.advance(built.home, 0)
