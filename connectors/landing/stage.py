"""Where a batch waits: good rows typed in a table of their own, refused rows in the session, both by COPY.

Every chunk is committed, so that a batch that is held half-way keeps what had arrived. There are three kinds of stage:

* `whole`: every good row, unlogged;
* `lasting`: the same, logged, because raw is empty and the stage may take its place (`fresh`);
* `sifted`: those that differ from raw, told from the others while they come (`known`); where that cannot be told so,
  first only a list of the good rows, key and hash, and then those (`sift`).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray

from connectors.binary.layout import Bytes, Places
from connectors.binary.rows import binary_rows
from connectors.checks import Checked, RowChecks
from connectors.checks.batch import POSITION, Tokens
from connectors.checks.values import as_texts, read_values
from connectors.contract import TableContract
from connectors.contract.ddl import quote, quote_qualified, roll_columns, roll_table_ddl, stage_table_ddl, typed_columns
from connectors.landing.content import RowHashes, marked, typed_hashes
from connectors.landing.known import Known
from connectors.landing.names import (
    DIFFERENCES,
    PLAN,
    REJECTS,
    REPEATS,
    SET_ASIDE,
    UNMATCHED,
    VANISHED,
    roll_name,
    stage_name,
)
from connectors.landing.repeats import Refused
from connectors.landing.spool import Spool
from connectors.landing.watch import TypeWatch
from connectors.transports.base import CHUNK_ROWS
from connectors.transports.received import Received
from warehouse.errors import HeldBatch

Connection = psycopg.Connection[tuple[Any, ...]]

_REJECTS_DDL = f"""
create temp table {REJECTS} (
    row_key text, match_key text, payload jsonb, reasons jsonb, position jsonb,
    -- The row as received identifies it: sent again unchanged, it is the same entry of the quarantine.
    row_digest text generated always as (md5(payload::text)) stored
)"""


_REJECTED_COLUMNS = ["row_key", "match_key", "payload", "reasons", "position"]
# Rows that differ from raw are checked in some number. Frame and rows that wait lie in memory together: half a frame.
_WAITING_ROWS = CHUNK_ROWS // 2
# Refused rows are told in some number: their reasons, keys and JSON take as many queries for one row as for all.
_TOLD_ROWS = 1_000
# What is handed to the driver at once; it keeps a copy of its own.
_SEND_BYTES = 1 << 18

Kind = Literal["whole", "lasting", "sifted"]


@dataclass(frozen=True)
class Prepared:
    """Rows as received, and what came of them and of rows before that waited: the columns `names` as COPY takes them,
    the refused rows as received."""

    received: Received | None
    names: Sequence[str] = ()
    rows: Bytes | None = None
    refused: Received | None = None
    warnings: Mapping[str, int] = field(default_factory=dict)
    rejections: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Arrived:
    """Rows with their hashes and numbers of arrival."""

    received: Received
    hashes: Bytes
    numbers: Places

    def only(self, wanted: NDArray[np.bool_]) -> _Arrived:
        return _Arrived(self.received.only(wanted), self.hashes[wanted], self.numbers[wanted])


class Stage:
    """The rows of one batch on their way to raw.

    Attributes:
        name: `schema.table` of the good rows, in a sifted stage of those that differ from raw.
        roll: the table with a row for each good one: key, cursor, as-of column, hash, number of arrival. The stage
            itself where all are staged.
        kind: settled before the first row.
        known: what raw holds, where rows are told from it while they come.
        exists: whether these tables have been created: a pull that brings no row needs none.
        read, rejected: rows that arrived, and those refused.
        warnings, rejections: rows per rule, by the rule's name.
    """

    def __init__(self, connection: Connection, table: TableContract, tokens: Tokens) -> None:
        self.name = stage_name(table)
        self.kind: Kind = "whole"
        self.known: Known | None = None
        self.exists = False
        self.read = 0
        self.rejected = 0
        self.warnings: dict[str, int] = {}
        self.rejections: dict[str, int] = {}
        self._connection = connection
        self._table = table
        self._checks = RowChecks(table, tokens)
        self._hashes = RowHashes(table, tokens)
        self._spool = Spool()
        self._watch = TypeWatch(table)
        self._kinds = dict(typed_columns(table))
        self._refused: set[int] = set()
        self._prepared = 0
        self._waiting: list[_Arrived] = []
        self._untold: list[Received] = []
        self._highest: dict[str, Any] = {}

    @property
    def roll(self) -> str:
        return roll_name(self._table) if self.kind == "sifted" and self.known is None else self.name

    def create(self) -> None:
        """Make the stage, dropping what a loader that died may have left."""
        self._connection.execute(f"drop table if exists {quote_qualified(roll_name(self._table))}".encode())
        statements = stage_table_ddl(self._table, self.name, is_lasting=self.kind == "lasting")
        if self.kind == "sifted":
            statements += roll_table_ddl(self._table, roll_name(self._table))
        for statement in (*statements, _REJECTS_DDL):
            self._connection.execute(statement.encode())
        self._connection.commit()
        self.exists = True

    def prepare(self, received: Received) -> Prepared:
        """Check those rows that raw does not hold as they came, and write what COPY is sent.

        They wait until there are enough for a frame: checking one costs some milliseconds, however few its rows.
        Touches no connection: while one frame is copied, another thread may prepare the next. Rows are prepared in
        the order they are added in.
        """
        numbers = np.arange(self._prepared + 1, self._prepared + received.height + 1)
        self._prepared += received.height
        arrived = _Arrived(received, self._hashes.of(received), numbers)
        if self.known is None:
            return self._check(arrived, received)
        is_new = ~self.known.take(arrived.hashes)
        if is_new.any():
            self._waiting.append(arrived.only(is_new))
        if sum(part.received.height for part in self._waiting) < _WAITING_ROWS:
            return Prepared(received)
        return self._check(self._gathered(), received)

    def rest(self) -> Iterator[Prepared]:
        """What still waits when the last row has come."""
        if self._waiting:
            yield self._check(self._gathered(), None)

    def add(self, prepared: Prepared) -> None:
        """Copy the good rows to the stage, and in some number the others with their reasons.

        Raises:
            HeldBatch: a value does not fit its column. Refused rows and rows as received are kept none the less.
        """
        if not self.exists:
            self.create()
        try:
            self._copy_good(self.roll, prepared.rows, prepared.names)
            self._commit()
        finally:
            if prepared.received is not None:
                self._spool.add(prepared.received)
            self._count(prepared)
        if sum(part.height for part in self._untold) >= _TOLD_ROWS:
            self.tell_refused()

    def tell_refused(self) -> None:
        """Copy the refused rows that nobody was told of with their reasons."""
        if not self._untold:
            return
        first, *others = self._untold
        self._untold = []
        rejected = self._checked(first.joined(others)).rejected
        self._copy_rejected(rejected.with_columns(match_key(self._table, rejected)).select(_REJECTED_COLUMNS))
        self._commit()

    def break_off(self) -> None:
        """Of a batch that is held half-way look at the rows that came and wait, for those to be refused."""
        if self._waiting:
            waiting = self._gathered()
            prepared = self._check(waiting.only(waiting.numbers <= self.read), None)
            self._count(prepared)
        self.tell_refused()

    def require_types(self) -> None:
        """See that no column of the batch changed its type.

        Raises:
            HeldBatch: one did.
        """
        if self.known is not None and self._watch.retyped():
            # Values that read well may stand in rows that raw holds, which nobody looked at.
            self._watch = TypeWatch(self._table)
            for received, _ in self._spool.all():
                self._watch.see(received.frame, self._checked(received).rejections)
        self._watch.require_types()

    def list_all(self) -> None:
        """Begin again with what came: list every good row, and stage none yet."""
        self.known = None
        for name in (self.name, self.roll):
            self._connection.execute(f"truncate {quote_qualified(name)}".encode())
        for received, numbers in self._spool.all():
            checked = self._checked(received)
            names, block = self._good(checked, self._hashes.of(received), numbers.to_numpy())
            self._copy_good(self.roll, block, names)
        self._connection.commit()

    def highest(self, column: str) -> Any:
        """The highest value of a column of the roll."""
        if self.known is not None:
            return self._highest.get(column)
        query = f"select max({quote(column)}) from {quote_qualified(self.roll)}"
        row = self._connection.execute(query.encode()).fetchone()
        return row[0] if row else None

    def fill(self, arrivals: pl.Series) -> None:
        """Stage the rows of a sifted batch that have these numbers. They were checked before, and are good."""
        for received, numbers in _in_frames(self._spool.find(arrivals)):
            checked = self._checked(received)
            hashes = marked(self._hashes.of(received), checked.is_warned.to_numpy())
            self._copy_good(self.name, self._rows(checked.good, hashes, numbers), tuple(self._kinds))

    def fill_up(self) -> None:
        """Stage every good row of a sifted batch, for one that is to be kept whole."""
        self._connection.execute(f"truncate {quote_qualified(self.name)}".encode())
        self._connection.commit()
        for received, numbers in self._spool.all():
            checked = self._checked(received)
            arrivals = numbers.gather(checked.kept)
            hashes = self._hashes.of(received)[checked.kept.to_numpy()]
            is_kept = ~arrivals.is_in(list(self._refused))
            names = tuple(self._kinds)
            rows = self._rows(checked.good.filter(is_kept), hashes[is_kept.to_numpy()], arrivals.filter(is_kept))
            # Rows that do not fit the column's type are why the batch is held.
            with suppress(HeldBatch):
                self._copy_good(self.name, rows, names)
            self._connection.commit()

    def refuse(self, rows: Mapping[int, Refused]) -> None:
        """Quarantine, as received, rows that only the whole batch shows to be wrong. They are out of the stage."""
        self._refused |= set(rows)
        for found, arrivals in self._spool.find(pl.Series(sorted(rows), dtype=pl.Int64)):
            frame = found.frame
            rules, keys = zip(*(rows[arrival] for arrival in arrivals), strict=True)
            reasons = [json.dumps([{"rule": rule, "column": None, "severity": "reject"}]) for rule in rules]
            texts = as_texts(frame, self._table.column_names)
            payload = texts.select(pl.struct(pl.all()).struct.json_encode()).to_series()
            self._copy_rejected(
                pl.DataFrame(
                    [keys, keys, payload, reasons, frame.get_column(POSITION).struct.json_encode()],
                    schema=_REJECTED_COLUMNS,
                )
            )
            for rule in rules:
                self.rejections[rule] = self.rejections.get(rule, 0) + 1
        self.rejected += len(rows)

    def close(self) -> None:
        """Forget the rows as received."""
        self._spool.close()

    def drop(self) -> None:
        """Remove the stage and the session's notes, in the caller's transaction."""
        names = (REJECTS, SET_ASIDE, REPEATS, PLAN, VANISHED, DIFFERENCES, UNMATCHED)
        tables = [quote_qualified(self.name), quote_qualified(roll_name(self._table))]
        tables += [f"pg_temp.{name}" for name in names]
        self._connection.execute(f"drop table if exists {', '.join(tables)}".encode())

    def _gathered(self) -> _Arrived:
        """All rows that wait, which from now on wait no more."""
        first, *others = self._waiting
        self._waiting = []
        return _Arrived(
            first.received.joined([other.received for other in others]),
            np.concatenate([first.hashes, *(other.hashes for other in others)]),
            np.concatenate([first.numbers, *(other.numbers for other in others)]),
        )

    def _check(self, arrived: _Arrived, received: Received | None) -> Prepared:
        checked = self._checked(arrived.received)
        self._watch.see(arrived.received.frame, checked.rejections)
        self._note_highest(checked.good)
        names, block = self._good(checked, arrived.hashes, arrived.numbers)
        refused = None
        if checked.rejections:
            is_refused = np.ones(arrived.received.height, np.bool_)
            is_refused[checked.kept.to_numpy()] = False
            refused = arrived.received.only(is_refused)
        return Prepared(received, names, block, refused, checked.warnings, checked.rejections)

    def _checked(self, received: Received) -> Checked:
        return self._checks.check(received.frame, is_free_of_nul=received.is_free_of_nul)

    def _good(self, checked: Checked, hashes: Bytes, numbers: Places) -> tuple[Sequence[str], Bytes | None]:
        """What the stage, or else the list, is sent of checked rows with these hashes and numbers of arrival."""
        good, kept, is_warned = checked.good, checked.kept.to_numpy(), checked.is_warned.to_numpy()
        hashes, numbers = marked(hashes[kept], is_warned), numbers[kept]
        if self.known is not None and is_warned.any():
            is_new = np.ones(len(kept), np.bool_)
            is_new[is_warned] = ~self.known.take(hashes[is_warned])
            good, hashes, numbers = good.filter(pl.Series(is_new)), hashes[is_new], numbers[is_new]
        kinds = self._kinds
        if self.roll != self.name:
            kinds = dict(roll_columns(self._table))
            good = good.with_columns(typed_hashes(good).alias("_content"))
        return tuple(kinds), self._rows(good, hashes, pl.Series(numbers), kinds)

    def _rows(
        self, good: pl.DataFrame, hashes: Bytes, arrivals: pl.Series, kinds: Mapping[str, str] | None = None
    ) -> Bytes | None:
        kinds = kinds or self._kinds
        return binary_rows(good.select(tuple(kinds)), kinds, hashes, arrivals) if good.height else None

    def _note_highest(self, good: pl.DataFrame) -> None:
        for column in filter(None, (self._table.cursor, self._table.as_of_column)):
            values: tuple[Any, ...] = (self._highest.get(column), good.get_column(column).max())
            self._highest[column] = max((value for value in values if value is not None), default=None)

    def _commit(self) -> None:
        """Nothing rests on this commit alone, so nobody waits for the disk: the merge's does, for all before it."""
        self._connection.execute("set local synchronous_commit = off")
        self._connection.commit()

    def _count(self, prepared: Prepared) -> None:
        self.read += 0 if prepared.received is None else prepared.received.height
        if prepared.refused is not None:
            self.rejected += prepared.refused.height
            self._untold.append(prepared.refused)
        for rules, counted in ((self.warnings, prepared.warnings), (self.rejections, prepared.rejections)):
            for rule, count in counted.items():
                rules[rule] = rules.get(rule, 0) + count

    def _copy_good(self, target: str, block: Bytes | None, names: Sequence[str]) -> None:
        if block is None:
            return
        columns = ", ".join(quote(name) for name in (*names, "_row_hash", "_arrival"))
        try:
            _copy(self._connection, f"{quote_qualified(target)} ({columns})", "(format binary)", block)
        except psycopg.DataError as error:
            self._connection.rollback()
            raise _unfit(self._table, error) from None

    def _copy_rejected(self, rejected: pl.DataFrame) -> None:
        buffer = io.BytesIO()
        # An empty text is quoted, a missing value is not: that is how both sides tell them apart.
        rejected.write_csv(buffer, include_header=False)
        _copy(self._connection, f"{REJECTS} ({', '.join(_REJECTED_COLUMNS)})", "(format csv)", buffer.getvalue())


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


def _in_frames(parts: Iterator[tuple[Received, pl.Series]]) -> Iterator[tuple[Received, pl.Series]]:
    """The same rows in frames of the usual size or more."""
    waiting: list[tuple[Received, pl.Series]] = []
    for part in parts:
        waiting.append(part)
        if sum(numbers.len() for _, numbers in waiting) >= CHUNK_ROWS:
            yield _together(waiting)
            waiting = []
    if waiting:
        yield _together(waiting)


def _together(parts: Sequence[tuple[Received, pl.Series]]) -> tuple[Received, pl.Series]:
    received = [part for part, _ in parts]
    return received[0].joined(received[1:]), pl.concat([numbers for _, numbers in parts])


def _copy(connection: Connection, target: str, options: str, block: bytes | Bytes) -> None:
    with connection.cursor().copy(f"copy {target} from stdin {options}".encode()) as copy:
        for start in range(0, len(block), _SEND_BYTES):
            copy.write(memoryview(block[start : start + _SEND_BYTES]))  # type: ignore[arg-type]


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
