"""What takes the time of a linkage: seconds per phase, for whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Phases:
    """Seconds per phase, in the order they were first entered; a phase entered twice counts once, with its sum.

    Attributes:
        seconds: phase → wall clock.
        told: called with each phase and its seconds when it ends.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    told: Callable[[str, float], None] | None = None

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens inside to this phase."""
        started = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + took
            if self.told is not None:
                self.told(name, took)
