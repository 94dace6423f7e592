"""The clerks' page: closed unless opened, empty, a pair side by side, two clerks who agree."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.ipc
import pytest
from streamlit.testing.v1 import AppTest

import streamlit_app
from identity.comparisons import TEXTS
from sharing import review
from streamlit_app import review_words
from streamlit_app.i18n import Texts, catalogue
from tests.integration.review_queue import OTHER_VALID, TRANSPOSED, VALID, add_item, add_pair, add_record, make_records
from warehouse.database import Database
from warehouse.settings import get_settings

APP = Path(streamlit_app.__file__).with_name("app.py")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def hub(app_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A hub whose pages offer review."""
    monkeypatch.setenv("CITYHUB_REVIEW", "true")
    get_settings.cache_clear()
    make_records(app_database)
    return app_database


def open_page(language: str = "zh") -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["lang"] = language
    app.run()
    app.switch_page("screens/review.py").run()
    assert not app.exception, [error.value for error in app.exception]
    return app


def words_of(app: AppTest) -> str:
    html = "\n".join(element.proto.body for element in app.get("html"))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def open_item(app: AppTest, item: int, clerk: str) -> AppTest:
    app.text_input(key="review_clerk").set_value(clerk)
    app.button(key=f"item_{item}").click().run()
    assert not app.exception, [error.value for error in app.exception]
    return app


def say(app: AppTest, label: str, why: str = "核对过两份档案") -> AppTest:
    next(field for field in app.text_input if field.label.startswith("理由")).set_value(why)
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception, [error.value for error in app.exception]
    return app


def test_the_page_is_closed_unless_a_deployment_opens_it(app_database: Database) -> None:
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not any("复核" in str(link.proto.label) for link in app.get("page_link"))
    assert "复核" not in words_of(app)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_empty_queue_says_so(hub: Database, language: str) -> None:
    text = words_of(open_page(language))
    assert ("目前没有需要复核的记录" if language == "zh" else "Nothing is in review.") in text
    assert language == "zh" or not re.search(r"[\u4e00-\u9fff]", text)


def test_a_pair_is_shown_to_a_named_clerk_only_and_logged_once(hub: Database) -> None:
    item = add_pair(hub)
    app = open_page()
    open_item(app, item, " ")
    assert "请先填写复核人姓名" in words_of(app)
    assert "王**" not in words_of(app)
    app.text_input(key="review_clerk").set_value("李芳").run()
    app.run()
    text = words_of(app)
    for part in ("王**", "110105********002X", "不同 第 12、13 位", "匹配概率 0.42%", "尚无意见", "310115004002"):
        assert part in text
    for value in (VALID, TRANSPOSED, "王小明", "1949-12-31", "张杨路500号"):
        assert value not in text
    datasets = app.get("vega_lite_chart")[0].proto.datasets
    chart = "".join(str(pyarrow.ipc.open_stream(one.data.data).read_all().to_pylist()) for one in datasets)
    for part in ("起点", "姓名（名称）：相同", "+9.2", "合计", "−7.9"):
        assert part in chart
    with hub.psycopg("owner") as connection:
        assert connection.execute("select detail from ops.access_log").fetchall() == [
            (f"item {item} by 李芳 via page",)
        ]


def test_two_clerks_decide_on_the_page(hub: Database) -> None:
    item = add_pair(hub)
    first = say(open_item(open_page(), item, "李芳"), "是同一主体")
    assert "还需另一人同意" in words_of(first)
    second = open_item(open_page(), item, "陈强")
    assert "本人表态后可见" in words_of(second)
    text = words_of(say(second, "是同一主体"))
    assert "两人意见一致，已认定：是同一主体" in text
    assert "认定：是同一主体（李芳、陈强）" in text
    assert review.queue(hub, states=("decided",))[1] == 1


def test_a_verdict_against_certified_numbers_is_explained(hub: Database) -> None:
    add_record(hub, "a", citizen_no=VALID)
    add_record(hub, "b", citizen_no=OTHER_VALID)
    item = add_item(hub, "a", "b", waterfall=[])
    app = open_item(open_page(), item, "李芳")
    assert "这一对未经模型比较" in words_of(app)
    assert "两个不同的已认证号码" in words_of(say(app, "是同一主体"))
    assert "请填写姓名和理由" in words_of(say(app, "不是同一主体", why=" "))


def test_an_item_that_is_not_there_is_said_so(hub: Database) -> None:
    app = open_page()
    app.query_params["item"] = "99"
    app.text_input(key="review_clerk").set_value("李芳").run()
    assert "没有这一项" in words_of(app)


@pytest.mark.parametrize(
    ("attribute", "positions", "said"),
    [
        ("citizen_no", [12, 13], "不同 第 12、13 位"),
        ("citizen_no", [1, 4, 9, 12, 18], "不同 5 位"),
        ("birth_on", [7, 9, 10], "不同 月、日"),
        ("home_address", [], "不同"),
        ("near_committee_code", [], "不同"),
    ],
)
def test_what_differs_is_said_as_people_say_it(attribute: str, positions: list[int], said: str) -> None:
    row = review.Compared(attribute, "a", "b", "different", positions)
    assert review_words.comparison(Texts("zh"), row) == said


def test_a_neighbourhood_that_differs_but_counted_as_one_is_explained(hub: Database) -> None:
    for key, level in (("b", "same_town"), ("c", "same_committee")):
        add_item(hub, "a", key, waterfall=[{"comparison": "committee", "level": level, "weight": 6.2}])
    row = review.Compared("near_committee_code", "a", "b", "different", [])
    remarks = [review_words.remark(Texts("zh"), row, item) for item in review.queue(hub)[0]]
    assert remarks == [None, "模型取其最常报告的居（村）委"]


def test_places_are_told_by_their_town() -> None:
    t, towns = Texts("zh"), {"310115004": "潍坊新村"}
    assert review_words.value(t, "near_committee_code", "310115004001", towns) == "潍坊新村 310115004001"
    assert review_words.value(t, "near_committee_code", "310115999001", towns) == "310115999001"
    assert review_words.value(t, "town_code", "310115004", towns) == "潍坊新村"


def test_the_catalogue_names_whatever_the_model_compares() -> None:
    """A waterfall's words are those of the model, but for the start, which clerks know under a plainer name."""
    named = {
        key.rpartition(".")[2]: (entry["zh"], entry["en"])
        for key, entry in catalogue().items()
        if key.startswith(("code.record_attribute.", "code.match_level."))
    }
    assert {code: named.get(code) for code in TEXTS if code not in ("prior", "phone")} == {
        code: texts for code, texts in TEXTS.items() if code not in ("prior", "phone")
    }
