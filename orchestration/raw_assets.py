"""One asset per source table, made from its contract, with the admission gate as its check.

A table that cannot be admitted fails nothing else: its asset succeeds with state `held` or `stale` and a failed check,
raw keeps what it last admitted, and the other systems go on. Only a transient failure is tried again.
"""

from collections.abc import Iterator
from functools import lru_cache

import dagster as dg

from connectors.contract import AdmissionGate, SystemContract, TableContract
from connectors.landing import LandingResult, land_table
from expectations.admission import KNOWN_COLUMNS, make_gate, record_columns
from orchestration.hub import hub_contracts, hub_database, hub_settings
from orchestration.ledger import start_run
from orchestration.progress import reporter
from orchestration.run_config import HubConfig
from warehouse.errors import TransientError

GATE = "admission_gate"
# Three tries in all, 1 s and 2 s apart: a restart of the other side is over by then; a longer outage waits for the
# next schedule, with the table marked stale.
MAX_RETRIES = 2
RETRY_SECONDS = 1


@lru_cache(maxsize=1)
def admission_gate() -> AdmissionGate:
    """The gate; one per process, since its Great Expectations context is kept."""
    return make_gate(hub_database(), hub_settings())


def raw_asset_key(table: TableContract) -> dg.AssetKey:
    """`raw_<system>/<table>`: the same key that dagster-dbt gives to the dbt source."""
    return dg.AssetKey([table.raw_schema, table.name])


def build_raw_assets() -> list[dg.AssetsDefinition]:
    """The raw assets of all contracts."""
    return [build_raw_asset(contract, table) for contract in hub_contracts().values() for table in contract.tables]


def build_raw_asset(contract: SystemContract, table: TableContract) -> dg.AssetsDefinition:
    """The asset that lands one source table."""
    key = raw_asset_key(table)

    @dg.asset(
        key=key,
        group_name=contract.system,
        description=f"{table.zh} / {table.en}",
        kinds={contract.transport, "postgres"},
        owners=[f"team:{contract.owner_department}"],
        metadata={"load_mode": table.load_mode, "key": list(table.key), "contract_version": table.version},
        check_specs=[
            dg.AssetCheckSpec(GATE, asset=key, description="Contract's promises over the delivered batch"),
            dg.AssetCheckSpec(KNOWN_COLUMNS, asset=key, description="The source has no column that its contract lacks"),
        ],
    )
    def raw_table(context: dg.AssetExecutionContext, hub: HubConfig) -> Iterator[dg.MaterializeResult[None]]:
        result = pull(context, contract, table, hub)
        yield dg.MaterializeResult(metadata=_metadata(result), check_results=[_check(result), _columns(result)])

    return raw_table


def pull(
    context: dg.AssetExecutionContext, contract: SystemContract, table: TableContract, hub: HubConfig
) -> LandingResult:
    """Land one table; a transient failure asks Dagster for another try while tries are left."""
    hub.require_sound()
    database = hub_database()
    start_run(database, context.run.run_id)
    tries_left = context.retry_number < MAX_RETRIES
    try:
        result = land_table(
            database,
            hub_settings(),
            contract,
            table,
            run_id=context.run.run_id,
            gate=admission_gate(),
            full=hub.is_forced(table),
            business_date=hub.sweep_day(),
            allowance=hub.allowance(table),
            raise_transient=tries_left,
        )
    except TransientError as error:
        if tries_left:
            raise dg.RetryRequested(MAX_RETRIES, seconds_to_wait=RETRY_SECONDS * 2**context.retry_number) from error
        # Only another loader of the same table gets here: two runs at once.
        raise dg.Failure(str(error), allow_retries=False) from None
    label = f"{contract.system}.{table.name}"
    reporter().step("pull", label)
    if result.new_columns is not None:
        record_columns(database, context.run.run_id, table, result.batch_id, result.new_columns)
    if result.new_columns:
        context.log.warning(f"{label} has columns that its contract lacks: {', '.join(result.new_columns)}")
    if not result.is_current:
        state = "stale" if result.broken else result.state
        context.log.warning(f"{label} is {state}: {result.reason}")
        # By system: a system that does not answer says the same for each of its tables, and once is enough.
        reporter().note(f"{contract.system}: {result.reason}")
    return result


def _metadata(result: LandingResult) -> dict[str, dg.MetadataValue]:
    counts = ("read", "inserted", "updated", "unchanged", "deleted", "quarantined")
    metadata: dict[str, dg.MetadataValue] = {name: dg.MetadataValue.int(getattr(result, name)) for name in counts}
    metadata["state"] = dg.MetadataValue.text(result.state)
    if result.as_of is not None:
        metadata["as_of"] = dg.MetadataValue.timestamp(result.as_of)
    if result.reason:
        metadata["reason"] = dg.MetadataValue.text(result.reason)
    return metadata


def _check(result: LandingResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=GATE,
        passed=result.is_current,
        # A warning for Dagster: downstream goes on with what was last admitted. The error is the table's state.
        severity=dg.AssetCheckSeverity.WARN,
        description=result.reason or "admitted",
    )


def _columns(result: LandingResult) -> dg.AssetCheckResult:
    names = ", ".join(result.new_columns or ())
    return dg.AssetCheckResult(
        check_name=KNOWN_COLUMNS,
        passed=not names,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Not in the contract, not pulled: {names}" if names else "as the contract says",
    )
