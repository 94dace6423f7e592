"""Questions that people raise: about joined records, about separate ones, and what certified numbers settle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from identity.link import link
from sharing import review
from sharing.review import Question, Record, ReviewRefused
from tests.integration.review_queue import OTHER_VALID, VALID, add_record, make_records
from warehouse.database import Database

PHONE = "13912340001"
REGISTERED = {"name": "王小明", "phone": PHONE, "birth_on": "1960-01-01", "sex_code": "male"}
RESIDENT = Record("civil_affairs", "residents", "a")
CALLER, STRANGER, FAMILY = (Record("s", "t", key) for key in "bcd")

Run = Callable[[], dict[str, str]]


@pytest.fixture
def hub(database: Database) -> Database:
    """A resident with two records of a certified number, a caller who is joined to him, a stranger."""
    make_records(database)
    register = {"system": "civil_affairs", "table_name": "residents"}
    add_record(database, "a", **register, **REGISTERED, citizen_no=VALID)
    add_record(database, "d", **REGISTERED, citizen_no=VALID)
    add_record(database, "b", name="王小明", phone=PHONE)
    add_record(database, "c", name="李红")
    return database


@pytest.fixture
def run(hub: Database, tmp_path: Path) -> Run:
    """Links and says who is whom."""
    runs = iter(range(1, 9))

    def once() -> dict[str, str]:
        link(hub, run_id=f"run {next(runs)}", home=tmp_path)
        return dict(rows(hub, "select record_key, subject_id from identity.current_links"))

    return once


def rows(hub: Database, query: str) -> list[tuple[object, ...]]:
    with hub.psycopg("owner") as connection:
        return connection.execute(query).fetchall()


def ask(hub: Database, about: Record, against: Record | None = None, why: str = "another person's call") -> Question:
    return review.raise_question(hub, about, against, clerk="李芳", why=why, via="command")


def decide(hub: Database, item: int, verdict: review.Verdict) -> None:
    for clerk in ("陈强", "李芳"):
        review.give_opinion(hub, item, verdict=verdict, clerk=clerk, why="seen both")


def refusal(hub: Database, *records: Record) -> ReviewRefused:
    with pytest.raises(ReviewRefused) as refused:
        ask(hub, *records)
    assert refused.value.do
    return refused.value


def test_a_record_that_is_not_theirs_is_split_off_and_the_id_stays(hub: Database, run: Run) -> None:
    joined = run()
    assert joined["a"] == joined["b"] == joined["d"]
    question = ask(hub, CALLER)
    assert (question.asks, question.subject_kind, question.against) == ("apart", "resident", RESIDENT)
    (item,), _ = review.queue(hub)
    assert (item.reason, item.raised_by, item.raised_why, item.state) == (
        *("raised", "李芳", "another person's call", "open"),
    )
    assert item.steps, "how they were joined is shown"
    assert run() == joined, "a question alone moves nobody"
    decide(hub, item.item_id, "different")
    apart = run()
    assert apart["a"] == apart["d"] == joined["a"] != apart["b"]
    assert rows(
        hub, "select event, subject_id, other_subject_id from identity.events order by event_id desc limit 1"
    ) == [("split", joined["a"], apart["b"])]
    # What was decided of one record of a certified number is not asked again of the other.
    assert review.queue(hub) == ([], 0)
    assert run() == apart
    logged = rows(hub, "select database_role, detail from ops.access_log where purpose = 'raise_question'")
    assert logged == [("cityhub_clerk", f"item {item.item_id} by 李芳 via command")]


def test_a_must_link_keeps_the_record_and_closes_the_question(hub: Database, run: Run) -> None:
    joined = run()
    item = ask(hub, CALLER).item_id
    decide(hub, item, "same")
    assert run() == joined
    assert review.queue(hub) == ([], 0)
    assert rows(hub, "select method from identity.current_links where record_key = 'b'") == [("reviewed",)]
    told = refusal(hub, CALLER)
    assert (told.code, str(item) in told.do) == ("RV011", True)


def test_records_that_belong_together_are_joined_after_two_agree(hub: Database, run: Run) -> None:
    before = run()
    question = ask(hub, STRANGER, RESIDENT, why="she changed her name")
    assert question.asks == "together"
    decide(hub, question.item_id, "same")
    after = run()
    assert after["c"] == after["a"] == before["a"] != before["c"]


def test_whoever_asks_has_not_judged_and_one_person_decides_nothing(hub: Database, run: Run) -> None:
    run()
    item = ask(hub, CALLER).item_id
    for spelling in ("李芳", " 李 芳 "):
        outcome = review.give_opinion(hub, item, verdict="different", clerk=spelling, why="w")
        assert (outcome.state, outcome.decision) == ("open", None)
    told = refusal(hub, CALLER)
    assert (told.code, str(item) in told.what) == ("RV010", True)
    assert refusal(hub, RESIDENT, CALLER).code == "RV010", "whichever record is named first"


def test_what_certified_numbers_settle_is_not_asked(hub: Database, run: Run) -> None:
    add_record(hub, "o", name="赵六", citizen_no=OTHER_VALID)
    run()
    own = refusal(hub, FAMILY)
    assert own.code == "RV012"
    assert "department corrects it at the source" in own.do
    assert refusal(hub, RESIDENT).code == "RV012", "the certified part is what the others are held against"
    assert refusal(hub, RESIDENT, FAMILY).code == "RV005"
    assert refusal(hub, RESIDENT, Record("s", "t", "o")).code == "RV004"
    assert rows(hub, "select count(*) from identity.review_items where reason = 'raised'") == [(0,)]


def test_what_was_typed_wrongly_is_explained(hub: Database, run: Run) -> None:
    assert refusal(hub, CALLER).code == "RV008", "nothing is linked yet"
    run()
    unknown = Record("s", "t", "nobody")
    for records in ((unknown,), (CALLER, unknown)):
        told = refusal(hub, *records)
        assert (told.code, "s.t:nobody" in told.what) == ("RV008", True)
    assert refusal(hub, STRANGER).code == "RV009"
    assert refusal(hub, CALLER, CALLER).code == "RV014"
    with pytest.raises(ReviewRefused) as silent:
        ask(hub, CALLER, why=" ")
    assert silent.value.code == "RV003"
    for written in ("", "s.t", "s:b", ".t:b", "s.t:"):
        with pytest.raises(ReviewRefused) as misspelt:
            Record.of(written)
        assert misspelt.value.code == "RV008"
    assert Record.of(" s.t:a:b ") == Record("s", "t", "a:b")


def test_a_record_of_two_kinds_needs_the_kind(hub: Database, run: Run) -> None:
    for key in "bc":
        add_record(hub, key, kind="enterprise", name="上海甲有限公司")
    run()
    assert refusal(hub, CALLER, STRANGER).code == "RV013"
    asked = review.raise_question(hub, CALLER, STRANGER, clerk="A", why="w", via="page", kind="resident")
    assert (asked.subject_kind, asked.asks) == ("resident", "together")


def test_a_question_that_answers_itself_is_closed(hub: Database, run: Run) -> None:
    run()
    item = ask(hub, CALLER).item_id
    vanishes = ask(hub, STRANGER, RESIDENT).item_id
    review.give_opinion(hub, vanishes, verdict="same", clerk="A", why="w")
    review.give_opinion(hub, vanishes, verdict="different", clerk="B", why="w")
    with hub.psycopg("pipeline") as connection:
        connection.execute("delete from identity.int_person_records where record_key in ('b', 'c')")
    add_record(hub, "b", name="王小明", phone=PHONE, citizen_no=OTHER_VALID)
    run()
    closed = rows(hub, "select item_id, state from identity.review_items where reason = 'raised' order by 1")
    assert closed == [(item, "superseded"), (vanishes, "superseded")]


def test_a_decision_about_one_record_holds_for_all_of_its_certified_number(hub: Database, run: Run) -> None:
    run()
    decide(hub, ask(hub, CALLER).item_id, "different")
    run()
    assert refusal(hub, CALLER, FAMILY).code == "RV006"


def test_firms_under_one_registration_number_are_not_parted(hub: Database, run: Run) -> None:
    firm = {"name": "上海香凯鼎美发有限公司", "address": "张杨路500号", "legal_rep_key": "token"}
    for key in "xy":
        add_record(hub, key, kind="enterprise", **firm, enterprise_key="REG310115000123456")
    run()
    x, y = (Record("s", "t", key) for key in "xy")
    assert refusal(hub, x).code == "RV012"
    assert refusal(hub, x, y).code == "RV005"
