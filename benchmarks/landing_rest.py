"""How much of a REST pull is the client's own time.

The same pages are pulled twice: by a bare client that reads the answers over one connection and throws them away, and
by the transport, which signs, parses, checks paging and makes frames. What the second takes longer is the client's
share of the first. Two servers: one that reads its rows from a database and writes JSON for every request, as a
department's service does, and one that hands out bytes it has ready, which no service does but a cache.
"""

from __future__ import annotations

import hmac
import http.client
import json
import multiprocessing
import sqlite3
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from benchmarks.landing_rows import NAMES, SYSTEM, TABLE, contract
from connectors.transports.rest import RestTransport
from connectors.transports.signing import signature, signed_headers

PAGE_ROWS = 500
SECRET = b"a secret of a benchmark"


def make_rows(path: Path, rows: list[tuple[Any, ...]]) -> None:
    """The service's database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"create table {TABLE} (number integer primary key, {', '.join(NAMES)})")
        marks = ", ".join("?" * (len(NAMES) + 1))
        numbered = ((number, *row) for number, row in enumerate(rows))
        connection.executemany(f"insert into {TABLE} values ({marks})", numbered)
        connection.commit()


class _Service(BaseHTTPRequestHandler):
    """Numbered pages over one connection, signatures checked, the total counted for every answer."""

    protocol_version = "HTTP/1.1"
    database: sqlite3.Connection
    ready: dict[int, bytes] | None = None

    def do_GET(self) -> None:
        number = int(parse_qs(urlsplit(self.path).query)["page"][0])
        moment, nonce, sent = (self.headers.get(f"X-{name}", "") for name in ("Timestamp", "Nonce", "Signature"))
        is_signed = hmac.compare_digest(signature(SECRET, "GET", self.path, moment, nonce), sent)
        body = self.ready[number] if self.ready is not None else self.page(number)
        head = (
            f"HTTP/1.1 {200 if is_signed else 401} x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        self.wfile.write(head.encode() + b"\r\n\r\n" + body)

    @classmethod
    def page(cls, number: int) -> bytes:
        (total,) = cls.database.execute(f"select count(*) from {TABLE}").fetchone()
        found = cls.database.execute(
            f"select {', '.join(NAMES)} from {TABLE} order by number limit {PAGE_ROWS} offset ?",
            ((number - 1) * PAGE_ROWS,),
        )
        items = [dict(zip(NAMES, row, strict=True)) for row in found]
        answer = {"as_of": "2026-06-30T00:00:00+08:00", "total": total, "page": number, "size": PAGE_ROWS}
        return json.dumps({**answer, "items": items}, ensure_ascii=False).encode()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def _serve(path: Path, *, is_ready: bool, port: Any) -> None:
    _Service.database = sqlite3.connect(path)
    total = _Service.database.execute(f"select count(*) from {TABLE}").fetchone()[0]
    if is_ready:
        pages = -(-total // PAGE_ROWS)
        _Service.ready = {number: _Service.page(number) for number in range(1, pages + 1)}
    with HTTPServer(("127.0.0.1", 0), _Service) as server:
        port.send((server.server_port, total))
        server.serve_forever()


def measure(path: Path, folder: Path, *, is_ready: bool, repeat: int) -> dict[str, float]:
    """Best seconds of the bare client and of the transport, taken in turn."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(path,), kwargs={"is_ready": is_ready, "port": there}, daemon=True)
    server.start()
    port, total = here.recv()
    try:
        bare, own = [], []
        for _ in range(repeat):
            bare.append(_bare(port, total))
            own.append(_pull(port, total, folder))
    finally:
        server.terminate()
        server.join()
    return {"rows": total, "bare_seconds": min(bare), "client_seconds": min(own)}


def _bare(port: int, total: int) -> float:
    started = time.perf_counter()
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        for number in range(1, -(-total // PAGE_ROWS) + 1):
            path = f"/{TABLE}?page={number}&size={PAGE_ROWS}"
            headers = signed_headers(SYSTEM, SECRET, "GET", path, "0", "bare")
            connection.request("GET", path, headers=headers)
            connection.getresponse().read()
    return time.perf_counter() - started


def _pull(port: int, total: int, folder: Path) -> float:
    system = contract(folder, "rest")
    started = time.perf_counter()
    with closing(RestTransport(f"http://127.0.0.1:{port}", system, SYSTEM, SecretStr(SECRET.decode()))) as transport:
        pulled = sum(frame.height for frame in transport.pull(system.tables[0], None).frames)
    assert pulled == total
    return time.perf_counter() - started
