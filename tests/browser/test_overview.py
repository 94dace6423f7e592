"""The overview in a real browser: served by a real Streamlit process, its number compared with the database."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from psycopg import conninfo as pgconninfo

from streamlit_app.serve import pages_command
from warehouse.database import Database

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SAMPLE_FILE = Path(__file__).parents[1] / "unit" / "streamlit_app" / "sample_release.py"
DESK, PHONE = 1280, 390

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


def sample() -> ModuleType:
    """The module that fills a database with the sample release."""
    spec = spec_from_file_location("sample_release", SAMPLE_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def address(database: Database, tmp_path: Path) -> Iterator[str]:
    """The pages over a database with one release, served on a free port."""
    sample().publish_sample(database)
    parts = pgconninfo.conninfo_to_dict(database.conninfo)
    url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}&port={parts.get('port', 5432)}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {"CITYHUB_DATABASE_URL": url, "CITYHUB_HOME": str(tmp_path)}
    log = (tmp_path / "pages.log").open("wb")
    process = subprocess.Popen(pages_command(port=port), env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
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


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def opened(browser: Browser, url: str, width: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(url)
    page.wait_for_selector(".page-head h1", timeout=30_000)
    return page


def test_the_overview_shows_what_the_database_holds(address: str, browser: Browser, database: Database) -> None:
    with database.psycopg("reader") as connection:
        index, numerator, denominator = connection.execute(
            "select s.index_value, v.numerator, v.denominator from scorecards.scorecards as s"
            " join scorecards.indicator_values as v using (dimension, dimension_code, period)"
            " where s.dimension = 'district' and s.period = '2026-05' and v.indicator_code = 'on_time_closure_rate'"
        ).fetchone() or (0.0, 0, 0)
    page = opened(browser, address, DESK)
    assert page.inner_text(".hero-value") == f"{index * 100:.1f}"
    card = page.locator(".card", has_text="按期结案率")
    assert card.locator(".figure").inner_text() == f"{numerator / denominator * 100:.1f}%"
    assert f"分子 {numerator:,} ÷ 分母 {denominator:,}" in card.locator(".card-receipt").inner_text()
    page.get_by_role("button", name="English").click()
    page.wait_for_selector("h1:has-text('District overview')")
    assert page.inner_text(".hero-value") == f"{index * 100:.1f}"


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_every_page_fits_its_screen_and_opens_by_its_address(address: str, browser: Browser, width: int) -> None:
    """The first request after a start goes to a deep link, which must not bypass the entry point."""
    subject = "subject?kind=resident&id=R0000000000000000&lang=en"
    for path, title in (("/towns", "街镇"), (f"/{subject}", "Subjects"), ("/quality", "数据质量"), ("/", "全区总览")):
        page = opened(browser, address + path, width)
        page.wait_for_timeout(1500)
        assert page.inner_text(".page-head h1") == title
        wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert wide <= width, f"{path} is {wide} pixels wide"
        assert page.locator("[data-testid=stException]").count() == 0
        assert page.locator("[data-testid=stAppDeployButton]").count() == 0
        page.close()
