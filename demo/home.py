"""Where a demo city keeps itself under the hub's home directory, and the one file that describes it.

<home>/demo/city.json                    seed, size, clock, addresses without passwords
<home>/demo/state/                       the city's own memory (Parquet)
<home>/demo/truth/                       persons, enterprises, findings, breaks (Parquet)
<home>/demo/market_supervision.sqlite    what the REST server serves
<home>/demo/urban_management.sqlite      the database of urban management
<home>/demo/drops/care_homes/<date>/     the drop folder
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from warehouse.errors import ConfigurationError

VERSION = 1
# The last day of a newly built city, with two years of history before it.
CLOCK = dt.date(2026, 6, 30)
HISTORY_DAYS = 730


def folder(home: Path) -> Path:
    """The demo's own folder."""
    return home.expanduser().absolute() / "demo"


def description_file(home: Path) -> Path:
    """The file that says which city lives here."""
    return folder(home) / "city.json"


def market_store(home: Path) -> Path:
    """Store of the REST server of market supervision."""
    return folder(home) / "market_supervision.sqlite"


def urban_store(home: Path) -> Path:
    """Database file of urban management."""
    return folder(home) / "urban_management.sqlite"


def drops(home: Path) -> Path:
    """Drop folder of the care homes."""
    return folder(home) / "drops" / "care_homes"


def exists(home: Path) -> bool:
    """Whether a city has been built in this home."""
    return description_file(home).is_file()


def describe(home: Path) -> dict[str, Any]:
    """The description of the city in this home.

    Raises:
        ConfigurationError: there is none, or another version of the demo wrote it.
    """
    path = description_file(home)
    if not path.is_file():
        raise ConfigurationError(
            "There is no demo city here.",
            where=str(path),
            expected="a city built by `cityhub demo`",
            do="run `cityhub demo` first, or point CITYHUB_HOME to the home it was built in",
        )
    facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if facts.get("version") != VERSION:
        raise ConfigurationError(
            "The demo city was built by another version.",
            where=str(path),
            expected=f"version {VERSION}",
            do=f"remove {path.parent} and run `cityhub demo` again",
        )
    return facts


def write_description(home: Path, facts: dict[str, Any]) -> None:
    """Replace the description in one step."""
    path = description_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"version": VERSION, **facts}, ensure_ascii=False, indent=2) + "\n", "utf-8")
    partial.replace(path)


def clock(home: Path) -> dt.date:
    """The last day that has happened in the city."""
    return dt.date.fromisoformat(describe(home)["clock"])
