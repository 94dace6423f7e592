"""Pulls from a paged, signed HTTP interface.

The contract says how one page leads to the next:

- `page`: `GET {base}/{table}?page=1&size=500[&updated_since=ISO]` answers `{"as_of", "total", "page", "size",
  "items": […]}`;
- `cursor`: `?size=500[&cursor=…]` answers `{"items", "next_cursor"}`, the cursor of the last page null or missing;
- `link`: `?size=500` answers `{"items"}` and, but for the last page, a header `Link: <…>; rel="next"` (RFC 8288).

`as_of` and `total` may come with the latter two as well. Half a page, a page that comes twice and a total that is not
reached are told apart from a slow or broken line.
"""

from __future__ import annotations

import json
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import httpx
import stamina
from pydantic import SecretStr

from connectors.contract import SystemContract, TableContract
from connectors.transports.base import CHUNK_ROWS, Pull, require_columns
from connectors.transports.budget import Budget
from connectors.transports.clock import parse, since
from connectors.transports.page_ahead import PageAhead
from connectors.transports.page_rows import PageRows, names_of
from connectors.transports.received import Columns, Received
from connectors.transports.signing import signed_headers
from warehouse.errors import CityhubError, ConfigurationError, HeldBatch, PermanentError, TransientError
from warehouse.settings import mask_url

RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504})
ATTEMPTS = 5
# Longest pause a server may ask for before the run is better served by giving up until the next one.
LONGEST_PAUSE_SECONDS = 60.0
# stamina would print retries through structlog to standard output, where a command's JSON goes.
stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.LoggingOnRetryHook])
TIMEOUT = httpx.Timeout(30.0, connect=10.0)


@dataclass(frozen=True)
class Page:
    """One answer, understood."""

    number: int
    size: int
    total: int | None
    next_url: httpx.URL | None
    as_of: datetime | None
    items: list[dict[str, Any]]


class _Retried(TransientError):
    """An answer worth asking for again, with the pause the server asked for."""

    def __init__(self, error: TransientError, pause: float | None) -> None:
        super().__init__(error.what, where=error.where, expected=error.expected, do=error.do)
        self.pause = pause


