"""The REST service of market supervision: paged, signed, rate-limited.

    GET /v1/<resource>?page=1&size=500[&updated_since=ISO]   signed
    GET /v1/health                                           open

A request is signed by `X-Key-Id`, `X-Timestamp` (unix seconds), `X-Nonce` and `X-Signature`: the hexadecimal
HMAC-SHA256 under the secret of method, path with query, timestamp, nonce and the SHA-256 of the body, joined by line
feeds. Run as a process (`python -m demo.systems.market_server`) it takes key and secret from the environment and ends
with its parent.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.city.tables import tables_of
from demo.systems.market_store import SYSTEM

KEY_VARIABLE = "DEMO_MARKET_KEY_ID"
SECRET_VARIABLE = "DEMO_MARKET_SECRET"  # noqa: S105 - the name of a variable, not a secret
CLOCK_TOLERANCE_SECONDS = 300
MAXIMUM_SIZE = 2000
RESOURCES = {table.name: table for table in tables_of(SYSTEM)}


@dataclass
class TokenBucket:
    """Allows `rate` requests a second with bursts of the same number."""

    rate: float
    now: Callable[[], float] = time.monotonic
    tokens: float = field(init=False)
    last: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.rate
        self.last = self.now()

    def wait(self) -> float:
        """Take a token: 0 when there was one, otherwise the seconds until the next."""
        moment = self.now()
        self.tokens = min(self.rate, self.tokens + (moment - self.last) * self.rate)
        self.last = moment
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


def signature(secret: str, method: str, path_with_query: str, timestamp: str, nonce: str, body: bytes = b"") -> str:
    """The signature a request has to carry."""
    message = "\n".join([method, path_with_query, timestamp, nonce, hashlib.sha256(body).hexdigest()])
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


@dataclass
class Gatekeeper:
    """Checks signatures, refuses repeated nonces, limits the rate."""

    key_id: str
    secret: str
    bucket: TokenBucket
    nonces: dict[str, float] = field(default_factory=dict)

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that must not pass, None when it may."""
        delay = self.bucket.wait()
        if delay:
            return _problem(429, "too many requests", {"Retry-After": str(max(1, round(delay)))})
        reason = self._unsigned(request)
        return None if reason is None else _problem(401, reason)

    def _unsigned(self, request: Request) -> str | None:
        timestamp = request.headers.get("x-timestamp", "")
        nonce = request.headers.get("x-nonce", "")
        if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > CLOCK_TOLERANCE_SECONDS:
            return "timestamp missing or more than 300 s off"
        if not nonce or nonce in self.nonces:
            return "nonce missing or already used"
        path = request.scope["raw_path"].decode()
        query = request.scope["query_string"].decode()
        expected = signature(self.secret, request.method, f"{path}?{query}" if query else path, timestamp, nonce)
        key_matches = hmac.compare_digest(request.headers.get("x-key-id", ""), self.key_id)
        if not key_matches or not hmac.compare_digest(request.headers.get("x-signature", ""), expected):
            return "key or signature does not match"
        self._remember(nonce)
        return None

    def _remember(self, nonce: str) -> None:
        horizon = time.time() - 2 * CLOCK_TOLERANCE_SECONDS
        if len(self.nonces) > 50_000:
            self.nonces = {known: since for known, since in self.nonces.items() if since > horizon}
        self.nonces[nonce] = time.time()


def create_app(store: Path, key_id: str, secret: str, *, rate: float = 100.0) -> Starlette:
    """The service over `store`."""
    gatekeeper = Gatekeeper(key_id, secret, TokenBucket(rate))
    local = threading.local()

    def connection() -> sqlite3.Connection:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=30, check_same_thread=False)
        opened: sqlite3.Connection = local.connection
        return opened

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def resource(request: Request) -> Response:
        refused = gatekeeper.refusal(request)
        if refused is not None:
            return refused
        name = request.path_params["resource"]
        if name not in RESOURCES:
            return _problem(404, "unknown resource")
        try:
            page, size, since = _parameters(request, name)
        except ValueError as error:
            return _problem(400, str(error))
        return _page(connection(), name, page, size, since)

    return Starlette(routes=[Route("/v1/health", health), Route("/v1/{resource}", resource)])


def _parameters(request: Request, name: str) -> tuple[int, int, int | None]:
    page, size = request.query_params.get("page", "1"), request.query_params.get("size", "500")
    if not page.isdigit() or int(page) < 1:
        raise ValueError("page must be a number from 1")
    if not size.isdigit() or not 1 <= int(size) <= MAXIMUM_SIZE:
        raise ValueError(f"size must be a number from 1 to {MAXIMUM_SIZE}")
    since = request.query_params.get("updated_since")
    if since is None:
        return int(page), int(size), None
    if "updated_at" not in RESOURCES[name].columns:
        raise ValueError("this resource has no updated_at")
    try:
        # A plus sign that was not escaped arrives as a blank.
        moment = dt.datetime.fromisoformat(since.replace(" ", "+") if "T" in since else since)
    except ValueError:
        raise ValueError("updated_since must be an ISO 8601 instant with offset") from None
    if moment.tzinfo is None:
        raise ValueError("updated_since must be an ISO 8601 instant with offset")
    return int(page), int(size), int(moment.timestamp())


def _page(connection: sqlite3.Connection, name: str, page: int, size: int, since: int | None) -> Response:
    faults = {
        fault
        for (fault,) in connection.execute("select fault from faults where resource = ? and page = ?", [name, page])
    }
    if "error" in faults:
        return _problem(500, "internal error")
    where, values = ("", []) if since is None else ("where changed >= ?", [since])
    (as_of,) = connection.execute("select value from meta where name = 'as_of'").fetchone()
    (total,) = connection.execute(f"select count(*) from {name} {where}", values).fetchone()
    bodies = [
        body
        for (body,) in connection.execute(
            # What changed last comes last, as the contract's `order: cursor` says.
            f"select body from {name} {where} order by changed, position limit ? offset ?",
            [*values, size, (page - 1) * size],
        )
    ]
    if "half_page" in faults:
        bodies = bodies[: len(bodies) // 2]
    head = json.dumps({"as_of": as_of, "total": total, "page": page, "size": size})
    # Bodies are JSON already: parsing and writing them again would cost more than everything else here.
    content = f'{head[:-1]}, "items": [{",".join(bodies)}]}}'
    if "cut_off" in faults:
        content = content[: len(content) * 2 // 3]
    return Response(content, media_type="application/json")


def _problem(status: int, title: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"status": status, "title": title}, status_code=status, headers=headers)


def main(arguments: list[str] | None = None) -> None:
    """Serve until standard input is closed; the first line printed is the port."""
    import uvicorn

    from demo.systems.listening import bound_socket

    parser = argparse.ArgumentParser(description="REST service of market supervision")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=100.0)
    options = parser.parse_args(arguments)
    app = create_app(options.store, os.environ[KEY_VARIABLE], os.environ[SECRET_VARIABLE], rate=options.rate)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    listener = bound_socket(options.port)

    def end_with_parent() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
