"""An increment ends where a whole build ends: cost by change (law 6) must not cost the result (law 5)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.dbt_project.days import Marts, change_city

if TYPE_CHECKING:
    from pathlib import Path

    from demo.city.state import City
    from warehouse.database import Database

# Row by row beside the released tables: what those are made of.
WITHIN = (
    *("subjects.residents", "subjects.int_resident_golden", "subjects.int_enterprise_golden"),
    *("subjects.int_resident_addresses", "identity.int_resident_links", "identity.int_enterprise_links"),
    *("identity.int_market_facts", "identity.int_person_records", "identity.int_enterprise_records"),
    *("scenarios.case_outcomes", "scenarios.lifecycle_notice_outcomes", "scenarios.care_home_days"),
    *("identity.int_stay_homes", "subjects.int_case_events"),
)


@pytest.mark.xdist_group("landed")
def test_increments_end_where_a_whole_build_ends(
    landed: tuple[Database, City], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days of random change: a build that broke off, one after a month, and at last one change that no ledger names, to
    see that the comparison can tell: it is all that a whole build knows better."""
    database, city = landed
    marts = Marts(database, tmp_path, monkeypatch)
    day = city.clock - timedelta(days=120)
    marts.publish(marts.build(day), day)

    day += timedelta(days=1)
    change_city(database, seed=1)
    marts.build(day, only="+findings")

    day += timedelta(days=30)
    change_city(database, seed=2)
    build = marts.build(day)
    assert build.base_id is not None, build.why_whole
    marts.publish(build, day)
    assert marts.digests("release") == marts.digests()

    unnamed = _change_secretly(database)
    change_city(database, seed=3, share=0.005)
    day += timedelta(days=1)
    build = marts.build(day)
    assert build.base_id is not None, build.why_whole
    released = marts.publish(build, day)
    assert 0 < sum(released.tables["residents"][moved] for moved in ("inserted", "updated", "deleted")) < 200
    increment, rows = marts.digests(), {table: marts.rows(table) for table in WITHIN}
    assert marts.digests("release") == increment

    assert marts.build(day, whole=True).base_id is None
    whole = marts.digests()
    assert {table for table in increment if increment[table] != whole[table]} == {"residents"}
    for table in WITHIN:
        moved = marts.rows(table) ^ rows[table]
        assert len(moved) in (0, 2), table
        assert not moved or any(unnamed in row for row in moved) or table == "identity.int_person_records"


def _change_secretly(database: Database) -> str:
    """Another telephone for someone whom only the register knows, without a batch; the resident's id."""
    with database.psycopg("pipeline") as connection:
        row = connection.execute(
            "select r.resident_id, l.record_key from subjects.residents as r"
            " inner join identity.int_resident_links as l using (resident_id)"
            " where r.record_count = 1 and l.source = 'civil_affairs.residents' and r.phone is not null"
            " and r.household_size is null order by 1 limit 1"
        ).fetchone()
        assert row is not None
        connection.execute(
            "update raw_civil_affairs.residents set phone = '13800000000' where person_no = %s", [row[1]]
        )
    return str(row[0])
