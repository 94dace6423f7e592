"""The pages over one sample release and one review queue, served once by a real Streamlit process; Chromium.

Clerks log in at a provider of this test's own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright
from psycopg import conninfo as pgconninfo

from streamlit_app.serve import pages_command
from tests.browser import identity_provider
from tests.browser.chromium import CHROMIUM, FLAGS
from tests.databases import throw_away_database
from tests.integration.review_queue import add_pair, make_records
from warehouse.database import Database

SAMPLE_FILE = Path(__file__).parents[1] / "unit" / "streamlit_app" / "sample_release.py"
WATERFALL = [
    {"comparison": "prior", "level": "prior", "weight": -20.1},
    {"comparison": "name", "level": "same", "weight": 9.2},
    {"comparison": "committee", "level": "same_committee", "weight": 6.4},
    {"comparison": "phone", "level": "one_digit_off", "weight": -1.8},
]


@pytest.fixture(scope="session")
def served_database(postgres_admin: str, _template: str) -> Iterator[Database]:
    """A database with the sample release and a doubtful pair."""
    spec = spec_from_file_location("sample_release", SAMPLE_FILE)
    assert spec is not None
    assert spec.loader is not None
    sample = module_from_spec(spec)
    spec.loader.exec_module(sample)
    with throw_away_database(postgres_admin, _template) as database:
        sample.publish_sample(database)
        make_records(database)
        add_pair(database, waterfall=WATERFALL, match_weight=-6.3, probability=1 / (1 + 2**6.3))
        yield database


@pytest.fixture(scope="session")
def address(served_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The pages over that database, served on a free port."""
    parts = pgconninfo.conninfo_to_dict(served_database.conninfo)
    url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}&port={parts.get('port', 5432)}"
    folder = tmp_path_factory.mktemp("pages")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = {"CITYHUB_DATABASE_URL": url, "CITYHUB_HOME": str(folder), "CITYHUB_REVIEW": "login"}
    with identity_provider.served() as issuer, (folder / "pages.log").open("wb") as log:
        known = folder / ".streamlit" / "secrets.toml"
        known.parent.mkdir()
        known.write_text(identity_provider.secrets_file(issuer, f"http://127.0.0.1:{port}"), encoding="utf-8")
        process = subprocess.Popen(
            pages_command(port=port), env=os.environ | settings, cwd=folder, stdout=log, stderr=log
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            # It has nothing to lose, and takes seconds to say goodbye.
            process.kill()
            process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers, 60 s at most."""
    for _ in range(240):
        assert process.poll() is None, "the server ended by itself"
        try:
            if httpx.get(url, timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    pytest.fail("the server did not answer within 60 s")


# Not for the session: while Playwright runs in a process, nothing else there may run an event loop.
@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """One tab, which keeps Streamlit's own scripts; each address opened in it is a session of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page()
        browser.close()
