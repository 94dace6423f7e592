"""The road from empty homes to releases: what runs keep, what they change, and what they leave alone."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tests.e2e.contract_reading import admit_all, load_options
from tests.e2e.hub import Hub, Ran
from tests.e2e.stages import EARLIER, First, NextDay, OtherDay, Twin
from tests.e2e.systems import CARE, CIVIL, MARKET, URBAN

# One worker takes every test of these homes.
pytestmark = pytest.mark.xdist_group("e2e")

SHARED = {
    "residents", "enterprises", "care_homes", "relations", "cases", "timeline", "subject_records", "towns",
    "attribute_disagreements", "findings",
}  # fmt: skip
SCORECARDS = {"indicators", "indicator_values", "scorecards"}
SYSTEMS = {
    "civil_affairs": set(CIVIL), "market_supervision": set(MARKET), "urban_management": set(URBAN),
    "care_homes": set(CARE),
}  # fmt: skip
COUNTS = {"read", "inserted", "updated", "unchanged", "deleted", "quarantined"}


def test_an_empty_home_ends_in_a_release(first: First) -> None:
    assert first.ran.code == 0
    assert first.ran.report["outcome"] == "released"
    assert first.ran.report["troubled"] == {}
    assert set(first.ran.tables) == {f"shared.{name}" for name in SHARED} | {f"scorecards.{n}" for n in SCORECARDS}
    assert all(rows > 0 for rows in first.ran.status["release"]["tables"].values())
    assert first.ran.troubled() == set()


def test_status_has_the_documented_keys(first: First) -> None:
    status = first.ran.status
    assert set(status) == {"release", "systems", "checks", "identity", "indicators"}
    assert set(status["release"]) >= {"id", "published_at", "tables"}
    assert set(status["release"]["tables"]) == SHARED | SCORECARDS
    assert {system: set(tables) for system, tables in status["systems"].items()} == SYSTEMS
    for tables in status["systems"].values():
        for entry in tables.values():
            assert set(entry) == COUNTS | {
                "state", "cursor", "as_of", "reason", "new_columns", "swept_on", "sweep_due_on",
            }  # fmt: skip
            assert all(type(entry[name]) is int for name in COUNTS)
    assert set(status["checks"]) == {"passed", "warned", "failed", "failed_names"}
    assert set(status["identity"]) == {"residents", "enterprises"}
    for kind in status["identity"].values():
        assert set(kind) == {"records", "subjects", "by_method", "in_review"}
        assert sum(kind["by_method"].values()) == kind["records"]
    for row in status["indicators"]:
        assert set(row) == {
            "code", "dimension", "period", "numerator", "denominator", "value", "target", "score", "status",
        }  # fmt: skip
    assert {row["dimension"] for row in status["indicators"]} == {"district"}


def test_status_tells_what_the_tables_hold(first: First) -> None:
    for name, rows in first.ran.status["release"]["tables"].items():
        assert rows == len(first.released[name]), name
    for kind in ("residents", "enterprises"):
        assert first.ran.status["identity"][kind]["subjects"] == len(first.released[kind])


def test_nothing_is_lost_in_any_batch(hub: Hub, healed: Ran, twin: Twin) -> None:
    for batches in (hub.frame("select * from ops.batches"), twin.batches):
        assert not batches["finished_at"].isna().any()
        kept = batches[["inserted_count", "updated_count", "unchanged_count", "quarantined_count"]].sum(axis=1)
        lost = batches[batches["read_count"] != kept]
        assert lost.empty, lost[["batch_id", "system", "table_name", "read_count"]]
        assert set(batches["state"]) <= {"admitted", "held", "failed"}


def test_the_first_run_reads_every_row_of_every_system(first: First) -> None:
    for (system, table), frame in first.frames.items():
        entry = first.ran.status["systems"][system][table]
        assert entry["read"] == len(frame), (system, table)
        assert entry["inserted"] == len(first.raw[f"{system}.{table}"]), (system, table)


def test_a_run_with_nothing_changed_changes_nothing(first: First, again: Ran) -> None:
    assert again.code == 0
    assert again.report["outcome"] == "unchanged"
    assert again.release_id == first.ran.release_id
    assert again.status["release"] == first.ran.status["release"]
    assert again.tables == first.ran.tables
    assert again.history == first.ran.history
    for system, tables in again.status["systems"].items():
        for table, entry in tables.items():
            assert (entry["inserted"], entry["updated"], entry["deleted"]) == (0, 0, 0), (system, table)


def test_an_earlier_day_run_later_gives_what_it_gave_when_it_was_run_first(
    first: First, other_day: OtherDay, twin: Twin
) -> None:
    """Two homes with the same city: one ran the earlier day after a later one, the other from an empty state."""
    for ran in (other_day.ran, twin.first):
        assert ran.code == 0
        assert ran.report["business_date"] == EARLIER.isoformat()
    assert other_day.ran.release_id > first.ran.release_id
    assert other_day.ran.tables == twin.first.tables
    # The day matters, and who is who does not depend on it.
    assert other_day.ran.tables["scorecards.indicator_values"] != first.ran.tables["scorecards.indicator_values"]
    assert other_day.ran.tables["shared.subject_records"] == first.ran.tables["shared.subject_records"]


def test_the_same_city_in_another_home_gives_the_same_tables_and_ids(next_day: NextDay, twin: Twin) -> None:
    assert twin.after_kills.tables == next_day.ran.tables
    for name in ("links", "identifiers", "release residents", "release enterprises"):
        assert twin.content[name] == next_day.content[name], name


def test_a_day_later_only_rows_that_changed_are_rewritten_in_raw(first: First, next_day: NextDay) -> None:
    before, after = admit_all(first.frames), admit_all(next_day.frames)
    moved_at_all = 0
    for (system, table), admitted in after.items():
        name = f"{system}.{table}"
        old, new = by_key(system, table, before[system, table].rows), by_key(system, table, admitted.rows)
        expected = {key for key, row in new.items() if old.get(key) != row}
        options = load_options(system, table)
        if "cursor" in options:
            expected &= within_reach(new, options, next_day.cursors[system, table])
        if options["loadMode"] == "snapshot":
            expected |= old.keys() - new.keys()
        states = {row.key: (row.hash, row.changed_at, row.deleted_at) for row in first.raw[name].itertuples()}
        moved = {
            row.key for row in next_day.raw[name].itertuples()
            if states.get(row.key) != (row.hash, row.changed_at, row.deleted_at)
        }  # fmt: skip
        # A row that breaks its contract from this day on keeps the state it had.
        expected -= set(admitted.refused)
        assert moved == expected, (name, sorted(moved ^ expected)[:5], len(moved), len(expected))
        entry = next_day.ran.status["systems"][system][table]
        assert entry["inserted"] + entry["updated"] + entry["deleted"] == len(moved), name
        moved_at_all += len(moved)
    assert moved_at_all > 0


def test_a_day_later_only_rows_that_differ_are_rewritten_in_the_release(
    first: First, other_day: OtherDay, next_day: NextDay
) -> None:
    release = next_day.ran.release_id
    assert next_day.ran.code == 0
    assert next_day.ran.report["outcome"] == "released"
    for name, history in next_day.history.items():
        before = set(history[(history["since"] < release) & ~(history["until"] < release)]["row"])
        after = set(history[history["until"].isna()]["row"])
        opened = set(history[history["since"] == release]["row"])
        closed = set(history[history["until"] == release]["row"])
        assert opened == after - before, name
        assert closed == before - after, name
        # Nothing of earlier releases is touched.
        earlier = other_day.history[name]
        kept = history[history["since"] < release]
        assert sorted(zip(kept["row"], kept["since"], strict=True)) == sorted(
            zip(earlier["row"], earlier["since"], strict=True)
        ), name
    rewritten = next_day.history["residents"]
    assert 0 < (rewritten["since"] == release).sum() < 0.1 * len(first.released["residents"])


def test_a_fifth_system_is_pulled_by_the_next_run_and_leaves_the_release_as_it_was(
    hub: Hub, next_day: NextDay, healed: Ran
) -> None:
    entry = healed.status["systems"]["fire_inspections"]["inspections"]
    assert (entry["state"], entry["read"], entry["inserted"], entry["quarantined"]) == ("admitted", 4, 3, 1)
    assert healed.code == 0
    assert healed.tables == next_day.ran.tables
    assert len(hub.frame("select * from raw_fire_inspections.inspections")) == 3
    (systems,) = hub.frame(f"select systems from release.releases where release_id = {healed.release_id}")["systems"]
    assert systems["fire_inspections"] == {"inspections": "admitted"}


def by_key(system: str, table: str, rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows by their key as raw writes it."""
    key = load_options(system, table)["key"]
    return {"|".join(str(row[name]) for name in key): row for row in rows.to_dict("records")}


def within_reach(rows: dict[str, dict[str, Any]], options: dict[str, Any], cursor: str | None) -> set[str]:
    """Keys of rows that a pull from the cursor, less its overlap, asks for."""
    assert cursor is not None
    since = pd.Timestamp(cursor)
    since = since.tz_convert("Asia/Shanghai").tz_localize(None) if since.tzinfo else since
    since -= pd.Timedelta(minutes=options["overlapMinutes"])
    return {key for key, row in rows.items() if pd.Timestamp(row[options["cursor"]]) >= since}
