"""Reads the next frame while the last one is checked and copied: source, checks and Postgres work at the same time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Frame = TypeVar("Frame")


def read_ahead(frames: Iterator[Frame]) -> Generator[Frame, None, None]:
    """The same frames in the same order, one read ahead.

    All of the reading, its end included, happens in one other thread: some drivers tie a connection to its thread.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="pull") as pool:
        try:
            pending: Future[Frame | None] = pool.submit(next, frames, None)
            while (frame := pending.result()) is not None:
                pending = pool.submit(next, frames, None)
                yield frame
        finally:
            close = getattr(frames, "close", None)
            if close is not None:
                pool.submit(close).result()
