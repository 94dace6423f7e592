"""The hub as one process sees it: its settings, its open warehouse, its contracts, its sources.

A home with a demo city brings its own source systems: `sources` starts them and names their addresses. A production
home names them in the environment (`CITYHUB_SOURCE_<SYSTEM>_URL`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import demo
from connectors.contract import SystemContract, load_contracts
from warehouse.database import Database, open_database
from warehouse.errors import ConfigurationError
from warehouse.server import start as start_embedded
from warehouse.settings import TIMEZONE, Settings, get_settings

# Of synthetic people no secret has to be kept: their tokens must only be the same in every process of the home, and
# anyone may play the clerk. Nothing of this applies to a home without a demo city, or overrides what is set.
DEMO_ENVIRONMENT = {"CITYHUB_TOKEN_KEY": "synthetic city, no secret", "CITYHUB_REVIEW": "trust"}


def hub_settings() -> Settings:
    """The settings, with the demo's own where the home holds a demo city and they are not set."""
    settings = get_settings()
    if demo.exists(settings.home):
        missing = {name: value for name, value in DEMO_ENVIRONMENT.items() if not os.environ.get(name)}
        if missing:
            os.environ.update(missing)
            get_settings.cache_clear()
            settings = get_settings()
    return settings


@lru_cache(maxsize=1)
def hub_database() -> Database:
    """The warehouse, opened once per process."""
    return open_database(hub_settings())


def demo_admin() -> str:
    """Login to the embedded server, where the demo's civil affairs live also when the warehouse is elsewhere."""
    return hub_database().embedded_admin or start_embedded(hub_settings().home)


@lru_cache(maxsize=1)
def hub_contracts() -> Mapping[str, SystemContract]:
    """All contracts, by system."""
    return load_contracts(hub_settings().contracts_dir)


def has_warehouse() -> bool:
    """Whether there is a warehouse to look at; opening one would make it."""
    settings = hub_settings()
    return settings.database_url is not None or (settings.home / "postgres" / "PG_VERSION").exists()


def addresses_in_environment() -> bool:
    """Whether the environment names the source systems, so that the demo's own stay away.

    A home with a city lends its own systems unless one of those is named: a further system stands beside them.
    """
    settings = hub_settings()
    systems = demo.SYSTEMS if demo.exists(settings.home) else hub_contracts()
    return any(settings.source_url(system) for system in systems)


@contextmanager
def sources() -> Iterator[None]:
    """Source systems within reach while the block runs: those of the environment, or the demo city's."""
    settings = hub_settings()
    if addresses_in_environment():
        yield
        return
    if not demo.exists(settings.home):
        raise ConfigurationError(
            "No source system is configured.",
            where=f"environment, and {settings.home}",
            expected="CITYHUB_SOURCE_<SYSTEM>_URL for each system, or a demo city in this home",
            do="set the addresses (see docs/how-to/connect-a-system.md), or run `cityhub demo` for a synthetic city",
        )
    # Polars and the servers' libraries cost 0.5 s, which a command without sources should not pay.
    from demo.systems import serving

    with serving(settings.home, admin_dsn=demo_admin()) as environment:
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def default_business_date() -> date:
    """The business date of a run that names none.

    With a demo city: the city's own day, which its four systems live by. Otherwise today in Shanghai.
    """
    home = hub_settings().home
    return demo.clock(home) if demo.exists(home) else datetime.now(ZoneInfo(TIMEZONE)).date()
