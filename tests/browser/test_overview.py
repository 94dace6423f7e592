"""The overview in a real browser: served by a real Streamlit process, its number compared with the database."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.chromium import DESK, MARKS, PHONE, go, settle, too_wide
from warehouse.database import Database

pytestmark = MARKS


def test_the_overview_shows_what_the_database_holds(address: str, page: Page, served_database: Database) -> None:
    with served_database.psycopg("reader") as connection:
        index, numerator, denominator = connection.execute(
            "select s.index_value, v.numerator, v.denominator from scorecards.scorecards as s"
            " join scorecards.indicator_values as v using (dimension, dimension_code, period)"
            " where s.dimension = 'district' and s.period = '2026-05' and v.indicator_code = 'on_time_closure_rate'"
        ).fetchone() or (0.0, 0, 0)
    go(page, address, DESK)
    assert page.inner_text(".hero-value") == f"{index * 100:.1f}"
    card = page.locator(".card", has_text="按期结案率")
    assert card.locator(".figure").inner_text() == f"{numerator / denominator * 100:.1f}%"
    assert f"分子 {numerator:,} ÷ 分母 {denominator:,}" in card.locator(".card-receipt").inner_text()
    page.get_by_role("button", name="English").click()
    page.wait_for_selector("h1:has-text('District overview')")
    settle(page)
    assert page.inner_text(".hero-value") == f"{index * 100:.1f}"


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_every_page_fits_its_screen_and_opens_by_its_address(address: str, page: Page, width: int) -> None:
    """Each visit begins with a deep link, which must not bypass the entry point."""
    subject = "subject?kind=resident&id=R0000000000000000&lang=en"
    for path, title in (("/towns", "街镇"), (f"/{subject}", "Subjects"), ("/quality", "数据质量"), ("/", "全区总览")):
        go(page, address + path, width)
        assert page.inner_text(".page-head h1") == title
        assert too_wide(page) == [], path
        assert page.locator("[data-testid=stException]").count() == 0
        assert page.locator("[data-testid=stAppDeployButton]").count() == 0
