"""Reads the next frames while one is checked and copied: source, checks and Postgres work at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Frame = TypeVar("Frame")


def read_ahead(frames: Iterator[Frame], ahead: int = 2) -> Generator[Frame, None, None]:
    """The same frames in the same order, some read ahead: two even out what takes longer now here and now there.

    All of the reading, its end included, happens in one other thread: some drivers tie a connection to its thread.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="pull") as pool:
        pending = deque(pool.submit(next, frames, None) for _ in range(ahead))
        try:
            while (frame := pending.popleft().result()) is not None:
                pending.append(pool.submit(next, frames, None))
                yield frame
        finally:
            for later in pending:
                later.cancel()
            close = getattr(frames, "close", None)
            if close is not None:
                pool.submit(close).result()
