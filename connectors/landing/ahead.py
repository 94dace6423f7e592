"""Reads the next frames while one is checked and copied: source, checks and Postgres work at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Self, TypeVar

Frame = TypeVar("Frame")


class ReadAhead(Generic[Frame]):
    """The same frames in the same order, some read ahead: two even out what takes longer now here and now there.

    The reading begins at once. All of it, its end included, happens in one other thread: some drivers tie a connection
    to its thread. To be closed.
    """

    def __init__(self, frames: Iterator[Frame], ahead: int = 2) -> None:
        self._frames = frames
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pull")
        self._pending = deque(self._pool.submit(next, frames, None) for _ in range(ahead))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        frame = self._pending.popleft().result() if self._pending else None
        if frame is None:
            raise StopIteration
        self._pending.append(self._pool.submit(next, self._frames, None))
        return frame

    def close(self) -> None:
        """End the reading, whether or not it came to its end."""
        for later in self._pending:
            later.cancel()
        self._pending.clear()
        close = getattr(self._frames, "close", None)
        with self._pool:
            if close is not None:
                self._pool.submit(close).result()
