"""A synthetic city and the four departments' systems as real servers and files.

The room makes input for the hub and knows nothing of the hub itself: it may read contracts and use `warehouse`. What is
true about the city is written beside (`<home>/demo/truth`) for evaluation and never offered to the hub.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from demo.home import clock, exists

__all__ = ["SYSTEMS", "advance", "clock", "exists"]

# The systems a city brings.
SYSTEMS = ("civil_affairs", "market_supervision", "urban_management", "care_homes")


def advance(home: Path, days: int = 1, *, admin_dsn: str | None = None, urban_url: str | None = None) -> dt.date:
    """Let the city live on for `days` days and bring its four systems up to date.

    Args:
        home: the hub's home directory that the city was built in.
        admin_dsn: login to the server of civil affairs; needed only where it takes a password.
        urban_url: address of urban management; needed only where it takes a password.

    Returns:
        The city's new date.
    """
    # polars and the city's modules cost 0.4 s, which `demo.exists` should not.
    from demo.living import advance as live

    return live(home, days, admin_dsn=admin_dsn, urban_url=urban_url)
