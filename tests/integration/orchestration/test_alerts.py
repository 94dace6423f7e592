"""Owners told of incidents by a real HTTP server: once when one begins, once when it is over."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.contract import load_contracts
from orchestration.alerts import Told, tell_incidents
from orchestration.webhooks import MOST_BYTES, find_webhook, fitting
from warehouse.database import Database
from warehouse.errors import ConfigurationError
from warehouse.settings import get_settings

CONTRACTS = load_contracts()
SECRET = "SEC0123456789planted"
ROBOT_KEY = "robot-key-planted"


@dataclass
class Robot:
    """A chat robot: keeps what it is sent and answers as told."""

    status: int = 200
    answer: dict[str, Any] = field(default_factory=lambda: {"errcode": 0, "errmsg": "ok"})
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/robot/send?key={ROBOT_KEY}"

    @property
    def texts(self) -> list[str]:
        return [body["text"] if isinstance(body["text"], str) else body["text"]["content"] for _, _, body in self.asked]


@pytest.fixture
def robot() -> Iterator[Robot]:
    found = Robot()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            headers = dict(self.headers.items()) | {"raw": raw.decode()}
            found.asked.append((self.path, headers, json.loads(raw)))
            self.send_response(found.status)
            self.end_headers()
            self.wfile.write(json.dumps(found.answer).encode())

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, robot: Robot) -> pytest.MonkeyPatch:
    """The civil affairs bureau, which owns two systems, has a robot; the others have none."""
    monkeypatch.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_URL", robot.url)
    return monkeypatch


def put(database: Database, system: str, table: str, state: str, reason: str | None = None) -> None:
    with database.psycopg("pipeline") as connection:
        connection.execute(
            "insert into ops.source_states (system, table_name, state, last_error, last_batch_id)"
            " values (%s, %s, %s, %s, 1) on conflict (system, table_name) do update set"
            " state = excluded.state, last_error = excluded.last_error, state_since = now()",
            [system, table, state, reason],
        )


def tell(database: Database) -> Told:
    return tell_incidents(database, get_settings(), CONTRACTS)


def test_an_incident_is_told_once_and_its_end_once(
    database: Database, environment: pytest.MonkeyPatch, robot: Robot
) -> None:
    put(database, "civil_affairs", "residents", "admitted")
    assert tell(database) == Told(0, {})

    put(database, "civil_affairs", "residents", "held", "admission gate: rejected_share")
    put(database, "care_homes", "beds", "stale", "no drop; where: sftp://hub:pw-planted@files.example/drops?x=1")
    put(database, "market_supervision", "licences", "stale", "nobody to tell")
    assert tell(database).told == 2
    (text,) = robot.texts
    assert "2 张表未能接入" in text
    assert "civil_affairs.residents" in text
    assert "admission gate: rejected_share" in text
    assert "sftp://files.example" in text
    assert "licences" not in text

    # Another name for the same trouble is no news.
    put(database, "civil_affairs", "residents", "stale", "no answer")
    assert tell(database).told == 0

    put(database, "civil_affairs", "residents", "admitted")
    assert (tell(database).told, tell(database).told) == (1, 0)
    assert "1 张表已恢复" in robot.texts[1]
    assert "beds" not in robot.texts[1]

    put(database, "civil_affairs", "residents", "held", "again")
    assert tell(database).told == 1
    assert len(robot.asked) == 3


def test_what_cannot_be_delivered_is_told_by_the_next_run(
    database: Database, environment: pytest.MonkeyPatch, robot: Robot
) -> None:
    put(database, "civil_affairs", "residents", "held", "shrink")
    robot.status = 503
    assert tell(database).failures["civil_affairs"].startswith("The webhook of civil_affairs answers 503.")
    robot.status, robot.answer = 200, {"errcode": 45009, "errmsg": "api freq out of limit"}
    environment.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_KIND", "wecom")
    assert "errcode 45009" in tell(database).failures["civil_affairs"]
    put(database, "civil_affairs", "residents", "admitted")
    robot.answer = {"errcode": 0}
    # It is over by now; the owner still hears of it, once.
    assert (tell(database).told, tell(database).told) == (1, 0)
    assert "已恢复" in robot.texts[-1]


def test_nobody_there_breaks_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put(database, "civil_affairs", "residents", "held", "shrink")
    monkeypatch.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_URL", f"http://127.0.0.1:1/{ROBOT_KEY}")
    told = tell(database)
    assert "does not answer (ConnectError)" in told.failures["civil_affairs"]
    with database.psycopg("pipeline") as connection:
        row = connection.execute("select told_at, attempts, last_failure from ops.incidents").fetchone()
    assert row is not None
    assert row[:2] == (None, 1)
    assert ROBOT_KEY not in row[2] + told.failures["civil_affairs"]


def test_a_warehouse_that_is_gone_breaks_nothing(environment: pytest.MonkeyPatch) -> None:
    gone = Database("host=127.0.0.1 port=1 dbname=none connect_timeout=1", shown="gone")
    assert tell(gone).told == 0


def test_an_incident_that_was_over_before_a_webhook_was_set_is_history(
    database: Database, monkeypatch: pytest.MonkeyPatch, robot: Robot
) -> None:
    put(database, "civil_affairs", "residents", "held", "shrink")
    tell(database)
    put(database, "civil_affairs", "residents", "admitted")
    tell(database)
    monkeypatch.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_URL", robot.url)
    assert tell(database).told == 0


def test_wecom_and_dingtalk_get_their_forms(database: Database, environment: pytest.MonkeyPatch, robot: Robot) -> None:
    environment.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_KIND", "dingtalk")
    environment.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_SECRET", SECRET)
    put(database, "civil_affairs", "residents", "held", "shrink")
    assert tell(database).told == 1
    path, _, body = robot.asked[0]
    assert set(body) == {"msgtype", "text"}
    query = parse_qs(urlsplit(path).query)
    stamp = query["timestamp"][0]
    digest = hmac.new(SECRET.encode(), f"{stamp}\n{SECRET}".encode(), hashlib.sha256).digest()
    assert query["sign"] == [base64.b64encode(digest).decode()]
    assert query["key"] == [ROBOT_KEY]

    environment.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_KIND", "wecom")
    put(database, "civil_affairs", "residents", "admitted")
    assert tell(database).told == 1
    assert parse_qs(urlsplit(robot.asked[1][0]).query) == {"key": [ROBOT_KEY]}
    assert robot.asked[1][2]["msgtype"] == "text"


def test_plain_json_is_complete_and_signed(database: Database, environment: pytest.MonkeyPatch, robot: Robot) -> None:
    environment.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_SECRET", SECRET)
    put(database, "civil_affairs", "residents", "held", "shrink")
    tell(database)
    _, headers, body = robot.asked[0]
    (incident,) = body["incidents"]
    assert (incident["event"], incident["system"], incident["table"], incident["state"]) == (
        "begun", "civil_affairs", "residents", "held",
    )  # fmt: skip
    wanted = hmac.new(SECRET.encode(), headers["raw"].encode(), hashlib.sha256).hexdigest()
    assert headers["X-Cityhub-Signature"] == f"sha256={wanted}"


def test_no_secret_in_any_message_or_log_line(
    database: Database, environment: pytest.MonkeyPatch, robot: Robot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for kind in ("json", "wecom", "dingtalk"):
        environment.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_KIND", kind)
        environment.setenv("CITYHUB_ALERT_CIVIL_AFFAIRS_SECRET", SECRET)
        robot.status = 500
        put(database, "civil_affairs", "residents", "held", "at https://u:pw-planted@ca.example/a?token=pw-planted")
        failed = tell(database)
        robot.status = 200
        tell(database)
        put(database, "civil_affairs", "residents", "admitted")
        tell(database)
        told = " ".join([caplog.text, *robot.texts, *failed.failures.values()])
        assert "ca.example" in told
        for planted in (SECRET, ROBOT_KEY, "pw-planted"):
            assert planted not in told


def test_the_kind_follows_from_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(url: str) -> str | None:
        monkeypatch.setenv("CITYHUB_ALERT_FIRE_URL", url)
        found = find_webhook(get_settings(), "fire")
        return found and found.kind

    assert find_webhook(get_settings(), "fire") is None
    assert kind("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a") == "wecom"
    assert kind("https://oapi.dingtalk.com/robot/send?access_token=a") == "dingtalk"
    assert kind("https://hooks.example/a") == "json"
    with pytest.raises(ConfigurationError, match="CITYHUB_ALERT_FIRE_URL"):
        kind("ftp://planted")
    monkeypatch.setenv("CITYHUB_ALERT_FIRE_KIND", "feishu")
    with pytest.raises(ConfigurationError, match="CITYHUB_ALERT_FIRE_KIND"):
        kind("https://hooks.example/a")


def test_a_message_fits_a_robot() -> None:
    text = fitting("头", [f"第{n}张表" * 20 for n in range(30)])
    assert len(text.encode()) <= MOST_BYTES
    assert "more tables" in text
