"""The release gate: may the tables that this run built be shown.

Three witnesses must agree: the suites over the built tables, the reconciliation of these tables with raw and ledger,
and what dbt recorded of its own tests. The recorded results count, not the graph that should have stopped before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from datetime import date

import psycopg

from connectors.contract import GateResult, SystemContract, load_contracts
from expectations.checks import Recorded, judge, outcome, record
from expectations.reconciliation import QUESTIONS, ask, ledger_agrees, references_hold
from expectations.runner import Runner
from expectations.suites import MAY_SHRINK, SUITES, shrink_guard
from warehouse.database import Database, connection_error
from warehouse.settings import Settings, get_settings

_RELEASED_ROWS = """
select entry.key, (entry.value ->> 'rows')::bigint
from release.releases as r
inner join release.pointer as p using (release_id)
cross join lateral jsonb_each(r.tables) as entry
"""

# A test that was repeated within the run counts as it ended.
_DBT = """
select check_name, status from (
    select distinct on (check_name) check_name, status from quality.check_results
    where run_id = %s and gate = 'dbt' order by check_name, check_id desc
) as latest
order by check_name
"""


def run_release_gate(
    db: Database,
    *,
    run_id: str,
    business_date: date,
    settings: Settings | None = None,
    contracts: Sequence[SystemContract] | None = None,
    allow_shrink: Collection[str] = (),
) -> GateResult:
    """Check what the run has built and record every result under gate `release`.

    Args:
        run_id: the run; dbt's results must have been recorded under it.
        business_date: the day the tables speak of.
        settings: the process's own by default.
        contracts: the project's own by default.
        allow_shrink: released tables that may lose more rows than the guard allows, this once.

    Returns:
        Passed unless an error failed. Names are `<table>.<check>`, and `dbt.<test>` for dbt's.

    Raises:
        TransientError: the database does not answer.
    """
    systems = list(load_contracts().values()) if contracts is None else list(contracts)
    try:
        with db.psycopg("pipeline") as connection:
            released = dict(connection.execute(_RELEASED_ROWS).fetchall())
            dbt = connection.execute(_DBT, [run_id]).fetchall()
            recorded = [
                *ask(connection, QUESTIONS, run_id, business_date),
                *ledger_agrees(connection, systems, run_id),
                *references_hold(connection, systems, run_id),
            ]
    except psycopg.OperationalError as error:
        raise connection_error(error, db.shown) from None
    with closing(Runner(db, settings or get_settings())) as runner:
        recorded += _suites(runner, released, allow_shrink)
    recorded.append(_of_dbt(dbt))
    record(db, run_id, "release", recorded)
    word = judge(recorded, with_table=True)
    # dbt's own results are in the ledger already; here they only get their say.
    failed = (*word.failed, *(f"dbt.{name}" for name, status in dbt if status == "failed"))
    warned = (*word.warned, *(f"dbt.{name}" for name, status in dbt if status == "warned"))
    return GateResult(not failed, failed, warned)


def _suites(runner: Runner, released: dict[str, int], allow_shrink: Collection[str]) -> list[Recorded]:
    recorded = []
    for built, checks in SUITES.items():
        schema, _, table = built.partition(".")
        rows_before = 0 if table in allow_shrink or table in MAY_SHRINK else released.get(table, 0)
        recorded.append(Recorded(runner.run(schema, table, [shrink_guard(rows_before), *checks]), None, table))
    return recorded


def _of_dbt(results: list[tuple[str, str]]) -> Recorded:
    """A run without any dbt result has been tested by nobody."""
    failed = sum(status == "failed" for _, status in results)
    return Recorded(
        [
            outcome("dbt_tests_ran", bool(results), "results of dbt's tests for this run", len(results)),
            outcome("dbt_tests_passed", not failed, "no failed dbt test", failed),
        ]
    )
