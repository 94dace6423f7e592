"""The REST transport against a real HTTP server that misbehaves on request."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import polars as pl
import pytest
import stamina
from pydantic import SecretStr

from connectors.contract import Access
from connectors.transports.rest import RestTransport, _retry_after
from warehouse.errors import CityhubError, ConfigurationError, HeldBatch, PermanentError, TransientError

PAGE_SIZE = Access.page_size
SECRET = "the secret of the tests"


def item(number: int) -> dict[str, Any]:
    return {"case_no": f"C{number}", "seq": number, "at": "2026-06-30T08:00:00+08:00", "note": None}


@dataclass
class Service:
    """Serves `rows`; `spoil(page, tries, answer)` may change an answer or return a status to send instead."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    spoil: Callable[[int, int, dict[str, Any]], int | None] = lambda page, tries, answer: None
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    nonces: list[str] = field(default_factory=list)
    tries: dict[int, int] = field(default_factory=dict)
    url: str = ""
    paging: str = "page"
    links: dict[int, str] = field(default_factory=dict)
    retry_after: str = "0"

    def answer(self, path: str, headers: Any) -> tuple[int, bytes, dict[str, str]]:
        digest = hashlib.sha256(b"").hexdigest()
        text = f"GET\n{path}\n{headers['X-Timestamp']}\n{headers['X-Nonce']}\n{digest}"
        expected = hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()
        if headers["X-Key-Id"] != "hub" or headers["X-Signature"] != expected or headers["X-Nonce"] in self.nonces:
            return 401, b"{}", {}
        self.nonces.append(headers["X-Nonce"])
        split = urlsplit(path)
        if split.path != "/base/v1/cases":
            return 404, b"{}", {}
        query = parse_qs(split.query)
        self.queries.append(query)
        numbered = query.get("page") or query.get("cursor") or ["1"]
        page, size = int(numbered[0]), int(query["size"][0])
        body: dict[str, Any] = {
            "as_of": "2026-06-30T23:00:00+08:00",
            "total": len(self.rows),
            "page": page,
            "size": size,
            "items": self.rows[(page - 1) * size : page * size],
        }
        headers = {}
        if self.paging != "page":
            body = {"items": body["items"]}
        if self.paging == "cursor":
            body["next_cursor"] = str(page + 1) if page * size < len(self.rows) else None
        if self.paging == "link" and page * size < len(self.rows):
            headers["Link"] = self.links.get(page, f'<cases?size={size}&page={page + 1}>; rel="next"')
        self.tries[page] = self.tries.get(page, 0) + 1
        status = self.spoil(page, self.tries[page], body) or 200
        if status == 302:
            return status, b"{}", {"Location": f"{path}&moved=1"}
        return status, json.dumps(body).encode(), {"Retry-After": self.retry_after} if status == 429 else headers


