"""Every page, in both languages, with and without a release, as Streamlit runs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import streamlit_app
from streamlit_app import data
from streamlit_app.i18n import Texts
from warehouse.database import Database
from warehouse.roles import ROLE_NAMES
from warehouse.settings import get_settings

APP = Path(streamlit_app.__file__).with_name("app.py")
PAGES = ("overview", "towns", "subject", "quality")
RESIDENT, ENTERPRISE = "R0000000000000000", "E0000000000000000"

# Streamlit's own clock and loops are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def open_page(name: str, language: str = "zh", **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["lang"] = language
    app.run()
    if name != PAGES[0]:
        for key, value in query.items():
            app.query_params[key] = value
        app.switch_page(f"screens/{name}.py").run()
    assert not app.exception, [error.value for error in app.exception]
    return app


def html_of(app: AppTest) -> str:
    """What the page says, as one piece of HTML."""
    return "\n".join(element.proto.body for element in app.get("html"))


def words_of(app: AppTest) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html_of(app)))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_without_a_release_every_page_says_what_to_run(app_database: Database, name: str, language: str) -> None:
    app = open_page(name, language)
    text = words_of(app)
    assert Texts(language)("no_release.title") in text  # type: ignore[arg-type]
    assert "cityhub demo" in text
    assert "cityhub run" in text
    assert not app.selectbox


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens(released: Database, name: str, language: str) -> None:
    app = open_page(name, language)
    assert Texts(language)(f"{name}.title") in words_of(app)  # type: ignore[arg-type]
    if language == "en":
        # Names of firms and towns come with the data; everything the page itself says is English.
        assert not re.search(r"[\u4e00-\u9fff]", re.sub(r"东方家园小区", "", words_of(app)))


def test_overview_shows_the_closed_month_with_its_receipt(released: Database) -> None:
    text = words_of(open_page("overview"))
    with released.psycopg("reader") as connection:
        found = connection.execute(
            "select numerator, denominator, value from scorecards.indicator_values where dimension = 'district'"
            " and indicator_code = 'on_time_closure_rate' and period = '2026-05'"
        ).fetchone()
        index = connection.execute(
            "select index_value from scorecards.scorecards where dimension = 'district' and period = '2026-05'"
        ).fetchone()
    assert found is not None
    assert index is not None
    assert "2026年5月" in text
    assert f"分子 {found[0]:,} ÷ 分母 {found[1]:,}" in text
    assert f"{found[2] * 100:.1f}%" in text
    assert f"{index[0] * 100:.1f}" in text
    assert "第 1 次发布" in text
    assert "2026-07-01 02:05" in text
    assert "已扣留" in text


def test_nothing_to_warn_of_is_no_warning(released: Database) -> None:
    assert "部分来源系统的数据没有更新" in words_of(open_page("overview"))
    with released.psycopg("owner") as connection:
        connection.execute("update ops.source_states set state = 'admitted'")
    data.st.cache_data.clear()
    text = words_of(open_page("overview"))
    assert "部分来源系统的数据没有更新" not in text
    assert "六项指标" in text


def test_a_stale_indicator_is_a_word_and_not_a_number(released: Database) -> None:
    with released.psycopg("owner") as connection:
        connection.execute(
            "update scorecards.indicator_values set status = 'stale', value = 0 where dimension = 'district'"
            " and indicator_code = 'over_bed_rate' and period = '2026-05'"
        )
    card = next(part for part in html_of(open_page("overview")).split("class='card'") if "超床率" in part)
    assert "数据过期" in card
    assert "0.0%" not in card


def test_no_denominator_is_not_zero(released: Database) -> None:
    with released.psycopg("owner") as connection:
        connection.execute(
            "update scorecards.indicator_values set status = 'not_applicable', numerator = 0, denominator = 0,"
            " value = null where dimension = 'district' and indicator_code = 'over_bed_rate' and period = '2026-05'"
        )
    card = next(part for part in html_of(open_page("overview")).split("class='card'") if "超床率" in part)
    assert "不适用" in card
    assert "0.0%" not in card
    assert "分子 0" not in card


def test_towns_follow_the_chosen_measure_month_and_town(released: Database) -> None:
    app = open_page("towns")
    assert "36 个街镇" in words_of(app)
    app.selectbox(key="towns_measure").select("food_licence_valid_rate").run()
    app.selectbox(key="towns_town").select("310115145").run()
    assert not app.exception
    text = words_of(app)
    assert "南汇新城镇的案件" in text
    assert "样本过少" in text
    assert "不适用" in text


def test_cases_are_paged(released: Database) -> None:
    app = open_page("towns")
    assert "第 1–20 条，共 25 条" in words_of(app)
    app.number_input[0].set_value(2).run()
    assert "第 21–25 条，共 25 条" in words_of(app)


@pytest.mark.parametrize(
    ("kind", "subject_id", "expected"),
    [
        (
            "resident",
            RESIDENT,
            (
                "李**",
                "310115********1234",
                "来源：民政 · 居民登记",
                "浦东示例养护院",
                "入住老人",
                "重度（4–6 级）",
                "有（已隐去）",
                "居民登记 2026-01-15",
                "关联质量：从严",
                "须处置 同一人同时占两张床",
                "证据：养老机构 · 入住 S1、养老机构 · 入住 S2",
                "李**（值 2）",
                "同一住址共 2 人",
                "139****0001",
                "2026-06-01 至 2026-06-20",
                "保基本床位",
            ),
        ),
        (
            "enterprise",
            ENTERPRISE,
            (
                *("存续", "96 / 120", "法定代表人为", "登记企业", "CNY", "最近一项 32 天后到期", "责令整改"),
                *("1 台逾期未维保", "双随机 逾期未办", "无事项", "六个双逾期", "关联质量：一般", "没有变化"),
            ),
        ),
    ],
)
def test_a_deep_link_shows_the_subject_whole(
    released: Database, kind: str, subject_id: str, expected: tuple[str, ...]
) -> None:
    text = words_of(open_page("subject", kind=kind, id=subject_id))
    for part in expected:
        assert (part in text) != (part == "CNY"), part


def test_a_homes_alarms_are_shown_on_request_and_counted_by_the_day(released: Database) -> None:
    app = open_page("subject", kind="enterprise", id=ENTERPRISE)
    assert "离床报警" not in words_of(app)
    assert app.toggle[0].label == "显示设备报警（3 起）"
    app.toggle[0].set_value(True).run()
    assert "2026-06-29 离床报警 · 3 次 养老机构 · 设备报警" in words_of(app)
    assert not open_page("subject", kind="resident", id=RESIDENT).toggle


def test_search_lists_masked_matches_and_opens_one(released: Database) -> None:
    app = open_page("subject")
    app.text_input[0].set_value("李淑芬")
    next(button for button in app.button if button.label == "查询").click().run()
    match = next(button for button in app.button if "310115" in button.label)
    assert "淑" not in match.label
    match.click().run()
    assert app.query_params["id"] in (RESIDENT, [RESIDENT])
    assert "淑" not in words_of(app)
    with released.psycopg("owner") as connection:
        logged = connection.execute("select detail, row_count from ops.access_log").fetchall()
    assert logged == [("resident by name", 1)]


def test_an_unknown_id_is_said_so(released: Database) -> None:
    assert "没有这个主体" in words_of(open_page("subject", kind="resident", id="Rffffffffffffffff"))


def test_each_record_of_a_subject_may_be_questioned_where_people_review(
    released: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = "review?raise=market_supervision.enterprises%3A"
    page = open_page("subject", kind="enterprise", id=ENTERPRISE)
    assert "market_supervision.enterprises:" in words_of(page), "a record is written as commands take it"
    assert asks not in html_of(page)
    monkeypatch.setenv("CITYHUB_REVIEW", "login")
    get_settings.cache_clear()
    assert asks in html_of(open_page("subject", kind="enterprise", id=ENTERPRISE))


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("systems", ("整批扣留", "cityhub quarantine list --system urban_management", "1,240")),
        ("checks", ("row count within its band", "入库关口", "发布关口", "未过")),
        ("quarantine", ("id_no_wellformed", "待整改", "居民登记")),
        ("batches", ("volume: 40 rows, expected at least 1,000", "已扣留")),
        ("releases", ("当前", "2026-06-30", "run-0001")),
    ],
)
def test_quality_sections(released: Database, section: str, expected: tuple[str, ...]) -> None:
    app = open_page("quality")
    app.button_group(key="quality_section").set_value(section).run()
    text = words_of(app)
    for part in expected:
        assert part in text


def test_a_release_in_the_middle_of_a_page_is_noticed(released: Database, sample: object) -> None:
    release = data.current_release()
    assert release is not None
    with released.psycopg("owner") as connection:
        connection.execute("insert into release.releases (run_id, business_date) values ('run-0002', '2026-07-01')")
        connection.execute("update release.pointer set release_id = 2")
    with pytest.raises(data.ReleaseMovedError):
        data.towns(release)
    assert "第 2 次发布" in words_of(open_page("overview"))


def test_the_pages_read_as_the_reader_and_can_do_nothing_else(released: Database) -> None:
    assert data.live("select current_user::text as name") == [{"name": ROLE_NAMES["reader"]}]
    for forbidden in ("select 1 from release.residents", "delete from shared.towns", "select 1 from ops.batches"):
        with pytest.raises(Exception, match="did not answer"):
            data.live(forbidden)


def test_a_database_that_is_not_there_is_told_in_four_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    monkeypatch.setenv("CITYHUB_DATABASE_URL", "postgresql://reader:secret-word@127.0.0.1:1/cityhub")
    get_settings.cache_clear()
    st.cache_resource.clear()
    text = words_of(open_page("overview"))
    assert "The database does not answer." in text
    assert "处理办法" in text
    assert "secret-word" not in text
