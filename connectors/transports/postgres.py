"""Postgres's fast path: a query's rows by `COPY … TO STDOUT`, read as blocks of its binary form. Which rows: `sql`.

No Python object is made of a value: rows come in a fraction of the time that a cursor's take, and numbers, days and
times come as what they are, with nothing left to be parsed (docs/explanation/landing.md has the figures).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from select import POLLIN, poll
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from connectors.binary import MOST_DIGITS, MOST_PLACES, SIGNATURE, TRAILER
from connectors.binary.layout import WORD
from connectors.transports.copied import Copied, CopyForm

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

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
    """Whether the driver in use hands COPY's stream over, and the texts in it have an encoding: a database without one
    (SQL_ASCII) may hold any bytes."""
    if connection.dialect.driver != "psycopg":
        return False
    driver: Any = connection.connection.driver_connection
    return bool(driver.info.parameter_status("server_encoding") != "SQL_ASCII")


def text_of(column: sa.ColumnClause[Any], kind: Any) -> sa.ColumnElement[Any]:
    """The column as Postgres itself writes it, so that both ways of reading give the same text."""
    is_text = isinstance(kind, sa.String) and not isinstance(kind, (sa.CHAR, sa.Enum))
    return column if is_text else sa.cast(column, sa.Text)


def kind_of(kind: Any) -> str:
    """The form in which a column of this type comes by COPY: its own where `binary.columns` reads it, else text."""
    if isinstance(kind, sa.Boolean):
        return "boolean"
    if isinstance(kind, sa.Integer):
        return {sa.SmallInteger: "smallint", sa.BigInteger: "bigint"}.get(_whole(kind), "integer")
    if isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float) and kind.precision and kind.scale is not None:
        is_plain = 0 <= kind.scale <= min(kind.precision, MOST_PLACES) and kind.precision <= MOST_DIGITS
        return f"numeric({kind.precision},{kind.scale})" if is_plain else "text"
    if isinstance(kind, sa.Date):
        return "date"
    is_local = isinstance(kind, sa.DateTime) and not kind.timezone
    return "timestamp" if is_local else "text"


def _whole(kind: sa.Integer) -> type[sa.Integer]:
    return next((known for known in (sa.SmallInteger, sa.BigInteger) if isinstance(kind, known)), sa.Integer)


def wire_of(column: sa.ColumnClause[Any], kind: Any) -> sa.ColumnElement[Any]:
    """The column as COPY is asked for it."""
    return text_of(column, kind) if kind_of(kind) == "text" else column


def copied(connection: sa.Connection, query: sa.Select[Any], layout: CopyForm, block_rows: int) -> Iterator[Copied]:
    """The query's rows, so many in one block.

    Raises:
        DBAPIError: what the driver raises, wrapped as SQLAlchemy does.
    """
    import psycopg

    statement = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    driver: Any = connection.connection.driver_connection
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(f"copy ({statement}) to stdout (format binary, encoding 'UTF8')"),
        ):
            # The first row comes behind the head of the whole.
            head, seen, has_ended = len(SIGNATURE), 0, False
            while not has_ended:
                block, sizes, has_ended = _block(driver.pgconn, block_rows)
                if not sizes:
                    return
                sizes[0] -= head
                numbers = np.arange(seen + 1, seen + len(sizes) + 1)
                yield Copied(layout, np.frombuffer(block, np.uint8)[head:], np.array(sizes, np.int64), numbers)
                head, seen = 0, seen + len(sizes)
    except psycopg.Error as error:
        raise DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True) from None


def _block(line: PGconn, rows: int) -> tuple[bytearray, list[int], bool]:
    """Up to so many rows one behind the other, their sizes, and whether that was the end.

    Taken from libpq itself: the driver's own loop costs twice as much for each row, and every message is one row.
    """
    import psycopg
    from psycopg.pq import ExecStatus

    block, sizes, ready = bytearray(), list[int](), poll()
    ready.register(line.socket, POLLIN)
    take, add, note, has_ended = line.get_copy_data, block.extend, sizes.append, False
    while len(sizes) < rows and not has_ended:
        size = 1
        for size, row in map(take, repeat(1, rows - len(sizes))):
            if size <= 0:
                break
            note(size)
            add(row)
        if size == 0:
            ready.poll()
            line.consume_input()
        elif size == -1:
            has_ended, results = True, list(iter(line.get_result, None))
            for result in results:
                if result.status != ExecStatus.COMMAND_OK:
                    raise psycopg.errors.error_from_result(result)
        elif size < 0:
            raise psycopg.OperationalError(line.get_error_message())
    # Behind the rows comes an end that is shorter than any row; with it the head, where there are none.
    if sizes and (sizes[-1] == len(TRAILER) or block == SIGNATURE + TRAILER):
        sizes.pop()
    block.extend(bytes(WORD))
    return block, sizes, has_ended
