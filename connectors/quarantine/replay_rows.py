"""Which rows a replay takes, and what they say: those a workbook repaired, or all refused under another version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl
import psycopg

from connectors.contract import TableContract
from connectors.quarantine.decisions import decide
from connectors.quarantine.workbook import REPLAY, TOO_LONG, WAIVE, Answer, same_text
from connectors.transports.base import CHUNK_ROWS
from connectors.transports.received import positions

Connection = psycopg.Connection[tuple[Any, ...]]
Content = Mapping[str, str | None]

_OLDER_ROWS = """
select q.rejected_id, q.status, q.payload
from quarantine.rejected_rows as q
inner join ops.batches as b on b.batch_id = q.last_batch_id
where q.system = %s and q.table_name = %s and q.status in ('open', 'sent') and b.contract_version <> %s
order by q.rejected_id"""


@dataclass(frozen=True)
class Row:
    """A row to be replayed. `digest` is of its content, `in_company` of all rows replayed with it too: whether a key
    repeats depends on them."""

    rejected_id: int
    status: str
    content: Content
    digest: str
    in_company: str = ""

    @property
    def json(self) -> str:
        """The row as jsonb takes it, which refuses NUL."""
        return json.dumps({name: value and value.replace("\x00", "\u2400") for name, value in self.content.items()})


@dataclass
class Chosen:
    """The rows to be replayed, and how many are not: withdrawn, left as they were, settled or judged before."""

    rows: list[Row] = field(default_factory=list)
    waived: int = 0
    untouched: int = 0
    known: int = 0


def repaired_rows(connection: Connection, table: TableContract, answers: Sequence[Answer], by: str) -> Chosen:
    """The rows that someone repaired in a workbook; withdrawn ones are waived on the way."""
    stored = {
        row[0]: row[1:]
        for row in connection.execute(
            "select rejected_id, status, payload, repair from quarantine.rejected_rows where rejected_id = any(%s)",
            [[answer.rejected_id for answer in answers]],
        )
    }
    chosen = Chosen()
    for answer in answers:
        status, payload, repair = stored[answer.rejected_id]
        if status not in ("open", "sent"):
            chosen.known += 1
        elif answer.action == WAIVE:
            chosen.waived += decide(connection, [answer.rejected_id], "waived", via="workbook", by=by, why=answer.note)
        else:
            shown = repair or payload
            content = {name: _taken(answer, name, shown) for name in table.column_names}
            if answer.action != REPLAY and all(content[name] == shown.get(name) for name in content):
                chosen.untouched += 1
            else:
                chosen.rows.append(_row(answer.rejected_id, status, content))
    return chosen


def has_older_rows(connection: Connection, table: TableContract) -> bool:
    """Whether rows wait that were refused under another version of the contract."""
    row = connection.execute(
        f"select exists ({_OLDER_ROWS})".encode(), [table.system, table.name, table.version]
    ).fetchone()
    return row is not None and bool(row[0])


def older_rows(connection: Connection, table: TableContract) -> Chosen:
    """Open rows refused under another version; as received, columns the contract gained are empty."""
    found = connection.execute(_OLDER_ROWS.encode(), [table.system, table.name, table.version])
    names = table.column_names
    return Chosen(
        [_row(number, status, {name: payload.get(name) for name in names}) for number, status, payload in found]
    )


def leave_judged(connection: Connection, table: TableContract, chosen: Chosen) -> Chosen:
    """Without the rows that were judged before with this content under this contract: nothing is replayed twice."""
    judged = set(
        connection.execute(
            "select rejected_id, content_digest from quarantine.decisions"
            " where rejected_id = any(%s) and contract_version = %s",
            [[row.rejected_id for row in chosen.rows], table.version],
        )
    )
    company = _digest(sorted(row.digest for row in chosen.rows))
    rows = [replace(row, in_company=_digest([row.digest, company])) for row in chosen.rows]
    fresh = [row for row in rows if not {(row.rejected_id, row.digest), (row.rejected_id, row.in_company)} & judged]
    return replace(chosen, rows=fresh, known=chosen.known + len(rows) - len(fresh))


def frames(table: TableContract, rows: Sequence[Row]) -> Iterator[pl.DataFrame]:
    """The rows as a transport would bring them; their position is their id."""
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        columns = [pl.Series(name, [row.content[name] for row in chunk], pl.String) for name in table.column_names]
        yield pl.DataFrame([*columns, positions(rejected_id=[row.rejected_id for row in chunk])])


def _row(rejected_id: int, status: str, content: Content) -> Row:
    return Row(rejected_id, status, content, _digest(content))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _taken(answer: Answer, name: str, shown: Content) -> str | None:
    """A field as it is now meant: the cell, or what stood there where nobody changed it."""
    before = shown.get(name)
    if name not in answer.cells:
        return before
    cell = answer.cells[name]
    return before if cell == TOO_LONG or same_text(cell, before) else cell
