"""One vectorised pass over the rows of a table: typed good rows, refused rows with every reason, counted warnings.

What needs the whole batch (repeated keys across chunks, volume, shares) belongs to the landing and the admission gate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from connectors.checks.rules import AS_CAME, RowRule, require_patterns, row_rules
from connectors.checks.values import as_texts, direct_way, read_frame, trimmed
from connectors.contract import TableContract
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
        good: the contract's columns typed, identifier helpers (`_<column>_key`, `_<column>_grade`).
        rejected: `row_key` (key values joined by `|`), `payload` (the row as received, JSON text), `reasons` (JSON
            text: list of {rule, column, severity}, every reason the row has), `position` (JSON text or null).
            NUL characters, which jsonb refuses, are written as U+2400 in both texts.
        kept: the good rows' numbers in the frame, from 0.
        is_warned: which of the good rows break a rule of severity warn.
        warnings: rows per rule of severity warn, good and rejected ones together, by the rule's name.
        rejections: rows per rule that refused them; a row counts under each of its reasons.
    """

    good: pl.DataFrame
    kept: pl.Series
    is_warned: pl.Series
    warnings: dict[str, int]
    rejections: dict[str, int]
    _write_rejected: Callable[[], pl.DataFrame]

    @cached_property
    def rejected(self) -> pl.DataFrame:
        """Written when asked for, which costs as much as checking a thousand rows."""
        return self._write_rejected()


@dataclass(frozen=True)
class _Finding:
    """Rows that break one rule."""

    name: str
    label: str
    column: str | None
    severity: str
    rows: pl.Series


