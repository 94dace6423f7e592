"""Does raw hold exactly the source's rows? Keys of both sides are streamed, split by hash and compared part by part.

Only keys are read. Counts and digests of 64 partitions tell which of them differ; only those are looked into, one
after the other, so that memory is a sixty-fourth of the keys, whatever the table's size. The keys wait in files
without a name, which go with the process. Contents are the row hash's matter, not this module's.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import IO, Any
from uuid import uuid4

import polars as pl
import psycopg

from connectors.checks.values import read_frame, trimmed
from connectors.contract import SystemContract, TableContract
from connectors.contract.ddl import quote, quote_qualified
from connectors.transports import open_transport
from connectors.transports.base import CHUNK_ROWS
from warehouse.database import Database
from warehouse.errors import CityhubError
from warehouse.settings import Settings

PARTITIONS = 64
_SEPARATOR = "|"
# Sums of 44 bits of up to 2^20 hashes fit 64 bits; a frame is smaller than that.
_DIGEST_SHIFT = 20
_UTC = "to_char({} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || 'Z'"


@dataclass
class Reconciled:
    """One table compared.

    Attributes:
        source, raw: distinct readable keys on either side; rows of raw that are marked deleted do not count.
        unreadable: rows of the source whose key cannot be read; nobody can look for them.
        partitions: partitions whose counts or digests differ.
        quarantined: keys of the source that raw lacks and the quarantine holds: known, and not a difference.
        repaired: keys of raw that the source lacks because their row was repaired by workbook: likewise.
        kept: keys of an append table that its source no longer has: likewise, the hub keeps what was said.
        missing, surplus: keys that the source has and raw lacks, and the other way round: the difference.
        missing_keys, surplus_keys: the first of them by name; none where a key column is personal.
        error: why the table could not be compared.
    """

    system: str
    table: str
    source: int = 0
    raw: int = 0
    unreadable: int = 0
    partitions: int = 0
    quarantined: int = 0
    repaired: int = 0
    kept: int = 0
    missing: int = 0
    surplus: int = 0
    missing_keys: list[str] = field(default_factory=list)
    surplus_keys: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether raw and quarantine together are the source."""
        return self.error is None and not self.missing and not self.surplus


def reconcile_table(
    db: Database, settings: Settings, contract: SystemContract, table: TableContract, *, most_keys: int = 20
) -> Reconciled:
    """Compare a table with its source; a source that does not answer is told in `error`."""
    result = Reconciled(table.system, table.name)
    with closing(_Side()) as source, closing(_Side()) as raw:
        try:
            with closing(open_transport(settings, contract)) as transport:
                for frame in transport.pull(_keys_only(table), None).frames:
                    keys = _key_texts(table, frame)
                    result.unreadable += keys.null_count()
                    source.add(keys.drop_nulls())
        except CityhubError as error:
            result.error = str(error)
            return result
        with db.psycopg("pipeline") as connection:
            for frame in _raw_frames(connection, table):
                raw.add(_key_texts(table, frame))
            _compare(connection, table, source, raw, result, most_keys)
    return result


