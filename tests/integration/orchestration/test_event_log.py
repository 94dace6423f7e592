"""The event log that stays open writes what Dagster's own would, where Dagster's own finds it."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

from orchestration.event_log import KEPT_OPEN, OpenSqliteEventLogStorage
from orchestration.job import dagster_home

REGISTER = dg.AssetKey("register")


@dg.asset(key=REGISTER, check_specs=[dg.AssetCheckSpec("complete", asset=REGISTER)])
def register() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        metadata={"rows": 3}, check_results=[dg.AssetCheckResult(passed=True, check_name="complete")]
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))  # Put back afterwards; `dagster_home` sets it for good.
    return dagster_home(tmp_path)


def test_dagster_reads_with_its_own_class_what_was_written_with_ours(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, OpenSqliteEventLogStorage)
        runs = [dg.materialize([register], instance=instance).run_id for _ in range(KEPT_OPEN + 2)]
        written = {run_id: [entry.message for entry in instance.all_logs(run_id)] for run_id in runs}
    theirs = SqliteEventLogStorage(str(home / "history" / "runs"))
    for run_id in runs:
        read = theirs.get_records_for_run(run_id).records
        assert [record.event_log_entry.message for record in read] == written[run_id]
        assert any("complete" in message for message in written[run_id])
    assert {record.run_id for record in theirs.fetch_materializations(REGISTER, limit=99).records} == set(runs)


def test_a_deleted_run_leaves_no_database_open(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        run_id = dg.materialize([register], instance=instance).run_id
        instance.delete_run(run_id)
        assert instance.all_logs(run_id) == []
        again = dg.materialize([register], instance=instance)
        assert again.success
