"""Repair proposals: a mistyped citizen number that one slip turns into a number another record speaks for.

A proposal says which digits of which record look wrong and what supports that; it holds no number, changes none, and
two people must agree before linkage acts on it (a decision `must_link`). What supports a number that one slip explains
and that fits the record's own birth date and sex:

    another record certifies it under a compatible name, or
    it is the only one that gives the birth date of an uncertified record of the same name.

Cost follows change: only new and changed records are looked at. The candidates of the others are kept as tokens, so
that a supporting record may come later; the same records give the same proposals in whatever order they arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from identity.candidates import births, candidates, sexes
from identity.features.names import name_features
from warehouse.database import Database
from warehouse.tokens import citizen_tokens

Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]

_REPAIR_LOCK = 724_310_123
_KEY = ("system", "table_name", "record_key", "proposed_key")
_OTHER = ("other_system", "other_table", "other_key")
_STATEMENTS = {
    part.partition("\n")[0].strip(): part.partition("\n")[2]
    for part in Path(__file__).with_name("repair.sql").read_text(encoding="utf-8").split("-- :: ")[1:]
}
# Rows become visible up to a statement's longest time (CITYHUB_STATEMENT_TIMEOUT_SECONDS, one hour) after their
# `changed_at`, so supporting records are looked for from before the last look on. Finding one twice changes nothing.
_OVERLAP = "2 hours"
# Uncertified records of one birth date: about 30 in a district of 5.7 million; a default date has thousands.
_HOT_BIRTH = 500


@dataclass(frozen=True)
class Proposed:
    """What one look for repairs did.

    Attributes:
        examined: records with a mistyped number whose candidates were worked out anew.
        proposed: proposals added, opened again, or with a better supporter.
        superseded: open proposals that no longer hold.
        opened: review items opened.
    """

    examined: int
    proposed: int
    superseded: int
    opened: int


@dataclass(frozen=True)
class Proposal:
    """One proposal as it may be shown: places and reasons, no number."""

    proposal_id: int
    system: str
    table_name: str
    record_key: str
    kind: str
    position: int
    other_system: str
    other_table: str
    other_key: str
    evidence: dict[str, list[str]]
    state: str
    item_id: int | None
    proposed_at: datetime


def propose_repairs(database: Database, *, run_id: str) -> Proposed:
    """Look for repairs among new and changed records, in one transaction under one lock.

    Args:
        run_id: the run that proposals and review items are recorded under.
    """
    with database.psycopg("pipeline") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [_REPAIR_LOCK])
        _set(connection, run_id=run_id, overlap=_OVERLAP, hot_birth=str(_HOT_BIRTH))
        examined = proposed = superseded = 0
        past = connection.execute(_STATEMENTS["has_changed"]).fetchone()
        if past is not None:
            _set(connection, through="" if past[1] is None else past[1].isoformat())
            connection.execute(_STATEMENTS["touched"])
            examined = _work_out(connection)
            connection.execute(_STATEMENTS["hit"])
            proposed = _propose(connection)
            superseded = connection.execute(_STATEMENTS["supersede"]).rowcount
        # Records may have been linked or parted without any of them having changed.
        connection.execute(_STATEMENTS["placed"])
        connection.execute(_STATEMENTS["close_items"])
        opened = connection.execute(_STATEMENTS["open_items"]).rowcount
        connection.execute(_STATEMENTS["attach_items"])
    return Proposed(examined, proposed, superseded, opened)


def _set(connection: Connection, **values: str) -> None:
    """Settings of this transaction that the statements read."""
    for name, value in values.items():
        connection.execute("select set_config(%s, %s, true)", [f"cityhub.{name}", value])


def list_proposals(database: Database, *, state: str | None = None, limit: int = 50) -> list[Proposal]:
    """Proposals, newest first."""
    with database.psycopg("pipeline") as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "select proposal_id, system, table_name, record_key, kind, position, other_system, other_table, other_key,"
            " evidence, state, item_id, proposed_at from identity.repair_proposals"
            " where %(state)s::text is null or state = %(state)s order by proposal_id desc limit %(limit)s",
            {"state": state, "limit": limit},
        ).fetchall()
    return [Proposal(**row) for row in rows]


def _work_out(connection: Connection) -> int:
    """Candidates of the touched records, as tokens, in place of their earlier ones."""
    rows = connection.execute(
        "select system, table_name, record_key, written, birth_on, sex_code from touched where written is not null"
        " order by system, table_name, record_key"
    ).fetchall()
    connection.execute(_STATEMENTS["forget"])
    if not rows:
        return 0
    names = {"system": pl.String, "table_name": pl.String, "record_key": pl.String, "written": pl.String}
    records = pl.DataFrame(rows, schema=names | {"own_birth_on": pl.Date, "own_sex_code": pl.String}, orient="row")
    found = candidates(records.get_column("written"))
    number = found.get_column("number")
    found = found.with_columns(birth_on=births(number), sex_code=sexes(number)).join(
        records.drop("written").with_row_index("row").with_columns(pl.col("row").cast(pl.Int64)), on="row"
    )
    # Null: the record does not say, so nothing speaks against it.
    fits = (pl.col("birth_on") == pl.col("own_birth_on")).fill_null(True)
    fits &= (pl.col("sex_code") == pl.col("own_sex_code")).fill_null(True)
    found = found.filter(fits).with_columns(
        is_single=pl.len().over("system", "table_name", "record_key", "birth_on") == 1
    )
    tokens = citizen_tokens(found.get_column("number").to_list())
    columns = ("system", "table_name", "record_key", "kind", "position", "birth_on", "sex_code", "is_single")
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy identity.repair_candidates ({', '.join(columns)}, proposed_key) from stdin") as copy,
    ):
        for row, token in zip(found.select(columns).iter_rows(), tokens, strict=True):
            copy.write_row((*row, token))
    return len(rows)


def _propose(connection: Connection) -> int:
    """Write what a record of a compatible name supports: of several supporters the one that agrees in most."""
    connection.execute(_STATEMENTS["held"])
    if connection.execute("select 1 from hit limit 1").fetchone() is None:
        return 0
    connection.execute(_STATEMENTS["supported"])
    with connection.cursor(row_factory=dict_row) as reading:
        found = reading.execute(_STATEMENTS["read"]).fetchall()
    names = [pl.Series([row[side] for row in found], dtype=pl.String) for side in ("name", "other_name")]
    best: dict[tuple[str, ...], tuple[tuple[int | str, ...], Row]] = {}
    for row, is_compatible in zip(found, names_compatible(*names), strict=True):
        if not is_compatible:
            continue
        row["evidence"] = _evidence(row)
        rank = (len(row["evidence"]["differs"]) - len(row["evidence"]["agrees"]), *(row[name] for name in _OTHER))
        key = tuple(row[name] for name in _KEY)
        if key not in best or rank < best[key][0]:
            best[key] = (rank, row)
    columns = (*_KEY, "kind", "position", *_OTHER, "other_changed_at", "evidence")
    with connection.cursor() as cursor, cursor.copy(f"copy held ({', '.join(columns)}) from stdin") as copy:
        for _, row in best.values():
            copy.write_row([Jsonb(row[name]) if name == "evidence" else row[name] for name in columns])
    return connection.execute(_STATEMENTS["propose"]).rowcount


def names_compatible(left: pl.Series, right: pl.Series) -> pl.Series:
    """Whether two names may be one person's, row by row: equal in simplified characters, equal in sound (tones aside),
    or one gives only a surname (王女士) and it is the other's."""
    sides = [name_features(side).select("name", "surname", "sound", "is_surname_only") for side in (left, right)]
    frame = pl.concat([sides[0], sides[1].rename(lambda name: f"other_{name}")], how="horizontal")
    same = (pl.col("name") == pl.col("other_name")) | (pl.col("sound") == pl.col("other_sound"))
    surname = (pl.col("is_surname_only") | pl.col("other_is_surname_only")) & (
        pl.col("surname") == pl.col("other_surname")
    )
    return frame.select((same | surname).fill_null(False)).to_series()


def _evidence(row: Row) -> dict[str, list[str]]:
    """Names of the attributes in which both records agree or differ, taking the proposed number as read."""
    told = {"citizen_no": row["certifies"] or None, "name": True}
    told |= {name: row[f"{name}_agrees"] for name in ("birth_on", "sex_code", "phone", "home_address", "town_code")}
    return {
        "agrees": [name for name, agrees in told.items() if agrees],
        "differs": [name for name, agrees in told.items() if agrees is False],
    }
