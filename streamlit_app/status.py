"""What the status of a figure means for how it is shown. Zero is not unknown: only a measured value becomes a number.

`good`, `watch` and `poor` compare with the target. `too_few` was measured on fewer than 20 cases: the number is shown
with its interval, but no line joins it and no rank is given. `too_early` (period open), `stale` (a source missed its
promise) and `not_applicable` (no denominator) have no number at all, whatever the row holds.
"""

from __future__ import annotations

from typing import Final

JUDGED: Final = ("good", "watch", "poor")
UNJUDGED: Final = ("too_few", "too_early", "stale", "not_applicable")
STATUSES: Final = (*JUDGED, *UNJUDGED)
# Order of trouble, for sorting systems and tables: what needs a hand comes first.
TABLE_STATES: Final = ("failed", "held", "stale", "never", "loading", "admitted")


def known(status: str) -> str:
    """The status itself; one that this version does not know counts as not applicable rather than as a number."""
    return status if status in STATUSES else "not_applicable"


def printed_value(status: str, value: float | None) -> float | None:
    """The value that may be printed as a number, or None where a word stands in its place."""
    return value if status in JUDGED or status == "too_few" else None


def line_value(status: str, value: float | None) -> float | None:
    """The value that a line may pass through, or None for a gap."""
    return value if status in JUDGED else None


def worst_state(states: list[str]) -> str:
    """The state of a system made of its tables' states."""
    ranked = [state for state in TABLE_STATES if state in states]
    return ranked[0] if ranked else "never"
