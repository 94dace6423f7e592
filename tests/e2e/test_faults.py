"""Faults planted in the real systems: where each stops, who goes on, and that readers notice nothing."""

from __future__ import annotations

import pytest

from tests.e2e.hub import Hub, Ran
from tests.e2e.plants import FAULTS, PEOPLE, Fault
from tests.e2e.stages import First, NextDay

# One worker takes every test of these homes.
pytestmark = pytest.mark.xdist_group("e2e")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.system}.{fault.table}")
def test_a_fault_stops_its_own_table(faulty: Ran, fault: Fault) -> None:
    """The run says so by its exit code, its report and the status, with a reason that names the cause."""
    assert faulty.code == 3, faulty.report
    assert faulty.report["outcome"] == "released"
    assert faulty.state(fault.system, fault.table) == fault.state
    assert fault.word in faulty.reason(fault.system, fault.table)
    assert fault.word in faulty.report["troubled"][f"{fault.system}.{fault.table}"]
    assert not any(
        value in faulty.reason(fault.system, fault.table) for person in PEOPLE.values() for value in person.values()
    )


def test_faults_in_all_four_systems_stop_nothing_else_and_no_reader_notices(next_day: NextDay, faulty: Ran) -> None:
    assert faulty.troubled() == {(fault.system, fault.table) for fault in FAULTS}
    # Every shared table and scorecard, and every row behind them, bit for bit.
    assert faulty.tables == next_day.ran.tables
    assert faulty.history == next_day.ran.history
    assert faulty.release_id > next_day.ran.release_id, "the release says which systems it lacks"


def test_the_release_names_the_systems_that_were_stopped(hub: Hub, next_day: NextDay, faulty: Ran) -> None:
    releases = hub.frame("select release_id, systems from release.releases").set_index("release_id")["systems"]
    for fault in FAULTS:
        assert releases[faulty.release_id][fault.system][fault.table] == fault.state
        assert releases[next_day.ran.release_id][fault.system][fault.table] == "admitted"


def test_the_gate_that_held_a_batch_is_on_record(hub: Hub, faulty: Ran) -> None:
    run = faulty.report["run_id"]
    failed = hub.frame(
        "select system, table_name, check_name from quality.check_results"
        f" where run_id = '{run}' and gate = 'admission' and status = 'failed'"
    )
    assert set(zip(failed["system"], failed["table_name"], strict=True)) == {
        (fault.system, fault.table) for fault in FAULTS if fault.word == "admission gate"
    }
    states = hub.frame(f"select system, table_name, state, read_count from ops.batches where run_id = '{run}'")
    stopped = states[states["state"] != "admitted"].set_index(["system", "table_name"])
    assert stopped["state"].to_dict() == {
        (fault.system, fault.table): "held" if fault.state == "held" else "failed" for fault in FAULTS
    }


def test_a_delivery_that_only_the_joined_tables_show_to_be_wrong_is_refused(faulty: Ran, refused: Ran) -> None:
    assert refused.code == 1
    assert refused.report["outcome"] == "refused"
    assert refused.report["reason"]
    assert refused.troubled() == set(), "every table passed its own gate"
    assert refused.status["checks"]["failed"] > 0
    assert refused.release_id == faulty.release_id
    assert refused.status["release"] == faulty.status["release"]
    assert refused.tables == faulty.tables
    assert refused.history == faulty.history


def test_after_the_repair_everything_is_as_before(first: First, next_day: NextDay, refused: Ran, healed: Ran) -> None:
    assert healed.code == 0
    assert healed.report["outcome"] == "released"
    assert healed.troubled() == set()
    assert healed.status["checks"]["failed"] == 0, healed.status["checks"]["failed_names"]
    assert healed.release_id > refused.release_id
    assert healed.tables == next_day.ran.tables
