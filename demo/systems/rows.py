"""Rows as a system writes them down: text in that system's dialect, with contract breaks put in.

Typed frames come in; frames of text or lists of JSON lines go out. No file and no connection is touched here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

from demo.city.tables import TABLES, Table
from demo.city.truth import row_key


@dataclass(frozen=True)
class Dialect:
    """How a system writes instants and flags."""

    time_format: str
    true: str
    false: str


SQL = Dialect("%Y-%m-%d %H:%M:%S", "1", "0")
SHEET = Dialect("%Y-%m-%d %H:%M:%S", "是", "否")
JSON = Dialect("%Y-%m-%dT%H:%M:%S+08:00", "true", "false")


def as_text(rows: pl.DataFrame, table: Table, dialect: Dialect, breaks: pl.DataFrame) -> pl.DataFrame:
    """All columns of `table` as text, broken values put in."""
    columns = [_text(column, kind, dialect) for column, kind in table.columns.items()]
    text = rows.select(*columns, row_key(table.key).alias("__key"))
    return _broken(text, table, breaks).drop("__key")


def _text(column: str, kind: str, dialect: Dialect) -> pl.Expr:
    value = pl.col(column)
    if kind == "time":
        return value.dt.strftime(dialect.time_format)
    if kind == "flag":
        return pl.when(value).then(pl.lit(dialect.true)).when(~value).then(pl.lit(dialect.false)).alias(column)
    return value.cast(pl.String)


def _broken(text: pl.DataFrame, table: Table, breaks: pl.DataFrame) -> pl.DataFrame:
    mine = breaks.filter(pl.col("table") == table.full_name)
    for (column,), part in mine.group_by("column", maintain_order=True):
        wrong = part.select(pl.col("key").alias("__key"), pl.col("value").alias("__value"), __is=True)
        text = (
            text.join(wrong, on="__key", how="left", maintain_order="left")
            .with_columns(pl.when(pl.col("__is")).then("__value").otherwise(pl.col(str(column))).alias(str(column)))
            .drop("__value", "__is")
        )
    return text


def as_json(rows: pl.DataFrame, table: Table, breaks: pl.DataFrame) -> list[str]:
    """One JSON object per row: numbers and flags as such, dates and instants as ISO text with offset."""
    columns = [
        _text(column, kind, JSON) if kind in ("time", "date") else pl.col(column)
        for column, kind in table.columns.items()
    ]
    lines: list[str] = (
        rows.select(*columns).select(pl.struct(pl.all()).struct.json_encode().alias("line")).to_series().to_list()
    )
    mine = breaks.filter(pl.col("table") == table.full_name)
    if mine.height:
        keys = {key: i for i, key in enumerate(rows.select(row_key(table.key)).to_series())}
        for key, column, value in mine.select("key", "column", "value").iter_rows():
            if key in keys:
                body = json.loads(lines[keys[key]])
                body[column] = _json_value(value, table.columns[column])
                lines[keys[key]] = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return lines


def _json_value(value: str | None, kind: str) -> str | float | None:
    return float(value) if value is not None and kind in ("money", "number", "integer") else value


def changed(before: pl.DataFrame, after: pl.DataFrame, name: str) -> pl.DataFrame:
    """Rows of `after` that are new or differ from the row of the same key in `before`; order kept."""
    columns = list(TABLES[name].columns)
    key = list(TABLES[name].key)
    old = before.select(*key, pl.struct(columns).hash(1).alias("__old"))
    new = after.with_columns(pl.struct(columns).hash(1).alias("__new"))
    both = new.join(old, on=key, how="left", maintain_order="left")
    return both.filter(pl.col("__old").is_null() | (pl.col("__old") != pl.col("__new"))).drop("__old", "__new")
