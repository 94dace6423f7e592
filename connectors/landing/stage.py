"""Where a batch waits: good rows typed in an unlogged table, refused rows in the session, both by COPY.

Every chunk is committed, so that a batch that is held half-way keeps what had arrived.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

import polars as pl
import psycopg

from connectors.checks import check_batch
from connectors.checks.batch import Tokens
from connectors.checks.values import read_values
from connectors.contract import TableContract
from connectors.contract.ddl import quote_qualified, stage_table_ddl
from connectors.landing.names import PLAN, REJECTS, REPEATS, SET_ASIDE, VANISHED, column_list, stage_name
from connectors.landing.repeats import Refused
from connectors.landing.spool import Spool
from connectors.landing.watch import TypeWatch
from connectors.transports import POSITION
from warehouse.errors import HeldBatch

Connection = psycopg.Connection[tuple[Any, ...]]

_REJECTS_DDL = f"""
create temp table {REJECTS} (
    row_key text, match_key text, row_digest text, payload jsonb, reasons jsonb, position jsonb
)"""


_REJECTED_COLUMNS = ["row_key", "match_key", "payload", "reasons", "position"]


class Stage:
    """The rows of one batch on their way to raw.

    Attributes:
        name: `schema.table` of the good rows.
        exists: whether that table has been created: a pull that brings no row needs none.
        read, rejected: rows that arrived, and those refused.
        warnings, rejections: rows per rule, by the rule's name.
    """

    def __init__(self, connection: Connection, table: TableContract, tokens: Tokens) -> None:
        self.name = stage_name(table)
        self.exists = False
        self.read = 0
        self.rejected = 0
        self.warnings: dict[str, int] = {}
        self.rejections: dict[str, int] = {}
        self._connection = connection
        self._table = table
        self._tokens = tokens
        self._spool = Spool()
        self._watch = TypeWatch(table)

    def create(self) -> None:
        """Make the stage, dropping what a loader that died may have left."""
        for statement in stage_table_ddl(self._table, self.name):
            self._connection.execute(statement.encode())
        self._connection.execute(_REJECTS_DDL.encode())
        self._connection.commit()
        self.exists = True

    def add(self, frame: pl.DataFrame) -> None:
        """Check a frame of rows as received and copy it: good rows to the stage, the others with their reasons."""
        if not self.exists:
            self.create()
        checked = check_batch(self._table, frame, tokens=self._tokens)
        self._copy_good(checked.good)
        if checked.rejected.height:
            keyed = checked.rejected.with_columns(match_key(self._table, checked.rejected))
            self._copy_rejected(keyed.select(_REJECTED_COLUMNS))
        self._connection.commit()
        self._spool.add(frame)
        self._watch.see(frame, checked.rejections)
        self.read += frame.height
        self.rejected += checked.rejected.height
        for rules, counted in ((self.warnings, checked.warnings), (self.rejections, checked.rejections)):
            for rule, rows in counted.items():
                rules[rule] = rules.get(rule, 0) + rows

    def require_types(self) -> None:
        """See that no column of the batch changed its type.

        Raises:
            HeldBatch: one did.
        """
        self._watch.require_types()

    def refuse(self, rows: Mapping[str, Refused]) -> None:
        """Quarantine, as received, rows that only the whole batch shows to be wrong. They are out of the stage."""
        found = 0
        for frame in self._spool.find(rows) if rows else ():
            rules, keys = zip(*(rows[position] for position in frame.get_column(POSITION)), strict=True)
            reasons = [json.dumps([{"rule": rule, "column": None, "severity": "reject"}]) for rule in rules]
            payload = frame.select(pl.struct(self._table.column_names).struct.json_encode()).to_series()
            self._copy_rejected(
                pl.DataFrame([keys, keys, payload, reasons, frame.get_column(POSITION)], schema=_REJECTED_COLUMNS)
            )
            found += frame.height
            for rule in rules:
                self.rejections[rule] = self.rejections.get(rule, 0) + 1
        assert found == len(rows), "every refused row was received"
        self.rejected += found

    def close(self) -> None:
        """Forget the rows as received."""
        self._spool.close()

    def drop(self) -> None:
        """Remove the stage and the session's notes, in the caller's transaction."""
        temporary = ", ".join(f"pg_temp.{name}" for name in (REJECTS, SET_ASIDE, REPEATS, PLAN, VANISHED))
        self._connection.execute(f"drop table if exists {quote_qualified(self.name)}, {temporary}".encode())

    def _copy_good(self, good: pl.DataFrame) -> None:
        if good.is_empty():
            return
        target = f"{quote_qualified(self.name)} ({column_list(self._table)}, _position)"
        try:
            _copy(self._connection, target, good)
        except psycopg.DataError as error:
            self._connection.rollback()
            raise _unfit(self._table, error) from None

    def _copy_rejected(self, rejected: pl.DataFrame) -> None:
        _copy(self._connection, f"{REJECTS} ({', '.join(_REJECTED_COLUMNS)})", rejected)
        # The row as received identifies it: sent again unchanged, it is the same entry of the quarantine.
        self._connection.execute(
            f"update {REJECTS} set row_digest = md5(payload::text) where row_digest is null".encode()
        )


def match_key(table: TableContract, rejected: pl.DataFrame) -> pl.Series:
    """The key of refused rows in raw's own text form, null where a part of it is missing or cannot be read."""
    fields = pl.Struct({column: pl.String() for column in table.column_names})
    received = rejected.get_column("payload").str.json_decode(fields).struct.unnest()
    parts = []
    for name in table.key:
        column = table.column(name)
        texts = received.get_column(name).str.strip_chars()
        texts = texts.zip_with((texts != "").fill_null(False), pl.Series([None], dtype=pl.String))
        values = read_values(texts, column.pg_type, table.timezone)
        parts.append(values.cast(pl.String).alias(name))
    return pl.DataFrame(parts).select(match_key=pl.concat_str(pl.all(), separator="|", ignore_nulls=False)).to_series()


def _copy(connection: Connection, target: str, frame: pl.DataFrame) -> None:
    """COPY a frame as CSV: Polars writes 2.5 M rows of 12 columns a second, five times what Postgres takes in.

    An empty text is quoted, a missing value is not: that is how both sides tell them apart.
    """
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00")
    with connection.cursor().copy(f"copy {target} from stdin (format csv)".encode()) as copy:
        copy.write(buffer.getbuffer())


def _unfit(table: TableContract, error: psycopg.DataError) -> HeldBatch:
    """A value passed the checks and does not fit the column. Postgres names the value: only the column is told on."""
    found = re.search(r"column (\w+)", (error.diag.context or "").split(": ", 1)[0])
    column = f".{found.group(1)}" if found else ""
    return HeldBatch(
        f"A value does not fit the column's type in the warehouse (SQLSTATE {error.sqlstate}).",
        where=f"{table.system}.{table.name}{column}",
        expected="values as the contract declares them",
        do="tighten the column's rules in the contract so that the row is refused instead of the batch",
    )
