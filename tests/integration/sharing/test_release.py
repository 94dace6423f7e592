"""Publishing against a real Postgres: differences, masks, rights, and one release at every instant (law 3)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from typing import Any

import psycopg
import pytest

from sharing.tables import RELEASED_TABLES
from warehouse.database import Database
from warehouse.errors import PermanentError, TransientError


def test_only_differences_are_written(marts: Any) -> None:
    first = marts.publish()
    assert first.changed
    assert first.tables["residents"] == {"rows": 3, "inserted": 3, "updated": 0, "deleted": 0}

    marts.run(
        "update subjects.residents set phone = '13900001111' where name = '张三'",
        "delete from subjects.residents where name = '李四'",
        "insert into subjects.towns values ('310115130', '三林')",
    )
    second = marts.publish()

    assert second.release_id > first.release_id
    assert second.tables["residents"] == {"rows": 2, "inserted": 0, "updated": 1, "deleted": 1}
    assert second.tables["towns"] == {"rows": 3, "inserted": 1, "updated": 0, "deleted": 0}
    assert second.tables["cases"] == {"rows": 1, "inserted": 0, "updated": 0, "deleted": 0}
    history = marts.rows(
        "select name, phone, _from_release, _to_release from release.residents order by resident_id, _from_release",
        "owner",
    )
    assert history == [
        ("张三", "13812341234", first.release_id, second.release_id),
        ("张三", "13900001111", second.release_id, None),
        ("张三丰", None, first.release_id, None),
        ("李四", None, first.release_id, second.release_id),
    ]


def test_nothing_new_makes_no_release_but_is_noted(marts: Any) -> None:
    first = marts.publish()
    marts.run(
        "create table subjects.again as table subjects.residents",
        "truncate subjects.residents",
        "insert into subjects.residents select * from subjects.again order by resident_id desc",
    )
    again = marts.publish(fingerprint="other inputs, same rows")

    assert not again.changed
    assert (again.release_id, again.published_at) == (first.release_id, first.published_at)
    assert marts.rows(
        "select run_id, checked_run_id, fingerprint, checked_at > published_at from release.releases", "owner"
    ) == [("run-1", "run-2", "other inputs, same rows", True)]


@pytest.mark.parametrize(
    "words", [{"systems": {"urban_management": {"cases": "held"}}}, {"business_date": "2026-07-01"}]
)
def test_a_release_says_which_day_and_which_systems_it_speaks_of(marts: Any, words: dict[str, Any]) -> None:
    first = marts.publish()
    second = marts.publish(**words)
    assert second.changed
    assert second.release_id > first.release_id
    assert not any(count["updated"] or count["inserted"] for count in second.tables.values())


def test_readers_see_masked_views_with_comments_and_nothing_else(marts: Any) -> None:
    marts.publish()
    assert marts.rows("select name, citizen_no, phone, home_address from shared.residents where phone is not null") == [
        ("张*", "110105********002X", "138****1234", "张杨路***")
    ]
    comments = "select obj_description('shared.residents'::regclass), col_description('shared.residents'::regclass, 2)"
    assert marts.rows(comments) == [("居民 / Residents", "姓名 / Name")]
    owners = "select distinct viewowner from pg_views where schemaname in ('shared', 'scorecards')"
    assert marts.rows(owners) == [("cityhub_owner",)]
    for relation in ("subjects.residents", "release.residents", "scoring.scorecards", "ops.access_log"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            marts.rows(f"select * from {relation}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        marts.rows("delete from release.residents returning 1", "pipeline")


def test_views_are_left_alone_until_their_definition_changes(marts: Any) -> None:
    views = "select xmin::text, oid from pg_class where oid = 'shared.residents'::regclass"
    marts.publish()
    before = marts.rows(views)
    marts.run("update subjects.residents set town_code = null")
    marts.publish()
    assert marts.rows(views) == before

    marts.run("alter table subjects.residents add column marital_status text default '已婚'")
    wider = marts.publish()
    assert wider.tables["residents"]["updated"] == 3
    assert marts.rows("select distinct marital_status from shared.residents") == [("已婚",)]

    marts.run(
        "alter table subjects.residents drop column phone, alter column record_count type bigint",
    )
    marts.publish(masks={"residents": {"name": "name"}})
    columns = dict(
        marts.rows("select column_name, data_type from information_schema.columns where table_name = 'residents'")
    )
    assert "phone" not in columns
    assert columns["record_count"] == "bigint"


def test_a_refused_table_keeps_the_release_and_tells_no_value(marts: Any) -> None:
    marts.publish()
    before = snapshot(marts)
    marts.run(
        "update subjects.towns set name_zh = '改名'",
        "insert into subjects.residents (resident_id, name) values ('R-same', '秘密甲'), ('R-same', '秘密乙')",
    )
    with pytest.raises(PermanentError) as caught:
        marts.publish()
    assert "residents" in str(caught.value)
    assert "秘密" not in str(caught.value)
    assert "R-same" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert snapshot(marts) == before

    marts.run("drop table subjects.timeline")
    with pytest.raises(PermanentError, match=r"subjects\.timeline"):
        marts.publish()
    assert snapshot(marts) == before


def test_a_reader_who_holds_a_changing_view_delays_the_release_and_is_not_cut_off(
    marts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.release.LOCK_TIMEOUT", "100ms")
    marts.publish()
    before = snapshot(marts)
    marts.masks = {"residents": {"name": "name"}}
    with marts.database.psycopg("reader") as reader:
        held = reader.execute("select count(*) from shared.residents").fetchall()
        with pytest.raises(TransientError, match=r"shared\.\*"):
            marts.publish()
        assert reader.execute("select count(*) from shared.residents").fetchall() == held
    assert snapshot(marts) == before
    assert marts.publish().changed


def test_a_reader_sees_whole_releases_while_others_are_published(marts: Any) -> None:
    """Every table carries the number of its state; one statement over all views must see one number."""
    stamped = [table for table in RELEASED_TABLES if table.name in ("residents", "towns", "timeline", "scorecards")]
    marts.run(*(f"alter table {table.built} add column state integer default 0" for table in stamped))
    marts.run("insert into scoring.scorecards values ('district', '310115', '2026-05', 0.9, 0)")
    marts.publish()
    query = "select array_agg(distinct state) from (" + " union all ".join(
        f"select state from {table.view}" for table in stamped
    )
    seen: list[Any] = []
    done = threading.Event()

    def read() -> None:
        with marts.database.psycopg("reader", autocommit=True) as connection:
            while not done.is_set():
                row = connection.execute(query + ") as all_views").fetchone()
                seen.append(row[0])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for state in range(1, 9):
            marts.run(*(f"update {table.built} set state = {state}" for table in stamped))
            marts.publish()
    finally:
        done.set()
        reader.join()
    assert all(len(states) == 1 for states in seen)
    assert len({states[0] for states in seen}) > 2


def test_a_publisher_killed_before_its_end_leaves_the_release_before(marts: Any) -> None:
    first = marts.publish()
    before = snapshot(marts)
    marts.run("update subjects.residents set name = '改名'", "insert into scoring.scorecards values ('d', '1', '2', 0)")
    script = (
        "import json, sys; from datetime import date; from warehouse.database import Database;"
        "from sharing.release import publish_release;"
        "publish_release(Database(sys.argv[1], shown='test'), run_id='dies', business_date=date(2026, 6, 30),"
        " fingerprint='f', systems={}, checks={}, masks=json.loads(sys.argv[2]))"
    )
    with marts.database.psycopg("owner") as blocker:
        # The pointer is the last thing written: here it stands still with everything else done.
        blocker.execute("lock table release.pointer in share mode")
        arguments = [sys.executable, "-c", script, marts.database.conninfo, json.dumps(marts.masks)]
        process = subprocess.Popen(arguments, env=os.environ)
        waiting = (
            "select count(*) from pg_locks as l join pg_stat_activity as a using (pid) where not l.granted"
            " and a.application_name = 'cityhub release' and l.relation = 'release.pointer'::regclass"
        )
        deadline = time.monotonic() + 20
        while marts.rows(waiting, "owner") == [(0,)]:
            assert time.monotonic() < deadline, "the publisher never came to the pointer"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert snapshot(marts) == before
    assert snapshot(marts) == before

    again = marts.publish()
    assert again.changed
    assert again.release_id > first.release_id
    assert marts.rows("select count(*) from shared.residents where name = '改*'") == [(3,)]
    assert marts.rows("select count(*) from release.releases where run_id = 'dies'", "owner") == [(0,)]


def snapshot(marts: Any) -> dict[str, Any]:
    """Everything readers see, and the release it belongs to."""
    seen = {table.view: sorted(marts.rows(f"select t::text from {table.view} as t")) for table in RELEASED_TABLES}
    return {**seen, "release": marts.rows("select release_id from quality.releases where is_current")}


def test_masks_coarsen_what_is_sensitive(database: Database) -> None:
    with database.psycopg("reader") as connection:
        row = connection.execute(
            "select shared.mask_year('2026-05-31'), shared.mask_year(null), shared.mask_hidden('已婚'),"
            " shared.mask_hidden(null), array_agg(shared.mask_care_band(level) order by level)"
            " from unnest(array[0, 1, 3, 4, 6, null]) as level"
        ).fetchone()
    assert row == (date(2026, 1, 1), None, "***", None, [0, 1, 1, 4, 4, None])


def test_a_mask_may_hold_for_some_rows_only(marts: Any) -> None:
    marts.run("insert into subjects.timeline values ('e2', null, 'R00000000000000a1', '2026-05-31', null)")
    marts.masks = {**marts.masks, "timeline": {"on_date": "year where subject_kind = 'enterprise'"}}
    marts.publish()
    seen = dict(marts.rows("select event_id, on_date from shared.timeline"))
    # A row of which nobody knows whether the condition holds stays masked.
    assert seen == {"e1": date(2026, 6, 1), "e2": date(2026, 1, 1)}


def test_readers_see_the_year_of_a_birth_and_no_day(database: Database) -> None:
    with database.psycopg("reader") as connection:
        row = connection.execute("select shared.mask_birth_on('1949-12-31'), shared.mask_birth_on(null)").fetchone()
    assert row == (date(1949, 1, 1), None)
