"""What a run tells the person watching it: stages with a known number of steps.

The assets report to whatever reporter is installed in this process: a progress display under `cityhub run`, nothing
under Dagster, which shows its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Reporter(Protocol):
    """Receives a run's progress."""

    def begin(self, stage: str, total: int) -> None:
        """A stage starts; it has `total` steps (0: not known)."""

    def step(self, stage: str, label: str) -> None:
        """One step of the stage is done."""

    def end(self, stage: str) -> None:
        """The stage is done."""

    def note(self, text: str) -> None:
        """Something the person should read now, such as a held batch."""


class Silent:
    """Tells nobody."""

    def begin(self, stage: str, total: int) -> None: ...

    def step(self, stage: str, label: str) -> None: ...

    def end(self, stage: str) -> None: ...

    def note(self, text: str) -> None: ...


_current: Reporter = Silent()


def reporter() -> Reporter:
    """The reporter of this process."""
    return _current


@contextmanager
def reporting_to(target: Reporter) -> Iterator[None]:
    """Install `target` while the block runs."""
    global _current
    previous, _current = _current, target
    try:
        yield
    finally:
        _current = previous