class _Side:
    """Keys of one side, split by hash: count and digest of each partition, the keys themselves on disk."""

    def __init__(self) -> None:
        self.counts = [0] * PARTITIONS
        self.digests = [0] * PARTITIONS
        # They live as long as the comparison.
        self._files: list[IO[bytes]] = [tempfile.TemporaryFile() for _ in range(PARTITIONS)]  # noqa: SIM115
        self._ends: list[list[int]] = [[] for _ in range(PARTITIONS)]

    def add(self, keys: pl.Series) -> None:
        """Take a frame's keys."""
        if keys.is_empty():
            return
        hashed = pl.DataFrame({"key": keys, "hash": keys.hash(seed=0)})
        hashed = hashed.with_columns(part=(pl.col("hash") % PARTITIONS).cast(pl.UInt8))
        for (part,), group in hashed.partition_by("part", as_dict=True).items():
            self.counts[part] += group.height
            self.digests[part] += int(group.select((pl.col("hash") // 2**_DIGEST_SHIFT).sum()).item())
            buffer = io.BytesIO()
            group.select("key").write_ipc(buffer)
            self._files[part].write(buffer.getbuffer())
            self._ends[part].append(self._files[part].tell())

    def keys(self, part: int) -> pl.Series:
        """The distinct keys of one partition."""
        frames, start = [], 0
        for end in self._ends[part]:
            self._files[part].seek(start)
            frames.append(pl.read_ipc(io.BytesIO(self._files[part].read(end - start))))
            start = end
        return pl.concat(frames).to_series().unique() if frames else pl.Series("key", [], pl.String)

    def close(self) -> None:
        """Let the files go."""
        for file in self._files:
            file.close()


def _compare(
    connection: psycopg.Connection[Any],
    table: TableContract,
    source: _Side,
    raw: _Side,
    result: Reconciled,
    most_keys: int,
) -> None:
    result.source, result.raw = sum(source.counts), sum(raw.counts)
    named = not any(table.column(name).is_personal for name in table.key)
    for part in range(PARTITIONS):
        if source.counts[part] == raw.counts[part] and source.digests[part] == raw.digests[part]:
            continue
        ours, theirs = raw.keys(part), source.keys(part)
        # A source may hold a key twice; only one of them can be in raw.
        result.source -= source.counts[part] - theirs.len()
        missing = theirs.filter(~theirs.is_in(ours.implode()))
        surplus = ours.filter(~ours.is_in(theirs.implode()))
        if missing.is_empty() and surplus.is_empty():
            continue
        result.partitions += 1
        refused = _known(connection, table, "match_key", missing)
        repaired = _known(connection, table, "repaired_key", surplus)
        result.quarantined += len(refused)
        result.repaired += len(repaired)
        missing = missing.filter(~missing.is_in(list(refused)))
        surplus = surplus.filter(~surplus.is_in(list(repaired)))
        if table.load_mode == "append":
            result.kept += surplus.len()
            surplus = surplus.clear()
        result.missing += missing.len()
        result.surplus += surplus.len()
        if named:
            result.missing_keys += missing.sort().head(most_keys - len(result.missing_keys)).to_list()
            result.surplus_keys += surplus.sort().head(most_keys - len(result.surplus_keys)).to_list()


def _known(connection: psycopg.Connection[Any], table: TableContract, column: str, keys: pl.Series) -> set[str]:
    """Those of the keys whose absence the quarantine explains."""
    found: set[str] = set()
    explains = "repaired_via = 'workbook'" if column == "repaired_key" else "true"
    for frame in keys.to_frame().iter_slices(CHUNK_ROWS):
        rows = connection.execute(
            f"select distinct {column} from quarantine.rejected_rows"
            f" where system = %s and table_name = %s and {column} = any(%s) and {explains}".encode(),
            [table.system, table.name, frame.to_series().to_list()],
        )
        found.update(row[0] for row in rows)
    return found


def _keys_only(table: TableContract) -> TableContract:
    """The table as if its key were all there is: a transport then asks for nothing else, and for every row."""
    columns = tuple(table.column(name) for name in table.key)
    return replace(table, columns=columns, rules=(), cursor=None, as_of_column=None)


def _raw_frames(connection: psycopg.Connection[Any], table: TableContract) -> Iterator[pl.DataFrame]:
    there = connection.execute("select to_regclass(%s)", [quote_qualified(table.qualified_name)]).fetchone()
    if there is None or there[0] is None:
        return
    shown = ", ".join(
        _UTC.format(quote(name)) if table.column(name).pg_type == "timestamptz" else f"{quote(name)}::text"
        for name in table.key
    )
    query = f"select {shown} from {quote_qualified(table.qualified_name)} where _deleted_at is null"
    with connection.cursor(f"reconcile_{uuid4().hex[:8]}") as cursor:
        cursor.execute(query.encode())
        while rows := cursor.fetchmany(CHUNK_ROWS):
            yield pl.DataFrame(rows, schema=dict.fromkeys(table.key, pl.String()), orient="row")


def _key_texts(table: TableContract, frame: pl.DataFrame) -> pl.Series:
    """Keys in one form for both sides, as the checks read them; null where a part is missing or cannot be read."""
    types = {name: table.column(name).pg_type for name in table.key}
    typed = read_frame(trimmed(frame.select(list(table.key))), types, table.timezone)
    return typed.select(
        key=pl.concat_str(pl.all().cast(pl.String), separator=_SEPARATOR, ignore_nulls=False)
    ).to_series()
