"""A doubtful pair on the clerks' page: both records, how the weight came about, an opinion."""

from __future__ import annotations

from playwright.sync_api import Page

from streamlit_app.formats import NONE
from tests.browser.chromium import DESK, MARKS, PHONE, go, hidden_width, settle, too_wide
from warehouse.database import Database

pytestmark = MARKS

ATTRIBUTES = ("姓名（名称）", "公民身份号码", "居（村）委")


# What a second person's agreement makes of the first one's opinion.
CLERKS = ((DESK, "李芳", "还需另一人同意"), (PHONE, "陈强", "两人意见一致"))


def test_two_clerks_see_both_records_and_the_waterfall_and_decide(
    address: str, page: Page, served_database: Database
) -> None:
    """One at a desk, one on a phone, each under the name that the identity provider gives them."""
    with served_database.psycopg("clerk") as connection:
        pair = connection.execute(
            "select attribute, left_value, right_value from identity.review_pair(1, 'test', 'command')"
        ).fetchall()
    with served_database.psycopg("reader") as connection:
        towns = dict(connection.execute("select town_code, name_zh from shared.towns").fetchall())
    values = {attribute: (left or NONE, right or NONE) for attribute, left, right in pair}
    go(page, address, DESK)
    for width, clerk, told in CLERKS:
        if page.get_by_role("button", name="退出登录").count():
            log_out(page)
        page.set_viewport_size({"width": width, "height": 900})
        log_in(page, clerk)
        page.locator(".st-key-matches button").click()
        page.wait_for_selector("table.grid")
        settle(page)
        assert shown(page) == {
            "姓名（名称）": values["name"],
            "公民身份号码": values["citizen_no"],
            "居（村）委": tuple(f"{towns[code[:9]]} {code}" for code in values["near_committee_code"]),
        }
        assert hidden_width(page, ".pair .table-wrap") == 0
        chart = page.locator("[data-testid=stVegaLiteChart]").bounding_box()
        assert chart is not None
        assert chart["height"] > 100
        assert chart["x"] + chart["width"] <= width
        assert too_wide(page) == []

        page.get_by_label("理由").fill("核对过两份档案")
        page.get_by_role("button", name="是同一主体", exact=True).click()
        page.wait_for_selector(f".notice:has-text('{told}')")
        assert too_wide(page) == []
    with served_database.psycopg("owner") as connection:
        decided = connection.execute("select verdict, decided_by from identity.decisions").fetchall()
    assert decided == [("must_link", [clerk for _, clerk, _ in CLERKS])]


def log_in(page: Page, clerk: str) -> None:
    """As people do: the pages ask the provider, the provider asks them, and they are back on the first page."""
    open_review(page)
    assert page.get_by_label("复核人姓名").count() == 0, "no name can be typed"
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_role("link", name=clerk).click()
    page.wait_for_selector(".page-head h1")
    open_review(page)
    assert page.locator(f".notice:has-text('已登录：{clerk}')").count() == 1
    assert too_wide(page) == []


def log_out(page: Page) -> None:
    with page.expect_navigation(url="**/"):
        page.get_by_role("button", name="退出登录").click()
    page.wait_for_selector(".page-head h1")


def open_review(page: Page) -> None:
    settle(page)
    page.locator("a:visible", has_text="复核").first.click()
    page.wait_for_selector("h1:has-text('复核')")
    settle(page)


def shown(page: Page) -> dict[str, tuple[str, ...]]:
    """What the page says of both records, of three attributes."""
    rows = [row.locator("td").all_inner_texts() for row in page.locator("table.grid").first.locator("tr").all()]
    return {cells[0]: tuple(cells[1:3]) for cells in rows if cells and cells[0] in ATTRIBUTES}