@pytest.fixture
def service() -> Iterator[Service]:
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body, headers = state.answer(self.path, self.headers)
            # 599 stands for a line that breaks in the middle of an answer.
            broken, status = status == 599, 200 if status == 599 else status
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:10] if broken else body)
            self.close_connection = broken

        def log_message(self, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/base"
    yield state
    server.shutdown()
    server.server_close()


def pull(service: Service, system: Any, cursor: str | None = None, secret: str = SECRET) -> tuple[pl.DataFrame, Any]:
    transport = RestTransport(service.url, system, "hub", SecretStr(secret))
    try:
        started = transport.pull(system.tables[0], cursor)
        frames = list(started.frames)
        return pl.concat(frames) if frames else pl.DataFrame(), started
    finally:
        transport.close()


def test_all_pages_come_once_with_their_positions(service: Service, contract: Any) -> None:
    service.rows = [item(number) for number in range(2 * PAGE_SIZE + 3)]
    frame, done = pull(service, contract("rest", source_name="v1/cases"))
    assert frame.get_column("case_no").to_list() == [f"C{number}" for number in range(1003)]
    assert frame.row(-1)[-1] == {"page": 3, "index": 2}
    assert (done.source_total, done.is_complete, str(done.as_of)) == (1003, True, "2026-06-30 23:00:00+08:00")
    assert len(service.queries) == 3


def test_incremental_asks_since_the_cursor_less_the_overlap(service: Service, contract: Any) -> None:
    system = contract("rest", source_name="v1/cases", load_mode="incremental", cursor="at")
    frame, done = pull(service, system, "2026-06-30T08:00:00+08:00")
    assert service.queries[0]["updated_since"] == ["2026-06-30T07:00:00+08:00"]
    assert (frame.height, done.is_complete, done.source_total) == (0, False, 0)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_passing_trouble_is_retried(service: Service, contract: Any, status: int) -> None:
    service.rows = [item(number) for number in range(PAGE_SIZE + 1)]
    service.spoil = lambda page, tries, answer: status if page == 2 and tries < 3 else None
    frame, _ = pull(service, contract("rest", source_name="v1/cases"))
    assert (frame.height, service.tries) == (PAGE_SIZE + 1, {1: 1, 2: 3})


def test_the_pause_a_server_asks_for_is_kept(service: Service, contract: Any) -> None:
    """Of its own accord the first pause is 0.7 s at most."""
    service.rows, service.retry_after = [item(1)], "0.9"
    service.spoil = lambda page, tries, answer: 429 if tries == 1 else None
    with stamina.set_testing(False):
        started = monotonic()
        pull(service, contract("rest", source_name="v1/cases"))
    assert monotonic() - started >= 0.9
    assert service.tries == {1: 2}


def test_a_server_that_wants_too_long_a_pause_is_left_for_the_next_run(service: Service, contract: Any) -> None:
    service.rows, service.retry_after = [item(1)], "61"
    service.spoil = lambda page, tries, answer: 429
    with stamina.set_testing(False), pytest.raises(TransientError, match="HTTP 429"):
        pull(service, contract("rest", source_name="v1/cases"))
    assert service.tries == {1: 1}


def test_paced_pull_asks_for_no_more_rows_a_second_than_allowed(service: Service, contract: Any) -> None:
    service.rows = [item(number) for number in range(360)]
    asked: list[float] = []
    service.spoil = lambda page, tries, answer: asked.append(monotonic())
    system = replace(contract("rest", source_name="v1/cases"), access=Access(rows_per_second=300))
    frame, _ = pull(service, system)
    assert frame.height == 360
    assert {query["size"][0] for query in service.queries} == {"30"}
    for start in asked:
        assert sum(start <= at < start + 1 for at in asked) * 30 <= 300


def half_page(page: int, tries: int, answer: dict[str, Any]) -> None:
    if page == 2:
        answer["items"] = answer["items"][:250]


def repeated(page: int, tries: int, answer: dict[str, Any]) -> None:
    if page == 2:
        answer["items"] = [item(number) for number in range(PAGE_SIZE)]


def endless(page: int, tries: int, answer: dict[str, Any]) -> None:
    answer["items"] = [item(number) for number in range(page * 1000, page * 1000 + PAGE_SIZE + 1)]


def other_page(page: int, tries: int, answer: dict[str, Any]) -> None:
    answer["page"] = 1


def no_form(page: int, tries: int, answer: dict[str, Any]) -> None:
    answer.pop("total")


def renamed(page: int, tries: int, answer: dict[str, Any]) -> None:
    for row in answer["items"]:
        row["remark"] = row.pop("note")


@pytest.mark.parametrize(
    ("spoil", "kind", "what"),
    [
        (lambda page, tries, answer: 500 if page == 2 else None, TransientError, "HTTP 500"),
        (lambda page, tries, answer: 599 if page == 2 else None, TransientError, "RemoteProtocolError"),
        (lambda page, tries, answer: 400, PermanentError, "HTTP 400"),
        (lambda page, tries, answer: answer.update(total=1500 + page), TransientError, "changed while it was paged"),
        (half_page, HeldBatch, "Page 2 carries 250 rows of the 500 due"),
        (repeated, HeldBatch, "Page 2 repeats an earlier page"),
        (endless, HeldBatch, "Page 1 carries 501 rows of the 500 due"),
        (other_page, HeldBatch, "Page 2 was asked for"),
        (no_form, HeldBatch, "not in the agreed form"),
        (renamed, HeldBatch, "no longer delivers column note"),
    ],
)
def test_what_is_wrong_is_told_by_its_kind(
    service: Service, contract: Any, spoil: Any, kind: type[CityhubError], what: str
) -> None:
    service.rows = [item(number) for number in range(3 * PAGE_SIZE)]
    service.spoil = spoil
    with pytest.raises(kind, match=what) as caught:
        pull(service, contract("rest", source_name="v1/cases"))
    assert caught.value.expected
    assert caught.value.do


def test_redirections_are_not_followed(service: Service, contract: Any) -> None:
    """Where they lead, the key's name and a valid signature would be learnt."""
    service.spoil = lambda page, tries, answer: 302 if tries == 1 else None
    with pytest.raises(PermanentError, match="HTTP 302"):
        pull(service, contract("rest", source_name="v1/cases"))
    assert len(service.queries) == 1


def test_wrong_secret_is_permanent_and_not_shown(service: Service, contract: Any) -> None:
    with pytest.raises(PermanentError, match="HTTP 401") as caught:
        pull(service, contract("rest", source_name="v1/cases"), secret="another secret")
    assert "CITYHUB_SOURCE_PARKING_SECRET" in caught.value.do
    assert "another" not in str(caught.value)
    assert service.tries == {}


def test_closed_port_is_transient(service: Service, contract: Any) -> None:
    service.url = "http://127.0.0.1:1"
    with pytest.raises(TransientError, match="ConnectError"):
        pull(service, contract("rest", source_name="v1/cases"))


def test_check_finds_every_table(service: Service, contract: Any) -> None:
    service.rows = [item(1)]
    with closing(RestTransport(service.url, contract("rest", source_name="v1/cases"), "hub", SecretStr(SECRET))) as one:
        one.check()
    gone = RestTransport(service.url, contract("rest", source_name="v1/gone"), "hub", SecretStr(SECRET))
    with closing(gone), pytest.raises(PermanentError, match="HTTP 404"):
        gone.check()


def test_key_must_be_set(contract: Any) -> None:
    with pytest.raises(ConfigurationError, match="signing key"):
        RestTransport("http://x", contract("rest"), None, None)


def led(contract: Any, paging: str, **own: Any) -> Any:
    return replace(contract("rest", source_name="v1/cases", **own), access=Access(paging=paging))  # type: ignore[arg-type]


@pytest.mark.parametrize("paging", ["cursor", "link"])
@pytest.mark.parametrize("rows", [0, 1, PAGE_SIZE, 2 * PAGE_SIZE, 2 * PAGE_SIZE + 3])
def test_pages_are_followed_to_their_end(service: Service, contract: Any, paging: str, rows: int) -> None:
    service.paging = paging
    service.rows = [item(number) for number in range(rows)]
    frame, done = pull(service, led(contract, paging))
    found = frame.get_column("case_no").to_list() if rows else []
    assert (frame.height, found) == (rows, [f"C{number}" for number in range(rows)])
    assert len(service.queries) == max(1, -(-rows // PAGE_SIZE))
    assert (done.is_complete, done.source_total) == (True, None)


@pytest.mark.parametrize("paging", ["cursor", "link"])
def test_pages_taken_survive_a_later_page_that_fails_in_passing(service: Service, contract: Any, paging: str) -> None:
    service.paging = paging
    service.rows = [item(number) for number in range(3 * PAGE_SIZE)]
    service.spoil = lambda page, tries, answer: 503 if page == 3 and tries < 3 else None
    frame, _ = pull(service, led(contract, paging))
    assert (frame.height, service.tries) == (3 * PAGE_SIZE, {1: 1, 2: 1, 3: 3})


def test_cursor_pull_carries_its_start_to_every_page(service: Service, contract: Any) -> None:
    service.paging = "cursor"
    service.rows = [item(number) for number in range(PAGE_SIZE + 1)]
    pull(service, led(contract, "cursor", load_mode="incremental", cursor="at"), "2026-06-30T08:00:00+08:00")
    assert [query["updated_since"] for query in service.queries] == [["2026-06-30T07:00:00+08:00"]] * 2


def leads_back(page: int, tries: int, answer: dict[str, Any]) -> None:
    if page == 2:
        answer["next_cursor"] = "2"


def says_more(page: int, tries: int, answer: dict[str, Any]) -> None:
    answer["total"] = 1501


def says_less(page: int, tries: int, answer: dict[str, Any]) -> None:
    answer["total"] = 1499


@pytest.mark.parametrize("paging", ["cursor", "link"])
@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (half_page, "Page 2 carries 250 rows of the 500 due"),
        (repeated, "Page 2 repeats an earlier page"),
        (says_more, r"Page 3 carries 500 rows of the 501 due \(total 1501\)"),
        (says_less, r"Page 3 carries 500 rows of the 499 due \(total 1499\)"),
        (lambda page, tries, answer: answer.pop("items") and None, "not in the agreed form"),
    ],
)
def test_broken_chains_are_held(service: Service, contract: Any, paging: str, spoil: Any, what: str) -> None:
    service.paging = paging
    service.rows = [item(number) for number in range(3 * PAGE_SIZE)]
    service.spoil = spoil
    with pytest.raises(HeldBatch, match=what):
        pull(service, led(contract, paging))


def test_chains_without_an_end_are_held(service: Service, contract: Any) -> None:
    service.rows = [item(number) for number in range(3 * PAGE_SIZE)]
    service.paging, service.spoil = "cursor", leads_back
    with pytest.raises(HeldBatch, match="Page 2 leads back"):
        pull(service, led(contract, "cursor"))
    service.paging, service.spoil = "link", lambda page, tries, answer: None
    service.links = {2: f'<{service.url}/v1/cases?size=500>; rel="next"'}
    with pytest.raises(HeldBatch, match="Page 2 leads back"):
        pull(service, led(contract, "link"))


def test_links_to_another_server_are_not_followed(service: Service, contract: Any) -> None:
    service.rows = [item(number) for number in range(PAGE_SIZE + 1)]
    service.paging, service.links = "link", {1: '<http://127.0.0.1:9/v1/cases>; rel="next"'}
    with pytest.raises(HeldBatch, match="another server"):
        pull(service, led(contract, "link"))


@pytest.mark.parametrize(("status", "kept"), [(500, 2 * PAGE_SIZE), (None, 0)])
def test_pages_before_a_break_are_handed_over_unless_the_list_moved(
    service: Service, contract: Any, status: int | None, kept: int
) -> None:
    """Without a status the third page names another total: rows may have moved between the pages that came."""
    service.rows = [item(number) for number in range(2 * PAGE_SIZE + 3)]

    def spoil(page: int, tries: int, answer: dict[str, Any]) -> int | None:
        answer["total"] += page == 3
        return status if page == 3 else None

    service.spoil = spoil
    system = contract("rest", source_name="v1/cases", load_mode="incremental", cursor="at", is_ordered=True)
    with closing(RestTransport(service.url, system, "hub", SecretStr(SECRET))) as transport:
        started = transport.pull(system.tables[0], None)
        frames: list[pl.DataFrame] = []
        with pytest.raises(TransientError):
            frames.extend(started.frames)
    assert (sum(frame.height for frame in frames), started.is_ordered) == (kept, bool(kept))


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Tue, 30 Jun 2026 08:00:09 GMT", "Date": "Tue, 30 Jun 2026 08:00:00 GMT"}, 9.0),
        ({"Retry-After": "Tue, 30 Jun 2026 07:00:00 GMT", "Date": "Tue, 30 Jun 2026 08:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_the_pause_a_server_asks_for_is_understood(headers: dict[str, str], pause: float | None) -> None:
    assert _retry_after(httpx.Response(429, headers=headers)) == pause
