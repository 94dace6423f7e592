"""Which rows of a complete pull raw holds as they are, known when they come: they are not checked or written again.

Of each of raw's rows half of its hash is kept in memory, 8 bytes, sorted. What is not found there is staged. Behind the
last row Postgres is told which raw rows did not come, by their place, so that it reads these and no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray

from connectors.binary.layout import Bytes
from connectors.contract import TableContract
from connectors.contract.ddl import quote_qualified
from connectors.landing.names import UNMATCHED, VANISHED, key_list, same_key

Connection = psycopg.Connection[tuple[Any, ...]]

# 45 MB. A table with more rows is compared in Postgres (`sift`), which is slower and takes no memory here.
MOST_ROWS = 5_000_000
# Some 50,000 rows: what one query hands over.
_PAGES = 1_024
_PAGE_BYTES = 8_192


class Known:
    """The rows of raw that are not marked deleted.

    Attributes:
        live: how many there are.
        matched: rows that came and are among them.
        has_repeats: a row of raw came twice.
    """

    def __init__(self, halves: NDArray[np.uint64]) -> None:
        halves.sort()
        self._halves = halves
        self._came = np.zeros(len(halves), np.bool_)
        self.live = len(halves)
        self.matched = 0
        self.has_repeats = False

    def take(self, hashes: Bytes) -> NDArray[np.bool_]:
        """Which of the rows with these hashes (16 bytes each) raw holds."""
        halves = _halves(hashes)
        if not self.live:
            return np.zeros(len(halves), np.bool_)
        # In their order the lookups stay in the processor's cache.
        order = np.argsort(halves)
        places = np.minimum(np.searchsorted(self._halves, halves[order]), self.live - 1)
        is_known = self._halves[places] == halves[order]
        found = places[is_known]
        self.has_repeats |= bool(self._came[found].any() or (found[1:] == found[:-1]).any())
        self._came[found] = True
        self.matched += len(found)
        known = np.zeros(len(halves), np.bool_)
        known[order[is_known]] = True
        return known

    def note_unmatched(self, connection: Connection, table: TableContract) -> None:
        """List the places of raw's rows that did not come, in the session."""
        missing = self._halves[~self._came]
        lines = []
        if len(missing):
            for rows in _listed(connection, table, "uuid_send(_row_hash) || tidsend(ctid)", 22):
                places = rows[np.isin(_halves(rows[:, :16]), missing), 16:]
                if len(places):
                    lines.append(_lines(places))
        connection.execute(f"create temp table {UNMATCHED} (place tid)".encode())
        with connection.cursor().copy(f"copy {UNMATCHED} from stdin".encode()) as copy:
            for block in lines:
                copy.write(block)
        connection.execute(f"analyze {UNMATCHED}".encode())


def load_known(connection: Connection, table: TableContract) -> Known | None:
    """What raw holds; None where that is too much to be kept in memory."""
    # Room for the most there may be: what is not written to takes no memory.
    halves, end = np.empty(MOST_ROWS, np.uint64), 0
    for rows in _listed(connection, table, "uuid_send(_row_hash)", 16):
        if end + len(rows) > MOST_ROWS:
            return None
        halves[end : end + len(rows)] = _halves(rows)
        end += len(rows)
    return Known(halves[:end])


def is_key_once(connection: Connection, table: TableContract, stage: str) -> bool:
    """Whether no key came twice, given what is staged and what of raw did not come: a staged row may stand for no raw
    row but one of those."""
    raw, staged = quote_qualified(table.qualified_name), quote_qualified(stage)
    connection.execute(f"analyze {staged}".encode())
    # Counted: `exists` has Postgres plan for the first row it finds, of which there is none in a million.
    row = connection.execute(
        f"""
select
    (select count(*) from (select 1 from {staged} group by {key_list(table)} having count(*) > 1) as repeated) = 0
    and (
        select count(*) from {staged} as s inner join {raw} as r on {same_key(table, "s", "r")}
        where r._deleted_at is null and not exists (select 1 from {UNMATCHED} as u where u.place = r.ctid)
    ) = 0""".encode()
    ).fetchone()
    return row is not None and bool(row[0])


def note_vanished(connection: Connection, table: TableContract, stage: str) -> None:
    """Of the raw rows that did not come those whose key did not come either."""
    connection.execute(
        f"""
create temp table {VANISHED} as
select {key_list(table, "r")}
from {UNMATCHED} as u
inner join {quote_qualified(table.qualified_name)} as r on r.ctid = u.place
where not exists (select 1 from {quote_qualified(stage)} as s where {same_key(table, "s", "r")})""".encode()
    )


def _listed(connection: Connection, table: TableContract, told: str, size: int) -> Iterator[Bytes]:
    """What is `told`, so many bytes, of raw's rows that are not marked deleted, many in one value."""
    raw = quote_qualified(table.qualified_name)
    (length,) = connection.execute("select pg_relation_size(%s::regclass)", [raw]).fetchone() or (0,)
    query = (
        f"select string_agg({told}, ''::bytea) from {raw}"
        " where ctid >= %s::tid and ctid < %s::tid and _deleted_at is null"
    )
    for page in range(0, -(-length // _PAGE_BYTES), _PAGES):
        bounds = [f"({page},0)", f"({page + _PAGES},0)"]
        (found,) = connection.execute(query.encode(), bounds, binary=True).fetchone() or (None,)
        if found is not None:
            yield np.frombuffer(found, np.uint8).reshape(-1, size)


def _halves(hashes: Bytes) -> NDArray[np.uint64]:
    return np.ascontiguousarray(hashes[:, :8]).view(np.uint64).ravel()


def _lines(places: Bytes) -> bytes:
    """Places as COPY takes them: `(page,row)`."""
    whole = np.ascontiguousarray(places)
    frame = pl.DataFrame(
        {
            "page": np.ascontiguousarray(whole[:, :4]).view(">u4").ravel().astype(np.uint32),
            "row": np.ascontiguousarray(whole[:, 4:]).view(">u2").ravel().astype(np.uint16),
        }
    )
    lines: str = frame.select(pl.format("({},{})", "page", "row").str.join("\n")).item()
    return lines.encode() + b"\n"
