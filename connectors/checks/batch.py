"""One vectorised pass over the rows of a table: typed good rows, refused rows with every reason, counted warnings.

What needs the whole batch (repeated keys across chunks, volume, shares) belongs to the landing and the admission gate.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from connectors.checks.values import as_texts, directly, polars_type, read_frame, trimmed
from connectors.contract import ColumnContract, Rule, TableContract
from connectors.contract.ddl import typed_columns
from connectors.identifiers import identify_citizen_nos, identify_usccs
from warehouse.errors import HeldBatch
from warehouse.tokens import citizen_tokens

POSITION = "_position"
_REJECTED = {"row_key": pl.String(), "payload": pl.String(), "reasons": pl.String(), "position": pl.String()}

Tokens = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Checked:
    """What became of a frame; `good.height + rejected.height` is the number of rows that came in.

    Attributes:
        good: the contract's columns typed, identifier helpers (`_<column>_key`, `_<column>_grade`), `_position`.
        rejected: `row_key` (key values joined by `|`), `payload` (the row as received, JSON text), `reasons` (JSON
            text: list of {rule, column, severity}, every reason the row has), `position` (JSON text or null).
            NUL characters, which jsonb refuses, are written as U+2400 in both texts.
        kept: the good rows' numbers in the frame, from 0.
        warnings: rows per rule of severity warn, good and rejected ones together, by the rule's name.
        rejections: rows per rule that refused them; a row counts under each of its reasons.
    """

    good: pl.DataFrame
    rejected: pl.DataFrame
    kept: pl.Series
    warnings: dict[str, int] = field(default_factory=dict)
    rejections: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Finding:
    """Rows that break one rule. `name` counts it, `label` is what the department reads beside the column's name."""

    name: str
    label: str
    column: str | None
    severity: str
    rows: pl.Series


def check_batch(
    table: TableContract, frame: pl.DataFrame, *, within_frame_keys: bool = False, tokens: Tokens = citizen_tokens
) -> Checked:
    """Check rows as received against their contract.

    Args:
        table: the contract.
        frame: every contract column (text, or whole numbers, booleans, days, local times) and, if known, `_position`
            (JSON text).
        within_frame_keys: also refuse repeated keys inside this frame (see `repeated_keys`); leave it off where a batch
            comes in several frames and its keys are compared in the stage.
        tokens: makes tokens of normalised citizen numbers; called with distinct certified numbers only.

    Raises:
        HeldBatch: the frame lacks a column of the contract.
    """
    if missing := [name for name in table.column_names if name not in frame.columns]:
        raise HeldBatch(
            f"The rows lack {len(missing)} of the contract's columns: {', '.join(missing)}.",
            where=f"{table.system}.{table.name}",
            expected=f"the columns of contract version {table.version}",
            do="ask the owner whether they were renamed or dropped; restore them or change the contract",
        )
    received = frame.select(table.column_names)
    texts, typed = _read(table, received)
    identified = _identified(table, texts)
    # One look at all columns: a call of Polars costs as much as a thousand of these values.
    nul = received.select(pl.col(pl.String).str.contains("\x00", literal=True).any()).to_dict(as_series=False)
    holding_nul = {name for name, is_held in nul.items() if is_held[0]}
    findings = [
        finding
        for column in table.columns
        for finding in _column_findings(column, received, texts, typed, identified, holding_nul)
        if finding.rows.any()
    ]
    findings += [finding for finding in _table_findings(table, typed) if finding.rows.any()]
    if within_frame_keys:
        findings += _key_findings(table, typed, findings)
    position = frame.get_column(POSITION) if POSITION in frame.columns else pl.Series(POSITION, [None] * frame.height)
    typed = typed.with_columns(position.cast(pl.String).alias(POSITION)).hstack(identified)
    is_bad = _any_of([finding.rows for finding in findings if finding.severity == "reject"], frame.height)
    good = typed.filter(~is_bad) if is_bad.any() else typed
    return Checked(
        good=_with_keys(table, good, tokens).select(*(name for name, _ in typed_columns(table)), POSITION),
        rejected=_rejected(table, received, texts, findings, position, is_bad),
        kept=(~is_bad).arg_true().cast(pl.Int64),
        warnings={f.name: int(f.rows.sum()) for f in findings if f.severity == "warn"},
        rejections={f.name: int(f.rows.sum()) for f in findings if f.severity == "reject"},
    )


