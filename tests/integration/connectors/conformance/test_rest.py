"""A signed, paged HTTP service."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from connectors.contract import SystemContract
from tests.integration.connectors.conformance.suite import SHANGHAI, Conformance, Row, kit_in
from tests.integration.connectors.conftest import COLUMNS, Kit


class Service:
    """Serves its rows; what its signatures must be is tested with the transport."""

    def __init__(self, kit: Kit, paging: str) -> None:
        self.kit = kit
        self.paging = paging
        self.items: list[dict[str, Any]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer = service.answer(parse_qs(urlsplit(self.path).query))
                link = answer.pop("link", None)
                body = json.dumps(answer, default=_json).encode()
                self.send_response(200)
                if link:
                    self.send_header("Link", link)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        kit.address(f"http://127.0.0.1:{self.server.server_port}", "hub", "the secret of the tests")

    def answer(self, query: dict[str, list[str]]) -> dict[str, Any]:
        page, size = int(query.get("page", query.get("cursor", ["1"]))[0]), int(query["size"][0])
        items = self.items
        if "updated_since" in query:
            since = dt.datetime.fromisoformat(query["updated_since"][0])
            items = [item for item in items if item["updated_at"] >= since]
        part = items[(page - 1) * size : page * size]
        has_more = page * size < len(items)
        if self.paging == "cursor":
            return {"items": part, "next_cursor": str(page + 1) if has_more else None}
        if self.paging == "link":
            following = urlencode({**query, "page": [str(page + 1)]}, doseq=True)
            return {"items": part, "link": f'<?{following}>; rel="next"' if has_more else None}
        return {"as_of": "2026-06-30T23:00:00+08:00", "total": len(items), "page": page, "size": size, "items": part}

    def contract(self, mode: str) -> SystemContract:
        return self.kit.contract("rest", mode, "v1/checks", server={"paging": self.paging})

    def put(self, rows: list[Row], columns: tuple[str, ...] = COLUMNS, as_text: tuple[str, ...] = ()) -> None:
        self.items = [{name: item[name] for name in columns} for item in rows]

    def change(self, rows: list[Row], changed: list[Row]) -> None:
        self.put(rows)


def _json(value: Any) -> str:
    return value.astimezone(SHANGHAI).isoformat() if isinstance(value, dt.datetime) else str(value)


class TestRest(Conformance):
    paging = "page"

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
        with kit_in(tmp_path_factory.mktemp("rest")) as kit:
            service = Service(kit, cls.paging)
            yield service
            service.server.shutdown()
            service.server.server_close()


class TestRestByCursor(TestRest):
    paging = "cursor"


class TestRestByLink(TestRest):
    paging = "link"
