"""A run that is killed, three times over, and started again ends where a run that was left alone ends."""

from __future__ import annotations

import pytest

from tests.e2e.stages import KILLS, NextDay, Twin

# One worker takes every test of these homes.
pytestmark = pytest.mark.xdist_group("e2e")


def test_the_runs_were_killed_on_their_way(twin: Twin) -> None:
    assert twin.killed == dict.fromkeys(KILLS, "killed")


def test_a_killed_run_started_again_ends_where_an_undisturbed_one_does(next_day: NextDay, twin: Twin) -> None:
    assert twin.after_kills.code == 0
    assert twin.after_kills.report["outcome"] == "released"
    assert twin.after_kills.tables == next_day.ran.tables
    differing = {name for name, digest in twin.content.items() if next_day.content[name] != digest}
    assert twin.content.keys() == next_day.content.keys()
    assert not differing


def test_a_killed_run_publishes_nothing(twin: Twin) -> None:
    # Two releases in all: the first run's and the undisturbed one's.
    assert twin.after_kills.release_id > twin.first.release_id
    assert twin.after_kills.status["release"]["run_id"] == twin.after_kills.report["run_id"]


def test_killed_loaders_leave_batches_that_say_so(twin: Twin) -> None:
    interrupted = twin.batches[twin.batches["reason"] == "interrupted before it was merged"]
    assert not interrupted.empty
    assert set(interrupted["state"]) == {"failed"}
    assert (interrupted["read_count"] == 0).all()
