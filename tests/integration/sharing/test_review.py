"""The rule of two, what clerks may see and do, and what is refused, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from sharing import review
from sharing.review import ReviewRefused, Verdict
from tests.integration.review_queue import (
    OTHER_VALID,
    TRANSPOSED,
    VALID,
    add_item,
    add_pair,
    add_record,
    make_records,
)
from warehouse.database import Database
from warehouse.roles import Role


@pytest.fixture
def hub(database: Database) -> Database:
    make_records(database)
    return database


Say = Callable[..., review.Outcome]


@pytest.fixture
def say(hub: Database) -> Say:
    def give(item: int, clerk: str, verdict: Verdict, why: str = "seen both files") -> review.Outcome:
        return review.give_opinion(hub, item, verdict=verdict, clerk=clerk, why=why)

    return give


def rows(hub: Database, query: str) -> list[tuple[object, ...]]:
    with hub.psycopg("owner") as connection:
        return connection.execute(query).fetchall()


def decisions(hub: Database) -> list[tuple[object, ...]]:
    return rows(hub, "select verdict, decided_by from identity.decisions order by decision_id")


def test_two_people_who_agree_decide(hub: Database, say: Say) -> None:
    item = add_pair(hub)
    assert say(item, "李芳", "same") == review.Outcome("open", None, None, None)
    assert decisions(hub) == []
    done = say(item, "陈强", "same")
    assert (done.state, done.decision, done.decided_by) == ("decided", "must_link", ["李芳", "陈强"])
    assert decisions(hub) == [("must_link", ["李芳", "陈强"])]
    assert review.queue(hub) == ([], 0)


@pytest.mark.parametrize("again", ["li fang", " Li  Fang ", "ＬＩ　ＦＡＮＧ", "LiFang"])
def test_one_person_who_speaks_twice_decides_nothing(hub: Database, say: Say, again: str) -> None:
    item = add_pair(hub)
    say(item, "Li Fang", "same")
    assert say(item, again, "same").state == "open"
    assert decisions(hub) == []
    assert review.queue(hub)[0][0].opinion_count == 1


def test_opposite_verdicts_dispute_until_two_agree(hub: Database, say: Say) -> None:
    item = add_pair(hub)
    say(item, "A", "same")
    assert say(item, "B", "different").state == "disputed"
    assert decisions(hub) == []
    assert review.queue(hub)[0][0].state == "disputed"
    assert say(item, "B", "same").decision == "must_link"
    assert decisions(hub) == [("must_link", ["A", "B"])]


def test_the_newest_opinion_of_a_clerk_counts(hub: Database, say: Say) -> None:
    item = add_pair(hub)
    say(item, "A", "same")
    assert say(item, "A", "different").state == "open"
    assert say(item, "B", "same").state == "disputed"
    assert say(item, "C", "different").decided_by == ["A", "C"]


def test_a_later_pair_of_people_supersedes_a_decision(hub: Database, say: Say) -> None:
    item = add_pair(hub)
    say(item, "A", "same")
    say(item, "B", "same")
    # One voice against a decision reopens it and does not turn it; the earlier opinions are spent.
    assert say(item, "A", "different") == review.Outcome("disputed", "must_link", ["A", "B"], None)
    assert say(item, "A", "different").state == "disputed"
    turned = say(item, "C", "different")
    assert (turned.state, turned.decision, turned.decided_by) == ("decided", "cannot_link", ["A", "C"])
    assert [row[0] for row in decisions(hub)] == ["must_link", "cannot_link"]
    in_force = rows(hub, "select verdict from identity.decisions_in_force")
    assert in_force == [("cannot_link",)]


def test_taking_back_the_voice_against_leaves_the_decision(hub: Database, say: Say) -> None:
    item = add_pair(hub)
    say(item, "A", "same")
    say(item, "B", "same")
    say(item, "A", "different")
    assert say(item, "A", "same") == review.Outcome("decided", "must_link", ["A", "B"], None)
    assert len(decisions(hub)) == 1


def test_many_clerks_at_once_make_one_decision(hub: Database, say: Say) -> None:
    item = add_pair(hub)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: say(item, f"clerk {n}", "same"), range(8)))
    assert len(decisions(hub)) == 1
    assert sum(outcome.decision_id is not None for outcome in outcomes) == 1
    assert sum(outcome.state == "open" for outcome in outcomes) == 1


def test_two_certified_numbers_are_never_judged_one(hub: Database, say: Say) -> None:
    add_record(hub, "a", citizen_no=VALID)
    add_record(hub, "b", citizen_no=OTHER_VALID)
    item = add_item(hub, "a", "b", reason="conflict")
    with pytest.raises(ReviewRefused) as refused:
        say(item, "A", "same")
    assert refused.value.code == "RV004"
    assert "correct it at the source" in refused.value.do
    assert rows(hub, "select count(*) from identity.opinions") == [(0,)]
    assert say(item, "A", "different").state == "open"


def test_a_chain_of_decisions_joins_no_two_certified_numbers(hub: Database, say: Say) -> None:
    for key, number in (("a", VALID), ("b", None), ("c", None), ("d", OTHER_VALID)):
        add_record(hub, key, citizen_no=number)
    first, second, third = (add_item(hub, *pair) for pair in (("a", "b"), ("b", "c"), ("c", "d")))
    for item in (first, second):
        say(item, "A", "same")
        say(item, "B", "same")
    with pytest.raises(ReviewRefused) as refused:
        say(third, "A", "same")
    assert refused.value.code == "RV004"


def test_one_certified_number_is_never_judged_two(hub: Database, say: Say) -> None:
    add_record(hub, "a", citizen_no=VALID)
    add_record(hub, "b", citizen_no=VALID)
    with pytest.raises(ReviewRefused) as refused:
        say(add_item(hub, "a", "b"), "A", "different")
    assert refused.value.code == "RV005"


def test_decisions_in_force_do_not_contradict_each_other(hub: Database, say: Say) -> None:
    for key in "abc":
        add_record(hub, key)
    one, two, three = (add_item(hub, *pair) for pair in (("a", "b"), ("b", "c"), ("a", "c")))
    for item, verdict in ((one, "same"), (two, "same")):
        say(item, "A", verdict)
        say(item, "B", verdict)
    with pytest.raises(ReviewRefused) as refused:
        say(three, "A", "different")
    assert refused.value.code == "RV006"
    say(two, "A", "different")
    say(two, "B", "different")
    assert say(three, "A", "different").state == "open"
    say(three, "B", "different")
    with pytest.raises(ReviewRefused):
        say(two, "A", "same")


@pytest.mark.parametrize(
    ("item", "clerk", "why", "code"), [(99, "A", "w", "RV001"), (1, " 　", "w", "RV003"), (1, "A", " ", "RV003")]
)
def test_what_is_missing_is_named(hub: Database, say: Say, item: int, clerk: str, why: str, code: str) -> None:
    assert add_pair(hub) == 1
    with pytest.raises(ReviewRefused) as refused:
        say(item, clerk, "same", why)
    assert refused.value.code == code
    assert refused.value.do


def test_a_closed_item_and_a_vanished_record_are_refused(hub: Database, say: Say) -> None:
    add_record(hub, "a")
    gone, closed = add_item(hub, "a", "gone"), add_item(hub, "a", "other", state="superseded")
    for item, code in ((gone, "RV007"), (closed, "RV002")):
        with pytest.raises(ReviewRefused) as refused:
            say(item, "A", "same")
        assert refused.value.code == code


def test_before_the_first_build_nothing_breaks(database: Database) -> None:
    item = add_item(database, "a", "b")
    assert [row.comparison for row in review.show(database, item, clerk="A", via="command")[1]][:2] == [
        "both_missing"
    ] * 2
    with pytest.raises(ReviewRefused):
        review.give_opinion(database, item, verdict="same", clerk="A", why="w")


def test_a_pair_is_shown_masked_with_what_differs(hub: Database) -> None:
    item = add_pair(hub)
    found = {row.attribute: row for row in review.show(hub, item, clerk="A", via="command")[1]}
    assert (found["name"].left_value, found["name"].comparison) == ("王**", "same")
    number = found["citizen_no"]
    assert (number.left_value, number.right_value) == ("110105********002X", "110105********002X")
    assert (number.comparison, number.positions) == ("different", [12, 13])
    assert (found["birth_on"].left_value, found["birth_on"].comparison) == ("1949-**-**", "same")
    assert found["phone"].positions == [11]
    assert (found["home_address"].comparison, found["home_address"].positions) == ("one_missing", [])
    committee = found["near_committee_code"]
    assert (committee.left_value, committee.right_value) == ("310115004001", "310115004002")
    assert (committee.comparison, committee.positions) == ("different", [])
    shown = str(found)
    assert all(value not in shown for value in (VALID, TRANSPOSED, "王小明", "12-31", "500号", "13812345678"))


def test_a_number_that_the_source_masked_differs_only_where_it_shows(hub: Database) -> None:
    add_record(hub, "a", citizen_no=VALID)
    add_record(hub, "b", citizen_no_written="110105********002X", citizen_no_grade="masked")
    number = review.show(hub, add_item(hub, "a", "b"), clerk="A", via="page")[1][1]
    assert (number.attribute, number.comparison, number.positions) == ("citizen_no", "visible_same", [])


def test_an_enterprise_pair_is_shown(hub: Database, say: Say) -> None:
    add_record(
        hub,
        "x",
        kind="enterprise",
        name="上海甲有限公司",
        enterprise_key="91310115MA1K3A0001",
        enterprise_grade="certified",
    )
    add_record(
        hub,
        "y",
        kind="enterprise",
        name="上海乙有限公司",
        enterprise_key="91310115MA1K3A0002",
        enterprise_grade="certified",
    )
    item = add_item(hub, "x", "y", kind="enterprise")
    name = review.show(hub, item, clerk="A", via="command")[1][0]
    assert (name.left_value, name.positions) == ("上海甲有限公司", [3])
    with pytest.raises(ReviewRefused):
        say(item, "A", "same")


def test_a_colleagues_verdict_is_kept_from_who_has_not_spoken(hub: Database, say: Say) -> None:
    item = add_pair(hub)
    say(item, "A", "same", "same handwriting")
    seen = review.show(hub, item, clerk="B", via="page")[2]
    assert [(one.clerk_name, one.verdict, one.why) for one in seen] == [("A", None, None)]
    assert review.show(hub, item, clerk="A", via="page")[2][0].verdict == "same"
    say(item, "B", "different")
    assert [one.verdict for one in review.show(hub, item, clerk="C", via="page")[2]] == ["same", "different"]


def test_every_look_and_every_opinion_is_logged_without_values(hub: Database, say: Say) -> None:
    item = add_pair(hub)
    review.show(hub, item, clerk="陈强", via="page")
    say(item, "陈强", "same", "the reason")
    logged = rows(hub, "select database_role, purpose, detail, row_count from ops.access_log order by access_id")
    assert logged == [
        ("cityhub_clerk", "review_pair", f"item {item} by 陈强 via page", 2),
        ("cityhub_clerk", "give_opinion", f"item {item} by 陈强: same", 1),
    ]


def test_a_decision_settles_the_repairs_behind_it(hub: Database, say: Say) -> None:
    item = add_pair(hub)
    with hub.psycopg("pipeline") as connection:
        connection.execute(
            "insert into identity.repair_proposals (system, table_name, record_key, kind, position, proposed_key,"
            " evidence, item_id, run_id) values ('s', 't', 'b', 'transposition', 12, 'token', '{}', %s, 'run')",
            [item],
        )
    proposal = review.queue(hub)[0][0].proposals[0]
    assert (proposal["side"], proposal["position"], proposal["state"]) == ("right", 12, "open")
    for verdict, state in (("same", "accepted"), ("different", "refused")):
        for clerk in "AB":
            say(item, clerk, verdict)
        assert rows(hub, "select state from identity.repair_proposals") == [(state,)]


CLERKS_OWN = ("select * from identity.review_queue", "select * from identity.review_opinions(1, 'A')")
NOT_FOR_CLERKS = (
    "select * from identity.review_items",
    "select * from identity.opinions",
    "select * from identity.int_person_records",
    "select identity.record_card('resident', 's', 't', 'a')",
    "insert into identity.decisions (subject_kind, left_system, left_table, left_key, right_system, right_table,"
    " right_key, verdict, decided_by) values ('resident', 's', 't', 'a', 's', 't', 'b', 'must_link', '{a,b}')",
    "insert into identity.opinions (item_id, clerk, verdict, why) values (1, 'A', 'same', 'w')",
    "select * from shared.search_subjects('resident', 'x')",
    "select * from ops.access_log",
)


def refused(hub: Database, role: Role, statement: str) -> bool:
    with hub.psycopg(role) as connection:
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return True
    return False


def test_each_role_sees_its_part_and_no_more(hub: Database) -> None:
    add_pair(hub)
    assert not any(refused(hub, "clerk", statement) for statement in CLERKS_OWN)
    assert [statement for statement in NOT_FOR_CLERKS if not refused(hub, "clerk", statement)] == []
    looks = (*CLERKS_OWN, *NOT_FOR_CLERKS[:4], "select * from identity.review_pair(1, 'A', 'page')")
    opines = "select * from identity.give_opinion(1, 'A', 'same', 'w')"
    assert [statement for statement in (*looks, opines) if not refused(hub, "reader", statement)] == []
    # The pipeline reads decisions; not even it can write one, or an opinion.
    assert all(refused(hub, "pipeline", statement) for statement in (NOT_FOR_CLERKS[4], NOT_FOR_CLERKS[5], opines))


def test_cards_survive_a_rebuild_of_the_records(hub: Database) -> None:
    item = add_pair(hub)
    with hub.psycopg("pipeline") as connection:
        connection.execute("create table identity.next as table identity.int_person_records")
        connection.execute("drop table identity.int_person_records cascade")
        connection.execute("alter table identity.next rename to int_person_records")
    assert review.show(hub, item, clerk="A", via="page")[1][0].left_value == "王**"
