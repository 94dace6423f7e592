"""The database of a test as the one the pages open, empty or with the sample release in it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import streamlit as st
from psycopg import conninfo as pgconninfo

from streamlit_app import data
from warehouse.database import Database
from warehouse.settings import get_settings

SAMPLE_FILE = Path(__file__).with_name("sample_release.py")


def database_url(database: Database) -> str:
    """The address of a test's database for `CITYHUB_DATABASE_URL`."""
    parts = pgconninfo.conninfo_to_dict(database.conninfo)
    return f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}&port={parts.get('port', 5432)}"


@pytest.fixture(scope="session", autouse=True)
def _as_served() -> None:
    """Pages run without Streamlit's magic, as they are served: rewriting them breaks now and then in Python 3.11,
    whose parser counts its depth wrongly when two threads parse at once."""
    st.config.set_option("runner.magicEnabled", False)


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    """The module that fills a database with the sample release."""
    spec = importlib.util.spec_from_file_location("sample_release", SAMPLE_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def app_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The throw-away database, as the one the pages open."""
    monkeypatch.setenv("CITYHUB_DATABASE_URL", database_url(database))
    get_settings.cache_clear()
    st.cache_data.clear()
    yield database
    data.warehouse().dispose()
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def released(app_database: Database, sample: ModuleType) -> Database:
    """The database with one release in it."""
    sample.publish_sample(app_database)
    return app_database