class RestTransport:
    """Tables of one HTTP service."""

    def __init__(self, url: str, contract: SystemContract, key_id: str | None, secret: SecretStr | None) -> None:
        prefix = f"CITYHUB_SOURCE_{contract.system.upper()}"
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(
                "The address of the source service cannot be read.",
                where=f"environment variable {prefix}_URL",
                expected="http://… or https://…",
                do="correct the variable",
            )
        if key_id is None or secret is None:
            raise ConfigurationError(
                f"The signing key of the system {contract.system} is not set.",
                where=f"environment variables {prefix}_KEY_ID and {prefix}_SECRET",
                expected="the key the owner of the service gave out",
                do="set both variables",
            )
        self.contract = contract
        self._base = url.rstrip("/")
        self._key_id = key_id
        self._secret = secret
        self._access = contract.access
        # Reading the list of trusted authorities takes as long as three pages of a quick service, 17 ms. Without TLS it
        # is not asked for, and a context that knows no authority trusts nobody.
        trust = (
            httpx.create_ssl_context() if self._base.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=False, verify=trust)

    @cached_property
    def address(self) -> str:
        return mask_url(self._base)

    def check(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for table in self.contract.tables:
            page = self._page(table, 1, self._get(table, self._url(table, None, 1, page=1)), 1)
            found[table.name] = require_columns(table, list(page.items[0]), self._place(table)) if page.items else []
        return found

    def pull(self, table: TableContract, cursor: str | None) -> Pull:
        start = since(table, cursor)
        pull = Pull(iter(()), is_complete=start is None and table.load_mode != "append")
        pull.is_ordered = table.is_ordered
        pull.batches = self._batches(table, start, pull)
        return pull

    def close(self) -> None:
        self._client.close()

    def _batches(self, table: TableContract, start: datetime | None, pull: Pull) -> Iterator[Received]:
        rows = PageRows(table)
        budget = Budget(self._access.rows_per_second, self._access.page_size)
        try:
            for page in self._pages(table, start, budget.block_rows):
                pull.as_of, pull.source_total = page.as_of or pull.as_of, page.total
                if page.items:
                    self._take(table, page, pull, rows)
                if rows.height >= CHUNK_ROWS:
                    yield Columns(rows.frame())
                budget.rest(len(page.items))
        except _Retried:
            # The line broke, and what came is whole. A list that moved while it was paged is another matter.
            if pull.is_ordered and rows.height:
                yield Columns(rows.frame())
            raise
        except TransientError:
            pull.is_ordered = False
            raise
        if rows.height:
            yield Columns(rows.frame())

    def _pages(self, table: TableContract, start: datetime | None, size: int) -> Iterator[Page]:
        with PageAhead(self._ask, is_allowed=self._access.rows_per_second is None) as ahead:
            yield from self._paged(table, start, size, ahead)

    def _paged(self, table: TableContract, start: datetime | None, size: int, ahead: PageAhead) -> Iterator[Page]:
        """The pages in order. Where the next one's address is known, it is asked for while this one is read."""
        number, seen = 1, 0
        total: int | None = None
        url: httpx.URL | None = self._url(table, start, size, page=1)
        asked: set[str] = set()
        while url is not None:
            if str(url) in asked:
                raise self._held(
                    table, f"Page {number - 1} leads back to an earlier page.", expected="every page once, then an end"
                )
            asked.add(str(url))
            response = self._get(table, url, ahead)
            if self._access.paging == "page" and total is not None and seen + size < total:
                ahead.ask(table, self._url(table, start, size, page=number + 1))
            page = self._page(table, number, response, size, start)
            if number > 1 and page.total != total:
                raise TransientError(
                    f"The source changed while it was paged: total {total} became {page.total} at page {number}.",
                    where=self._place(table),
                    expected="one total for all pages of a pull",
                    do="wait for the next try",
                )
            total = page.total
            self._require_whole(table, page, seen)
            seen += len(page.items)
            number += 1
            url = page.next_url
            if self._access.paging == "page" and total is not None and seen < total:
                url = self._url(table, start, size, page=number)
            if url is not None and str(url) not in asked:
                ahead.ask(table, url)
            yield page

    def _require_whole(self, table: TableContract, page: Page, seen: int) -> None:
        """A page carries exactly the rows its place leaves for it.

        A service that tells no total must fill every page but the last; one that tells it may send them shorter.
        """
        due = page.size if page.total is None else page.total - seen
        if self._access.paging == "page" or (page.total is None and page.next_url is not None):
            is_whole = len(page.items) == (due := min(page.size, due))
        elif page.next_url is not None:
            is_whole = 0 < len(page.items) < due
        else:
            is_whole = len(page.items) <= due if page.total is None else len(page.items) == due
        if not is_whole:
            of = "" if page.total is None else f" (total {page.total})"
            raise self._held(
                table,
                f"Page {page.number} carries {len(page.items)} rows of the {due} due{of}.",
                expected="full pages until the total is reached",
            )

    def _take(self, table: TableContract, page: Page, pull: Pull, rows: PageRows) -> None:
        """Add the page's rows, which no page before may have held."""
        pull.saw(require_columns(table, names_of(page.items), f"page {page.number} of {self._place(table)}"))
        if not rows.add(page.number, page.items):
            raise self._held(
                table, f"Page {page.number} repeats an earlier page.", expected="every page once, other rows on each"
            )

    def _url(
        self,
        table: TableContract,
        start: datetime | None,
        size: int,
        *,
        page: int | None = None,
        cursor: str | None = None,
    ) -> httpx.URL:
        query: dict[str, str | int] = {"size": size}
        if self._access.paging == "page" and page is not None:
            query = {"page": page, **query}
        if cursor is not None:
            query["cursor"] = cursor
        if start is not None:
            query["updated_since"] = start.isoformat()
        return httpx.URL(f"{self._base}/{table.source_name.strip('/')}?{urlencode(query)}")

    def _page(
        self, table: TableContract, number: int, response: httpx.Response, size: int, start: datetime | None = None
    ) -> Page:
        is_numbered = self._access.paging == "page"
        try:
            answer = _parsed(response.content)
            if not is_numbered:
                answer = {"page": number, "size": size, "total": None, **answer}
            page = Page(
                number=int(answer["page"]),
                size=int(answer["size"]),
                total=None if answer["total"] is None and not is_numbered else int(answer["total"]),
                next_url=self._next(table, response, answer, size, start),
                as_of=parse(answer["as_of"], table.timezone) if answer.get("as_of") else None,
                items=list(answer["items"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, httpx.InvalidURL):
            raise self._held(
                table,
                f"The answer to page {number} is not in the agreed form.",
                expected="JSON with " + ("as_of, total, page, size and items" if is_numbered else "items"),
            ) from None
        if page.number != number or page.size < 1 or not all(isinstance(item, dict) for item in page.items):
            raise self._held(
                table,
                f"Page {number} was asked for, the answer calls itself page {page.number}.",
                expected="the page that was asked for, items as objects",
            )
        return page

    def _next(
        self, table: TableContract, response: httpx.Response, answer: dict[str, Any], size: int, start: datetime | None
    ) -> httpx.URL | None:
        """Where the answer says the next page is; None behind the last, and where pages are numbered."""
        if self._access.paging == "cursor" and answer.get("next_cursor") not in (None, ""):
            return self._url(table, start, size, cursor=str(answer["next_cursor"]))
        link = response.links.get("next", {}).get("url") if self._access.paging == "link" else None
        if link is None:
            return None
        url = response.url.join(link)
        if (url.scheme, url.host, url.port) != (response.url.scheme, response.url.host, response.url.port):
            # Followed, another host would learn the key's name and a valid signature.
            raise self._held(
                table, "The next page lies on another server.", expected="links within the address of the service"
            )
        return url

    def _get(self, table: TableContract, url: httpx.URL, ahead: PageAhead | None = None) -> httpx.Response:
        for attempt in stamina.retry_context(
            on=_pause, attempts=ATTEMPTS, timeout=120, wait_initial=0.2, wait_max=10.0, wait_jitter=0.5
        ):
            with attempt:
                # The first try may be under way, or over, since the page before this one came.
                return self._ask(table, url) if ahead is None or attempt.num > 1 else ahead.answer(table, url)
        raise AssertionError("unreachable: the retry context returns or raises")

    def _ask(self, table: TableContract, url: httpx.URL, on_sent: Callable[[], None] = lambda: None) -> httpx.Response:
        """One signed request. Signed anew each time: the nonce of a request that was lost may have been used."""

        def told(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith(".send_request_body.complete"):
                on_sent()

        path = url.raw_path.decode("ascii")
        headers = signed_headers(
            self._key_id,
            self._secret.get_secret_value().encode(),
            "GET",
            path,
            str(int(time.time())),
            secrets.token_hex(16),
        )
        try:
            response = self._client.get(url, headers=headers, extensions={"trace": told})
        except httpx.TransportError as error:
            raise _Retried(self._broken(table, type(error).__name__), None) from None
        if response.status_code == 200:
            return response
        if response.status_code in RETRIED_STATUS:
            raise _Retried(self._broken(table, f"HTTP {response.status_code}"), _retry_after(response))
        raise self._refused(table, response.status_code)

    def _place(self, table: TableContract) -> str:
        return f"{table.source_name} at {self.address}"

    def _held(self, table: TableContract, what: str, expected: str) -> HeldBatch:
        return HeldBatch(
            what,
            where=f"{table.system}.{table.name} ({self._place(table)})",
            expected=expected,
            do="raw keeps its last state; if the next run meets it again, tell the owner of the service",
        )

    def _broken(self, table: TableContract, label: str) -> TransientError:
        return TransientError(
            f"The source service does not answer as it should ({label}).",
            where=f"{table.system}.{table.name} ({self._place(table)})",
            expected=f"HTTP 200 within {TIMEOUT.read:.0f} s, at the latest at try {ATTEMPTS}",
            do="wait for the next run; if it lasts, ask the owner of the service",
        )

    def _refused(self, table: TableContract, status: int) -> CityhubError:
        prefix = f"CITYHUB_SOURCE_{self.contract.system.upper()}"
        advice = {
            401: f"check {prefix}_KEY_ID and {prefix}_SECRET, and this machine's clock (signatures carry the time)",
            403: "ask the owner of the service to let this key read the table",
            404: f"check {prefix}_URL and the table's name in the contract",
        }
        return PermanentError(
            f"The source service refuses the request (HTTP {status}).",
            where=f"{table.system}.{table.name} ({self._place(table)})",
            expected="HTTP 200",
            do=advice.get(status, "ask the owner of the service what changed"),
        )


def _pause(error: Exception) -> bool | float:
    """For stamina: whether to try again, and the pause where the server named one."""
    if not isinstance(error, _Retried):
        return False
    if error.pause is None:
        return True
    return error.pause if error.pause <= LONGEST_PAUSE_SECONDS else False


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header; a date there is taken by the server's own clock where it tells it."""
    asked = response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(asked))
    except ValueError:
        until = _moment(asked)
    now = _moment(response.headers.get("Date", "")) or time.time()
    return None if until is None else max(0.0, until - now)


def _moment(http_date: str) -> float | None:
    try:
        return parsedate_to_datetime(http_date).timestamp()
    except ValueError:
        return None


def _parsed(body: bytes) -> Any:
    """JSON whose numbers are kept as they are written: decimals as text, and integers too that are too long for Python,
    which refuses to convert more than 4,300 digits."""
    try:
        return json.loads(body, parse_float=str)
    except ValueError:
        return json.loads(body, parse_float=str, parse_int=_plain_int)


def _plain_int(text: str) -> int | str:
    return int(text) if len(text) <= 18 else text
