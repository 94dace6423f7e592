"""A resident and the enterprise he leads, found and read as a person does: searched by name, opened, followed."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page
from psycopg.rows import dict_row

from tests.browser.chromium import DESK, MARKS, PHONE, go, settle, too_wide
from warehouse.database import Database

pytestmark = MARKS

# Whom the sample's search knows under this name, which no page shows.
NAME, RESIDENT = "李淑芬", "R0000000000000000"


def row_of(database: Database, query: str, *values: object) -> dict[str, Any]:
    with database.psycopg("reader") as connection:
        row = connection.cursor(row_factory=dict_row).execute(query.encode(), values).fetchone()
    assert row is not None
    return row


def fact(page: Page, label: str) -> str:
    """What the page says of an attribute, without its source."""
    found = page.locator(".fact", has=page.locator(f".fact-label:text-is('{label}')"))
    return str(found.locator(".fact-value").first.inner_text()).split("\n")[0]


def events(page: Page) -> list[tuple[str, str]]:
    texts = page.locator(".event").all_inner_texts()
    return [tuple(text.split("\n")[:2]) for text in texts]  # type: ignore[misc]


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_a_resident_is_searched_read_and_followed_to_his_firm(
    address: str, page: Page, served_database: Database, width: int
) -> None:
    person = row_of(served_database, "select * from shared.residents where resident_id = %s", RESIDENT)
    tied = "select to_id from shared.relations where kind = 'legal_representative' and from_id = %s"
    firm_id = row_of(served_database, tied, RESIDENT)["to_id"]
    firm = row_of(served_database, "select * from shared.enterprises where enterprise_id = %s", firm_id)
    go(page, f"{address}/subject", width)
    page.get_by_label("查询内容").fill(NAME)
    page.get_by_role("button", name="查询", exact=True).click()
    page.locator(".st-key-matches button").click()
    page.wait_for_selector(".subject-name")
    settle(page)
    assert page.inner_text(".subject-name") == person["name"]
    assert fact(page, "公民身份号码") == person["citizen_no"]
    assert fact(page, "电话") == person["phone"]
    assert fact(page, "出生年份") == f"{person['birth_on'].year} 年"
    assert fact(page, "任法定代表人的企业") == str(person["legal_rep_count"])
    assert_told(page, served_database, "resident", RESIDENT)
    assert too_wide(page) == []
    assert NAME not in page.inner_text("[data-testid=stMain]")
    assert NAME not in page.url

    page.locator("table.grid a.inner", has_text=firm["name"]).first.click()
    page.wait_for_selector(f".subject-name:text-is('{firm['name']}')")
    settle(page)
    assert fact(page, "统一社会信用代码") == firm["uscc"]
    assert fact(page, "注册资本") == f"{firm['registered_capital_cny']:,.0f} 元"
    assert fact(page, "检查") == str(firm["inspection_count"])
    assert_told(page, served_database, "enterprise", firm_id)
    assert too_wide(page) == []
    before = events(page)
    page.get_by_text("显示设备报警（3 起）").click()
    page.wait_for_selector(".event:has-text('离床报警 · 3 次')")
    assert events(page)[1:] == before
    assert too_wide(page) == []


def assert_told(page: Page, database: Database, kind: str, subject_id: str) -> None:
    """The timeline begins with the newest events; a home's alarms are shown on request."""
    with database.psycopg("reader") as connection:
        newest = connection.execute(
            "select on_date::text, label_zh from shared.timeline where subject_kind = %s and subject_id = %s"
            " and table_name <> 'device_alarms' order by on_date desc",
            [kind, subject_id],
        ).fetchall()
    assert events(page) == newest
