"""Postgres's fast path: a query's rows by `COPY … TO STDOUT`, read in blocks as text. Which rows, `sql` says.

Postgres writes every value as text itself, so no Python object is made of it: 300,000 rows × 12 columns come in a
fraction of the time that a cursor's rows take (docs/explanation/landing.md has the figures).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

# Text forms of values depend on these; a transaction of ours sets them for itself, whatever the server's own.
_SESSION = """
select set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, YMD', true),
    set_config('intervalstyle', 'iso_8601', true), set_config('extra_float_digits', '1', true),
    set_config('bytea_output', 'hex', true), set_config('statement_timeout', %(timeout)s, true)
"""


def prepare(connection: sa.Connection, timeout_seconds: int) -> None:
    """Fix text forms and the longest statement for the transaction under way."""
    parameter = sa.bindparam("timeout", f"{timeout_seconds}s", sa.Text)
    connection.execute(sa.text(_SESSION.replace("%(timeout)s", ":timeout")).bindparams(parameter))


def can_copy(connection: sa.Connection) -> bool:
    """Whether the driver in use hands COPY's stream over."""
    return connection.dialect.driver == "psycopg"


def text_of(column: sa.ColumnClause[Any], kind: Any) -> sa.ColumnElement[Any]:
    """The column as Postgres itself writes it, so that both ways of reading give the same text."""
    is_text = isinstance(kind, sa.String) and not isinstance(kind, (sa.CHAR, sa.Enum))
    return column if is_text else sa.cast(column, sa.Text)


def with_offsets(frame: pl.DataFrame, types: Mapping[str, Any]) -> pl.DataFrame:
    """Instants in the form `2026-06-30T00:00:00+00:00`; Postgres leaves the minutes of an offset out."""
    names = [name for name in frame.columns if getattr(types.get(name), "timezone", False)]
    if not names:
        return frame
    values = [(name, pl.col(name)) for name in names]
    return frame.with_columns(
        pl.when(value.str.ends_with("+00"))
        .then(value.str.replace(" ", "T", literal=True) + ":00")
        .otherwise(value)
        .alias(name)
        for name, value in values
    )


def copied(
    connection: sa.Connection, query: sa.Select[Any], names: Sequence[str], block_rows: int
) -> Iterator[pl.DataFrame]:
    """The query's rows in frames of text.

    Raises:
        DBAPIError: what the driver raises, wrapped as SQLAlchemy does.
    """
    import psycopg

    statement = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    driver: Any = connection.connection.driver_connection
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(f"copy ({statement}) to stdout (format csv, encoding 'UTF8')") as copy,
        ):
            lines = iter(copy)
            # Every message is one row, so no value is ever cut in two, whatever line breaks it holds. Written into one
            # buffer as they come: a list of 50,000 of them costs as much as everything else here.
            while True:
                block = io.BytesIO()
                block.writelines(islice(lines, block_rows))
                if not block.tell():
                    return
                yield _frame(block, names)
    except psycopg.Error as error:
        raise DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True) from None


def _frame(block: io.BytesIO, names: Sequence[str]) -> pl.DataFrame:
    """A block of COPY's CSV: an empty text is quoted there and a missing value is not, and Polars knows both."""
    try:
        return _read(block, names)
    except pl.exceptions.ComputeError:
        # A database without an encoding (SQL_ASCII) may hold any bytes; they stay recognisable, and fail their checks.
        return _read(io.BytesIO(block.getvalue().decode("utf-8", "backslashreplace").encode()), names)


def _read(block: io.BytesIO, names: Sequence[str]) -> pl.DataFrame:
    block.seek(0)
    return pl.read_csv(block, has_header=False, new_columns=list(names), infer_schema=False)