def _read(table: TableContract, received: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The columns to be judged, and as the contract's types: trimmed texts are read, what came typed need not be."""
    direct = {
        column.name: values
        for column in table.columns
        if (values := directly(received.get_column(column.name), column.pg_type, table.timezone)) is not None
    }
    others = {column.name: column.pg_type for column in table.columns if column.name not in direct}
    texts = trimmed(as_texts(received, list(others)))
    read = read_frame(texts, others, table.timezone)
    names = table.column_names
    judged = pl.DataFrame([texts.get_column(n) if n in others else received.get_column(n) for n in names])
    return judged, pl.DataFrame([read.get_column(n) if n in others else direct[n] for n in names])


def repeated_keys(table: TableContract, typed: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Rows of a typed frame whose key is not theirs alone: (copies, conflicts).

    A copy equals an earlier row in every contract column: the first is kept, copies are `duplicate_row`. Rows that
    share a key and differ are all conflicts (`unique_key`): nothing says which of them is right.
    """
    content = typed.select(table.column_names)
    is_first = content.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    key = pl.struct(table.key)
    versions = content.select(is_first=pl.lit(is_first), key=key)
    count = versions.select(pl.col("is_first").cast(pl.UInt32).sum().over("key")).to_series()
    return ~is_first, count > 1


def _column_findings(
    column: ColumnContract,
    received: pl.DataFrame,
    texts: pl.DataFrame,
    typed: pl.DataFrame,
    identified: pl.DataFrame,
    holding_nul: Collection[str],
) -> Iterator[_Finding]:
    text, value = texts.get_column(column.name), typed.get_column(column.name)
    for rule in column.rules:
        rows = _broken(rule, text, value, identified)
        if rows is not None:
            yield _Finding(rule.name, rule.kind, column.name, rule.severity, rows.fill_null(False))
    if column.name in holding_nul:
        # Postgres texts cannot hold NUL, and one such value would fail the COPY of all rows.
        has_nul = received.get_column(column.name).str.contains("\x00", literal=True).fill_null(False)
        yield _Finding(f"{column.name}_nul_byte", "nul_byte", column.name, "reject", has_nul)


def _broken(rule: Rule, text: pl.Series, value: pl.Series, identified: pl.DataFrame) -> pl.Series | None:
    """Rows that break a column's rule; None for rules about whole tables."""
    match rule.kind:
        case "type":
            is_read = value.dtype == pl.String or value.null_count() == text.null_count()
            return None if is_read else value.is_null() & text.is_not_null()
        case "required":
            return text.is_null() if text.null_count() else None
        case "enum" | "reference":
            known = rule.params.get("values")
            return None if known is None else ~text.is_in(list(known))  # type: ignore[call-overload]
        case "pattern":
            return ~text.str.contains(str(rule.params["pattern"]))
        case "range":
            return _outside(value, rule.params["minimum"], rule.params["maximum"])
        case "identifier":
            grade = identified.get_column(f"_{rule.column}_grade")
            return ~grade.is_in(["certified", "registration_no", "missing"])
        case _:
            return None


def _outside(value: pl.Series, minimum: object, maximum: object) -> pl.Series:
    # Bounds are whole or simple numbers, so comparing decimals as floats is exact enough.
    comparable = value.cast(pl.Float64) if isinstance(value.dtype, pl.Decimal) else value
    rows = pl.Series([False]).new_from_index(0, value.len())
    for bound, is_below in ((minimum, True), (maximum, False)):
        if bound is not None:
            limit = _constant(bound, value.dtype)
            rows = rows | ((comparable < limit) if is_below else (comparable > limit)).fill_null(False)
    return rows


def _constant(bound: object, dtype: pl.DataType) -> object:
    if dtype.is_temporal():
        return pl.Series([bound]).str.to_date("%Y-%m-%d").cast(dtype).item()
    return bound


def _table_findings(table: TableContract, typed: pl.DataFrame) -> Iterator[_Finding]:
    for rule in table.rules:
        if rule.kind != "expression":
            continue
        left = typed.get_column(str(rule.params["left"]))
        right: object = (
            typed.get_column(str(rule.params["right"]))
            if "right" in rule.params
            else _constant(rule.params["value"], left.dtype)
        )
        holds: pl.Series = {
            "<": left.__lt__,
            "<=": left.__le__,
            ">": left.__gt__,
            ">=": left.__ge__,
            "=": left.__eq__,
            "!=": left.__ne__,
        }[str(rule.params["operator"])](right)
        yield _Finding(rule.name, rule.name, rule.column, rule.severity, (~holds).fill_null(False))


def _key_findings(table: TableContract, typed: pl.DataFrame, findings: Sequence[_Finding]) -> list[_Finding]:
    is_bad = _any_of([finding.rows for finding in findings if finding.severity == "reject"], typed.height)
    copies, conflicts = (
        (_spread(rows, ~is_bad) if is_bad.any() else rows) for rows in repeated_keys(table, typed.filter(~is_bad))
    )
    found = [
        _Finding("duplicate_row", "duplicate_row", None, "reject", copies),
        _Finding("unique_key", "unique_key", None, "reject", conflicts),
    ]
    return [finding for finding in found if finding.rows.any()]


def _spread(rows: pl.Series, mask: pl.Series) -> pl.Series:
    full = pl.Series([False]).new_from_index(0, mask.len())
    return full.scatter(mask.arg_true(), rows)


def _any_of(masks: Sequence[pl.Series], height: int) -> pl.Series:
    rows = pl.Series([False]).new_from_index(0, height)
    for mask in masks:
        rows = rows | mask
    return rows


def _identified(table: TableContract, texts: pl.DataFrame) -> pl.DataFrame:
    """Helper columns of every identifier column; a citizen number's key is still the number, never kept so."""
    columns: list[pl.Series] = []
    for column in table.columns:
        if column.identifier:
            identify = identify_citizen_nos if column.identifier == "citizen_no" else identify_usccs
            helpers = identify(texts.get_column(column.name))
            columns += [
                helpers.get_column(part).alias(f"_{column.name}_{part}").cast(pl.String) for part in ("key", "grade")
            ]
    return pl.DataFrame(columns)


def _with_keys(table: TableContract, good: pl.DataFrame, tokens: Tokens) -> pl.DataFrame:
    for column in table.columns:
        if column.identifier == "citizen_no":
            name = f"_{column.name}_key"
            numbers = good.get_column(name).drop_nulls().unique()
            known = pl.DataFrame({name: numbers, "token": pl.Series(tokens(numbers.to_list()), dtype=pl.String)})
            joined = good.select(name).join(known, on=name, how="left", maintain_order="left")
            good = good.with_columns(joined.get_column("token").alias(name))
    return good


def _rejected(
    table: TableContract,
    received: pl.DataFrame,
    texts: pl.DataFrame,
    findings: Sequence[_Finding],
    position: pl.Series,
    is_bad: pl.Series,
) -> pl.DataFrame:
    if not is_bad.any():
        return pl.DataFrame(schema=_REJECTED)
    reasons = [
        pl.select(pl.when(pl.lit(finding.rows.filter(is_bad))).then(pl.lit(_reason(finding)))).to_series().alias(str(i))
        for i, finding in enumerate(findings)
    ]
    joined = pl.DataFrame(reasons).select(
        pl.concat_str(pl.lit("["), pl.concat_str(pl.all(), separator=", ", ignore_nulls=True), pl.lit("]"))
    )
    keys = as_texts(texts.filter(is_bad), table.key).select(pl.concat_str(pl.all().fill_null(""), separator="|"))
    refused = as_texts(received.filter(is_bad), table.column_names)
    readable = refused.select(pl.all().str.replace_all("\x00", "\u2400", literal=True))
    payload = readable.select(pl.struct(pl.all()).struct.json_encode()).to_series()
    return pl.DataFrame(
        {
            "row_key": keys.to_series().str.replace_all("\x00", "\u2400", literal=True),
            "payload": payload,
            "reasons": joined.to_series(),
            "position": position.filter(is_bad).cast(pl.String),
        },
        schema=_REJECTED,
    )


def _reason(finding: _Finding) -> str:
    column = "null" if finding.column is None else f'"{finding.column}"'
    return f'{{"rule": "{finding.label}", "column": {column}, "severity": "{finding.severity}"}}'


def empty_good(table: TableContract) -> pl.DataFrame:
    """A frame of good rows without rows, for a batch that brought none."""
    schema = {name: polars_type(pg_type) for name, pg_type in typed_columns(table)}
    return pl.DataFrame(schema={**schema, POSITION: pl.String()})