class RowChecks:
    """The checks of one table, made ready once for frame after frame."""

    def __init__(self, table: TableContract, tokens: Tokens = citizen_tokens) -> None:
        """Take the contract; `tokens` makes tokens of citizen numbers, called with distinct certified ones only.

        Raises:
            ContractError: a pattern cannot be read.
        """
        require_patterns(table)
        self._table = table
        self._tokens = tokens
        self._ways: dict[tuple[pl.DataType, ...], dict[str, pl.Expr]] = {}
        self._rules: dict[tuple[bool, Sequence[pl.DataType]], tuple[RowRule, ...]] = {}

    def check(self, frame: pl.DataFrame, *, within_frame_keys: bool = False, is_free_of_nul: bool = False) -> Checked:
        """Check rows as received.

        Args:
            frame: every contract column (text, or whole numbers, booleans, days, local times) and, if known,
                `_position` (a struct).
            within_frame_keys: also refuse repeated keys inside this frame (see `repeated_keys`); leave it off where a
                batch comes in several frames and its keys are compared in the stage.
            is_free_of_nul: the source cannot hold a NUL character, so none is looked for.

        Raises:
            HeldBatch: the frame lacks a column of the contract.
        """
        table = self._table
        received = _received(table, frame)
        texts, typed = self._read(received)
        identified = _identified(table, texts)
        findings = self._findings(texts, typed, identified, is_free_of_nul=is_free_of_nul)
        if within_frame_keys:
            findings += _key_findings(table, typed, findings)
        is_bad = _any_of([finding.rows for finding in findings if finding.severity == "reject"], frame.height)
        is_warned = _any_of([finding.rows for finding in findings if finding.severity == "warn"], frame.height)
        whole = pl.DataFrame([*typed.get_columns(), *identified.get_columns()])
        good = whole.filter(~is_bad) if is_bad.any() else whole
        return Checked(
            good=_with_keys(table, good, self._tokens).select(*(name for name, _ in typed_columns(table))),
            kept=(~is_bad).arg_true().cast(pl.Int64),
            is_warned=is_warned.filter(~is_bad),
            warnings={f.name: int(f.rows.sum()) for f in findings if f.severity == "warn"},
            rejections={f.name: int(f.rows.sum()) for f in findings if f.severity == "reject"},
            _write_rejected=lambda: _rejected(table, frame, texts, findings, is_bad),
        )

    def _read(self, received: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The columns to be judged, and as the contract's types: trimmed texts are read, what came typed is not."""
        table, came = self._table, tuple(received.dtypes)
        if came not in self._ways:
            found = (
                (column.name, direct_way(column.name, dtype, column.pg_type, table.timezone))
                for column, dtype in zip(table.columns, came, strict=True)
            )
            self._ways[came] = {name: way for name, way in found if way is not None}
        ways = self._ways[came]
        direct = received.select(**ways)
        others = {column.name: column.pg_type for column in table.columns if column.name not in ways}
        texts = trimmed(as_texts(received, list(others)))
        read = read_frame(texts, others, table.timezone)
        names = table.column_names
        judged = pl.DataFrame([texts.get_column(n) if n in others else received.get_column(n) for n in names])
        return judged, pl.DataFrame([read.get_column(n) if n in others else direct.get_column(n) for n in names])

    def _findings(
        self, texts: pl.DataFrame, typed: pl.DataFrame, identified: pl.DataFrame, *, is_free_of_nul: bool
    ) -> list[_Finding]:
        """All rules in one query, and those that some row breaks."""
        known = (is_free_of_nul, tuple(texts.dtypes))
        if known not in self._rules:
            came = dict(zip(texts.columns, texts.dtypes, strict=True))
            self._rules[known] = row_rules(self._table, came, is_free_of_nul=is_free_of_nul)
        rules = self._rules[known]
        as_came = [values.alias(f"{AS_CAME}{values.name}") for values in texts.get_columns()]
        judged = pl.DataFrame([*typed.get_columns(), *as_came, *identified.get_columns()])
        broken = judged.select(rule.is_broken.alias(str(number)) for number, rule in enumerate(rules))
        return [
            _Finding(rule.name, rule.label, rule.column, rule.severity, rows)
            for rule, rows, is_found in zip(
                rules, broken.get_columns(), broken.select(pl.all().any()).row(0), strict=True
            )
            if is_found
        ]


def check_batch(
    table: TableContract, frame: pl.DataFrame, *, within_frame_keys: bool = False, tokens: Tokens = citizen_tokens
) -> Checked:
    """`RowChecks.check` for a single frame."""
    return RowChecks(table, tokens).check(frame, within_frame_keys=within_frame_keys)


def _received(table: TableContract, frame: pl.DataFrame) -> pl.DataFrame:
    """The contract's columns as they came."""
    if missing := [name for name in table.column_names if name not in frame.columns]:
        raise HeldBatch(
            f"The rows lack {len(missing)} of the contract's columns: {', '.join(missing)}.",
            where=f"{table.system}.{table.name}",
            expected=f"the columns of contract version {table.version}",
            do="ask the owner whether they were renamed or dropped; restore them or change the contract",
        )
    return pl.DataFrame([frame.get_column(name) for name in table.column_names])


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
    frame: pl.DataFrame,
    texts: pl.DataFrame,
    findings: Sequence[_Finding],
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
    received = frame.filter(is_bad)
    refused = as_texts(received, table.column_names)
    readable = refused.select(pl.all().str.replace_all("\x00", "\u2400", literal=True))
    payload = readable.select(pl.struct(pl.all()).struct.json_encode()).to_series()
    return pl.DataFrame(
        {
            "row_key": keys.to_series().str.replace_all("\x00", "\u2400", literal=True),
            "payload": payload,
            "reasons": joined.to_series(),
            "position": received.get_column(POSITION).struct.json_encode() if POSITION in received.columns else None,
        },
        schema=_REJECTED,
    )


def _reason(finding: _Finding) -> str:
    column = "null" if finding.column is None else f'"{finding.column}"'
    return f'{{"rule": "{finding.label}", "column": {column}, "severity": "{finding.severity}"}}'
