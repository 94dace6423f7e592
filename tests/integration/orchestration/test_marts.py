"""When a build of the marts may add to an earlier one, and when everything has to be built whole."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import marts
from orchestration.marts import begin_build, build_of, note_links
from warehouse.paths import CONTRACTS_DIR

if TYPE_CHECKING:
    import pytest

    from warehouse.database import Database

DAY = date(2026, 6, 30)


def begin(
    database: Database, run_id: str, day: date = DAY, *, contracts: Path = CONTRACTS_DIR, whole: bool = False
) -> tuple[int | None, str | None]:
    build = begin_build(database, run_id, day, contracts_dir=contracts, whole=whole)
    return build.base_id, build.why_whole


def publish(database: Database, run_id: str) -> int:
    """The build of a run, published."""
    build = note_links(database, run_id)
    with database.psycopg("pipeline") as connection:
        connection.execute("update ops.mart_builds set published_at = now() where build_id = %s", [build.build_id])
    return build.build_id


def test_only_a_published_build_is_added_to(database: Database, tmp_path: Path) -> None:
    assert begin(database, "first") == (None, "nothing was published yet")
    # Killed: half the tables may be old, half new.
    assert begin(database, "second") == (None, "nothing was published yet")
    base = publish(database, "second")
    assert begin(database, "third") == (base, None)
    # An increment that nobody published leaves its ledgers: the next one adds to the same base.
    assert begin(database, "fourth", date(2026, 7, 2)) == (base, None)
    assert begin(database, "fifth", date(2026, 7, 1)) == (base, None)
    newer = publish(database, "fifth")
    assert begin(database, "sixth", DAY) == (None, "an earlier business date")
    # What it rebuilt is not published, so nothing can be added until a whole build is.
    assert begin(database, "seventh", date(2026, 7, 1)) == (
        None,
        "a whole build since then was not published (an earlier business date)",
    )
    newest = publish(database, "seventh")
    assert newest > newer
    assert begin(database, "eighth", date(2026, 7, 1), whole=True) == (None, "asked for")
    newest = publish(database, "eighth")
    changed = tmp_path / "contracts"
    shutil.copytree(CONTRACTS_DIR, changed)
    with (changed / "care_homes.yaml").open("a") as file:
        file.write("# another\n")
    assert begin(database, "ninth", date(2026, 7, 1), contracts=changed)[1] == (
        "models, seeds, contracts or code have changed"
    )


def test_a_limit_that_begins_to_hold_restates_everything(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = tmp_path / "limits.csv"
    limits.write_text(
        "rule,parameter,value,valid_from\nrisk,look_back_days,365,2000-01-01\nrisk,look_back_days,180,2026-07-02\n"
    )
    monkeypatch.setattr(marts, "_PARAMETERS", limits)
    begin(database, "first")
    base = publish(database, "first")
    assert begin(database, "second", date(2026, 7, 1)) == (base, None)
    assert begin(database, "third", date(2026, 7, 2)) == (None, "a limit of a rule begins to hold")


def test_a_build_notes_what_it_has_seen(database: Database) -> None:
    with database.psycopg("pipeline") as connection:
        connection.execute(
            "insert into ops.batches (run_id, system, table_name, load_mode, state, contract_version) values"
            " ('r', 'care_homes', 'stays', 'snapshot', 'admitted', '1'),"
            " ('r', 'care_homes', 'stays', 'snapshot', 'admitted', '1'),"
            " ('r', 'care_homes', 'staff', 'snapshot', 'held', '1')"
        )
    begin(database, "first")
    with database.psycopg("pipeline") as connection:
        [seen] = connection.execute("select batches from ops.mart_builds").fetchall()
        [newest] = connection.execute("select max(batch_id) from ops.batches where table_name = 'stays'").fetchall()
    assert seen[0] == {"care_homes.stays": newest[0]}
    assert build_of(database, "another") is None
