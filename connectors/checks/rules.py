"""The rules of a table's rows as expressions: true where a row breaks the rule.

They are written once per table and held against frame after frame in one query, since each query of its own costs as
much as a thousand rows. What needs other rows (repeated keys, shares, tables referred to) is not told here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from connectors.checks.values import polars_type
from connectors.contract import ColumnContract, Rule, TableContract
from warehouse.errors import ContractError

# Before a column's name: the column as it came, trimmed. Under its bare name lies the value as the contract's type.
AS_CAME = "as it came: "
_GRADES_OF_USE = ["certified", "registration_no", "missing"]


@dataclass(frozen=True)
class RowRule:
    """One rule. `name` counts it, `label` is what the department reads beside the column's name."""

    name: str
    label: str
    column: str | None
    severity: str
    is_broken: pl.Expr


def require_patterns(table: TableContract) -> None:
    """See that every pattern can be read by the engine that will hold it against the rows.

    It knows neither look-around nor back-references, which Python knows; so the contract's reader, which every command
    waits for and which therefore loads no engine, takes them for good.

    Raises:
        ContractError: one cannot.
    """
    for column in table.columns:
        if column.pattern is None:
            continue
        try:
            pl.Series([""]).str.contains(column.pattern)
        except pl.exceptions.ComputeError:
            raise ContractError(
                "The pattern cannot be read.",
                where=f"file {table.system}.yaml, table {table.name}, column {column.name}, rule pattern",
                expected="a regular expression without look-around and back-references",
                do="write it without them, or state the rule another way; nothing was pulled",
            ) from None


def row_rules(
    table: TableContract, came: Mapping[str, pl.DataType], *, is_free_of_nul: bool = False
) -> tuple[RowRule, ...]:
    """The rules in the order in which reasons are told. `came`: the type in which each column is judged as it came."""
    found = [
        found
        for column in table.columns
        for found in (*_column_rules(column, came[column.name]), *_nul_rule(column, came[column.name]))
        if not (is_free_of_nul and found.label == "nul_byte")
    ]
    return (*found, *(_expression(rule, table) for rule in table.rules if rule.kind == "expression"))


def _column_rules(column: ColumnContract, came: pl.DataType) -> Iterator[RowRule]:
    for rule in column.rules:
        is_broken = _broken(rule, column, came)
        if is_broken is not None:
            yield RowRule(rule.name, rule.kind, column.name, rule.severity, is_broken.fill_null(False))


def _nul_rule(column: ColumnContract, came: pl.DataType) -> Iterator[RowRule]:
    if came == pl.String:
        # Postgres texts cannot hold NUL, and one such value would fail the COPY of all rows.
        has_nul = _text(column.name).str.contains("\x00", literal=True).fill_null(False)
        yield RowRule(f"{column.name}_nul_byte", "nul_byte", column.name, "reject", has_nul)


def _broken(rule: Rule, column: ColumnContract, came: pl.DataType) -> pl.Expr | None:
    """None for rules about whole tables, and for those that no value of this type breaks."""
    text, value = _text(column.name), pl.col(column.name)
    match rule.kind:
        case "type":
            return None if column.pg_type == "text" else value.is_null() & text.is_not_null()
        case "required":
            return text.is_null()
        case "enum" | "reference":
            known = rule.params.get("values")
            written = text if came == pl.String else text.cast(pl.String)
            return None if known is None else ~written.is_in(list(known))  # type: ignore[call-overload]
        case "pattern":
            return ~text.str.contains(str(rule.params["pattern"]))
        case "range":
            return _outside(value, polars_type(column.pg_type), rule.params["minimum"], rule.params["maximum"])
        case "identifier":
            return ~pl.col(f"_{column.name}_grade").is_in(_GRADES_OF_USE)
        case _:
            return None


def _outside(value: pl.Expr, dtype: pl.DataType, minimum: object, maximum: object) -> pl.Expr:
    # Bounds are whole or simple numbers, so comparing decimals as floats is exact enough.
    comparable = value.cast(pl.Float64) if isinstance(dtype, pl.Decimal) else value
    is_outside = pl.lit(False)
    if minimum is not None:
        is_outside = is_outside | (comparable < _constant(minimum, dtype)).fill_null(False)
    if maximum is not None:
        is_outside = is_outside | (comparable > _constant(maximum, dtype)).fill_null(False)
    return is_outside


def _expression(rule: Rule, table: TableContract) -> RowRule:
    """A comparison of two columns, or of one with a constant. Where a value is missing nothing is broken."""
    name = str(rule.params["left"])
    left, dtype = pl.col(name), polars_type(table.column(name).pg_type)
    right = pl.col(str(rule.params["right"])) if "right" in rule.params else _constant(rule.params["value"], dtype)
    holds = {
        "<": left.__lt__,
        "<=": left.__le__,
        ">": left.__gt__,
        ">=": left.__ge__,
        "=": left.__eq__,
        "!=": left.__ne__,
    }[str(rule.params["operator"])](right)
    return RowRule(rule.name, rule.name, rule.column, rule.severity, (~holds).fill_null(False))


def _constant(bound: object, dtype: pl.DataType) -> pl.Expr:
    """A bound as contracts write it: a number, or a day."""
    if dtype.is_temporal():
        return pl.lit(pl.Series([str(bound)]).str.to_date("%Y-%m-%d").cast(dtype).item(), dtype=dtype)
    return pl.lit(bound)


def _text(name: str) -> pl.Expr:
    return pl.col(f"{AS_CAME}{name}")
