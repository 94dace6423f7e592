"""The failures a person or a schedule has to tell apart.

Every error names what failed, where, what was expected and what to do, and never carries a row's values: these
texts reach logs, the run's metadata and the terminal (law 7, law 10). Only `TransientError` is worth a retry.
"""

from __future__ import annotations


class CityhubError(Exception):
    """An error with a cause that a person can act on.

    Args:
        what: what failed, one sentence.
        where: file, table, column, address (without secrets) or option it failed at.
        expected: what would have been right.
        do: the next step for the reader.
    """

    kind = "error"

    def __init__(self, what: str, *, where: str = "", expected: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.do = do

    def lines(self) -> list[tuple[str, str]]:
        """The four parts as (label, text), empty ones left out."""
        parts = [("what", self.what), ("where", self.where), ("expected", self.expected), ("do", self.do)]
        return [(label, text) for label, text in parts if text]

    def __str__(self) -> str:
        return "; ".join(text if label == "what" else f"{label}: {text}" for label, text in self.lines())


class ConfigurationError(CityhubError):
    """A setting, option or environment variable is missing or wrong."""

    kind = "configuration"


class ContractError(CityhubError):
    """A contract file, or a table that should follow it, is not as declared."""

    kind = "contract"


class TransientError(CityhubError):
    """The other side may answer next time: time-outs, 408, 429, 5xx, connections refused or dropped."""

    kind = "transient"


class PermanentError(CityhubError):
    """Trying again changes nothing: a wrong password, a table that is not there, a refused signature."""

    kind = "permanent"


class HeldBatch(CityhubError):
    """What was delivered must not be admitted: truncated, wrongly encoded, renamed column, outside its band."""

    kind = "held"
