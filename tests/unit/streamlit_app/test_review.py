"""The clerks' page: closed unless opened, empty, a pair side by side, two clerks who agree."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.ipc
import pytest
from streamlit.testing.v1 import AppTest

import streamlit_app
from identity.comparisons import TEXTS
from identity.link import link
from sharing import review
from streamlit_app import clerks, review_words
from streamlit_app.i18n import Texts, catalogue
from tests.integration.review_queue import OTHER_VALID, TRANSPOSED, VALID, add_item, add_pair, add_record, make_records
from warehouse.database import Database
from warehouse.settings import get_settings

APP = Path(streamlit_app.__file__).with_name("app.py")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def hub(app_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A hub whose pages offer review."""
    monkeypatch.setenv("CITYHUB_REVIEW", "trust")
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
    return click(app, label, why)


def click(app: AppTest, label: str, why: str | None = None) -> AppTest:
    """Press a button, the reason filled in where one is given."""
    if why is not None:
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
    assert "请先填写姓名" in words_of(app)
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


def test_a_question_is_raised_on_the_page_and_lands_in_the_queue(hub: Database, tmp_path: Path) -> None:
    for key in "ab":
        add_record(hub, key, name="王小明", phone="13912340001")
    link(hub, run_id="run", home=tmp_path)
    app = open_page()
    app.query_params["raise"] = "s.t:b"
    app.text_input(key="review_clerk").set_value("李芳").run()
    assert "请填写姓名和理由" in words_of(click(app, "提交两人复核"))
    app.text_input[1].set_value("s.t:nobody")
    assert "没有这条记录" in words_of(click(app, "提交两人复核", why="不是本人来电"))
    app.text_input[1].set_value("s.t:b")
    text = words_of(click(app, "提交两人复核", why="不是本人来电"))
    for part in (
        "疑问已列入队列",
        "人工提出的疑问",
        "李芳提出：这两条记录被归为同一主体，但并非同一主体。理由：不是本人来电",
    ):
        assert part in text
    click(app, "返回队列")
    click(app, "提出疑问")
    app.text_input[1].set_value("s.t:a")
    assert "见第 1 项" in words_of(click(app, "提交两人复核", why="同一疑问"))


CLAIMS = {"is_logged_in": True, "iss": "https://id.example", "sub": "17", "name": "李芳", "email": "li@example"}


def log_in(app: AppTest, **claims: object) -> AppTest:
    app.user = CLAIMS | claims
    app.run()
    assert not app.exception, [error.value for error in app.exception]
    return app


def test_where_people_log_in_nobody_types_a_name(hub: Database) -> None:
    """Not even where names could be taken on trust."""
    item = add_pair(hub)
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.user = {"is_logged_in": False}
    app.run()
    app.switch_page("screens/review.py").run()
    assert "请先登录" in words_of(app)
    assert [field.label for field in app.text_input] == []
    assert not [button for button in app.button if button.key == f"item_{item}"], "nothing is listed"
    log_in(app).button(key=f"item_{item}").click().run()
    assert "已登录：李芳（li@example）" in words_of(app)
    assert "王**" in words_of(app)
    say(app, "是同一主体")
    # One account under another name is one person; another account is another, whatever its name.
    assert "还需另一人同意" in words_of(say(log_in(app, name="陈强"), "是同一主体"))
    assert "两人意见一致" in words_of(say(log_in(app, sub="18"), "是同一主体"))
    with hub.psycopg("owner") as connection:
        said_by = connection.execute("select clerk, clerk_login from identity.opinions order by opinion_id").fetchall()
        looks = connection.execute("select detail from ops.access_log where purpose = 'review_pair'").fetchall()
    assert said_by == [
        ("李芳", "https://id.example 17"),
        ("陈强", "https://id.example 17"),
        ("李芳", "https://id.example 18"),
    ]
    assert looks[0] == (f"item {item} by 李芳 [https://id.example 17] via page",)


def test_a_hub_whose_login_is_missing_lets_nobody_in(hub: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYHUB_REVIEW", "login")
    get_settings.cache_clear()
    add_pair(hub)
    app = open_page("en")
    text = words_of(app)
    assert "Nobody can log in here, and names are not taken on trust" in text
    assert "[auth]" in text
    assert [button.key for button in app.button] == ["language_switch"]


def test_a_token_that_names_nobody_lets_nobody_in(hub: Database) -> None:
    assert clerks.of_claims(CLAIMS | {"name": " "}) == clerks.Clerk("li@example", "https://id.example 17")
    text = words_of(log_in(open_page(), sub=None))
    assert "身份认证没有说明登录的是谁" in text
    assert "复核队列" not in text


def test_opinions_without_a_login_are_told_apart_where_there_is_one(hub: Database) -> None:
    item = add_pair(hub)
    review.give_opinion(hub, item, verdict="same", clerk="李芳", why="w")
    app = open_page()
    app.query_params["item"] = str(item)
    assert "李芳 · 姓名未经登录核实" in words_of(log_in(app))


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
