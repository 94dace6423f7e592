"""Asks a service for the next page while the last one is read: one request at a time, never two."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Self

import httpx

from connectors.contract import TableContract

# Asks, and calls the last argument when the request is on its way.
Ask = Callable[[TableContract, httpx.URL, Callable[[], None]], httpx.Response]


class PageAhead:
    """One request ahead of its use. Retries are the caller's: an answer that failed is told when it is asked for.

    `is_allowed`: false where rows are paced, so that the pause comes before the request.
    """

    def __init__(self, ask: Ask, *, is_allowed: bool) -> None:
        self._ask = ask
        self._is_allowed = is_allowed
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="page")
        self._pending: tuple[str, Future[httpx.Response]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def ask(self, table: TableContract, url: httpx.URL) -> None:
        """Send the request, unless it is under way; returns when it is sent.

        Did it not wait, the caller would go on to parse and keep the interpreter's lock for longer than the service
        takes to answer, and the request would leave when there is nothing left to do meanwhile.
        """
        if self._is_allowed and self._pending is None:
            sent = Event()
            answer = self._pool.submit(self._ask, table, url, sent.set)
            answer.add_done_callback(lambda _: sent.set())
            sent.wait()
            self._pending = str(url), answer

    def answer(self, table: TableContract, url: httpx.URL) -> httpx.Response:
        """The answer to a request, sent now where it was not before."""
        pending, self._pending = self._pending, None
        if pending is not None and pending[0] == str(url):
            return pending[1].result()
        if pending is not None:
            # A service that leads elsewhere than its numbers said; it is not asked twice at a time.
            pending[1].exception()
        return self._ask(table, url, lambda: None)
