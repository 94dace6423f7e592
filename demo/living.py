"""Lets a built city live on and carries every day into its four systems."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from demo import home as places
from demo.city import load
from demo.city.days import next_day
from demo.systems import (
    admin_login,
    care_homes,
    civil_affairs,
    explained,
    market_store,
    remember,
    urban_address,
    urban_management,
)
from warehouse.errors import ConfigurationError


def advance(home: Path, days: int = 1, *, admin_dsn: str | None = None, urban_url: str | None = None) -> dt.date:
    """As `demo.advance`.

    The databases and the REST store change once, from the first day's state to the last one's; the drop folder gets
    one folder for each day. The description is written last: an advance that was cut off is repeated in full.
    """
    if days < 1:
        raise ConfigurationError(
            "The city cannot be moved by that many days.",
            where="option --days",
            expected="a number from 1",
            do="give a positive number; the city's clock runs forward only",
        )
    facts = places.describe(home)
    before = city = load(places.folder(home) / "state", facts)
    for _ in range(days):
        yesterday, city = city, next_day(city)
        care_homes.write_drop(places.drops(home), city, yesterday)
    login = admin_login(home, admin_dsn)
    with explained(login):
        civil_affairs.update(login, facts["civil_database"], before, city)
    market_store.update(places.market_store(home), before, city)
    urban_management.update(urban_address(home, urban_url), before, city)
    remember(home, city, {name: facts[name] for name in ("civil_database", "admin", "urban_url")})
    return city.clock
