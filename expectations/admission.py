"""The admission gate: does a staged batch keep what its table's contract promises.

The row checks of the landing have refused single rows before. Here the batch is judged as a whole, and what the rows
should be free of by now (repeated keys, values outside their list or bounds) is looked for once more in the table that
would be merged: a fault in the checks themselves stops here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from connectors.contract import AdmissionGate, GateRequest, GateResult, Rule, TableContract
from connectors.contract.ddl import quote_qualified
from expectations.checks import (
    Check,
    Outcome,
    Recorded,
    between,
    in_set,
    judge,
    missing_share,
    not_null,
    outcome,
    record,
    row_count,
    unique,
)
from expectations.runner import Runner
from warehouse.database import Database
from warehouse.settings import Settings

KNOWN_COLUMNS = "known_columns"
_HAS_KEY = """
select exists (
    select 1 from pg_index as i
    where i.indrelid = to_regclass(%s) and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
        and %s = (
            select array_agg(a.attname::text order by a.attname::text)
            from pg_attribute as a where a.attrelid = i.indrelid and a.attnum = any(i.indkey)
        )
)"""


def make_gate(db: Database, settings: Settings) -> AdmissionGate:
    """The admission gate; its GX context is made with the first batch and kept for the next ones."""
    runner = Runner(db, settings)

    def gate(request: GateRequest) -> GateResult:
        schema, _, stage = request.stage.partition(".")
        table = request.table
        checks = suite(table, request.read - request.rejected)
        proven = unique(table.key) if has_key(db, request.stage, table.key) else None
        outcomes = totals(request)
        if proven is not None:
            # Counting again what an index of Postgres refuses to hold costs half of the gate's time.
            outcomes.append(outcome(proven.name, True, proven.expected, None))
        outcomes += runner.run(schema, stage, [check for check in checks if check != proven])
        group = Recorded(outcomes, table.system, table.name, request.batch_id)
        rows = Recorded(row_warnings(request), table.system, table.name, request.batch_id)
        record(db, request.run_id, "admission", [group, rows])
        return judge([group])

    return gate


def suite(table: TableContract, good_rows: int) -> list[Check]:
    """The GX suite a contract stands for.

    Args:
        good_rows: rows read and not refused; the stage cannot hold more.
    """
    checks = [row_count("staged_rows", 0, good_rows, f"at most the {good_rows} rows read and not refused")]
    checks += [not_null(column.name) for column in table.columns if column.required]
    checks.append(unique(table.key))
    for rule in table.all_rules:
        checks += _of_rule(rule)
    return checks


def has_key(db: Database, table: str, key: Sequence[str]) -> bool:
    """Whether a unique index over exactly these columns of `schema.table` stands: no key can come twice there."""
    with db.psycopg("pipeline") as connection:
        row = connection.execute(_HAS_KEY, [quote_qualified(table), sorted(key)]).fetchone()
    return row is not None and bool(row[0])


def totals(request: GateRequest) -> list[Outcome]:
    """What the counts of the batch say, without looking at a row."""
    table = request.table
    allowed = table.allowed_rejects(request.read)
    least, most = table.volume_min, table.volume_max
    return [
        outcome(
            "volume", least <= request.rows_after <= most, f"{least} to {most} rows in the table", request.rows_after
        ),
        outcome(
            "rejects",
            request.rejected <= allowed,
            f"at most {allowed} of {request.read} rows refused",
            request.rejected,
        ),
    ]


def record_columns(db: Database, run_id: str, table: TableContract, batch_id: int, new_columns: Sequence[str]) -> None:
    """Write into the quality ledger that a source has columns its contract does not know, and when it no longer has.

    A table that never had any gets no row: nothing was to be told.
    """
    if not new_columns and not _was_warned(db, table):
        return
    told = outcome(KNOWN_COLUMNS, not new_columns, "no column beyond the contract", float(len(new_columns)), "warn")
    record(db, run_id, "admission", [Recorded([told], table.system, table.name, batch_id)])


def _was_warned(db: Database, table: TableContract) -> bool:
    with db.psycopg("pipeline") as connection:
        row = connection.execute(
            "select status from quality.check_results where gate = 'admission' and system = %s and table_name = %s"
            " and check_name = %s order by check_id desc limit 1",
            [table.system, table.name, KNOWN_COLUMNS],
        ).fetchone()
    return row is not None and row[0] == "warned"


def row_warnings(request: GateRequest) -> list[Outcome]:
    """Rows with flaws that the contract lets pass, by rule. They are told to the owner and do not trouble the gate."""
    return [
        outcome(rule, not rows, "no row, as the contract wishes", rows, "warn")
        for rule, rows in sorted(request.warnings.items())
    ]


def _of_rule(rule: Rule) -> list[Check]:
    """Warn rules were counted by the row checks; only shares, which speak of the whole table, are left to GX."""
    if rule.column is None:
        return []
    if rule.kind == "missing_share":
        share = rule.params["max_share"]
        assert isinstance(share, float)
        return [missing_share(rule.column, share, "error" if rule.severity == "reject" else "warn")]
    if rule.severity == "warn":
        return []
    if rule.kind == "enum":
        values = rule.params["values"]
        assert isinstance(values, tuple)
        return [in_set(rule.column, values)]
    if rule.kind == "range":
        return [between(rule.column, _bound(rule.params["minimum"]), _bound(rule.params["maximum"]))]
    return []


def _bound(value: object) -> object:
    """Bounds of dates are texts in a contract."""
    return date.fromisoformat(value) if isinstance(value, str) else value
