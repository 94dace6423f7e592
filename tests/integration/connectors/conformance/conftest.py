"""One warehouse for the tests of the suite: each forgets what the one before landed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import throw_away_database
from warehouse.database import Database


@pytest.fixture(scope="session")
def conformance_database(postgres_admin: str, _template: str) -> Iterator[Database]:
    """A migrated database of the session."""
    with throw_away_database(postgres_admin, _template) as database:
        yield database
