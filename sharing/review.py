"""The review queue for clerks, on the command line and on the page: list it, look at a pair, give an opinion.

The rule of two, the masks and the log are functions of the database (`identity.review_pair`, `identity.give_opinion`),
so that there is one rule whoever asks; this is how Python calls them, under the role `cityhub_clerk`. It stands beside
the search, not in `identity`, because pages may read through this room alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from math import log2
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

from warehouse.database import Database, connection_error
from warehouse.errors import PermanentError

Verdict = Literal["same", "different"]
State = Literal["open", "disputed", "decided", "superseded"]
Via = Literal["command", "page"]
SubjectKind = Literal["resident", "enterprise"]
Asks = Literal["apart", "together"]

# What waits for somebody.
WAITING: tuple[State, ...] = ("open", "disputed")
# The first bar of a waterfall: how unlikely any two records are to be one subject.
PRIOR = "prior"
# The last one, where other records are as alike; weights are kept to a tenth of a thousandth of a bit.
RIVALS = "rivals"
ROUNDING = 0.05
# What stands beside the comparison for the clerk's orientation: that it differs speaks neither for nor against.
_CONTEXT = ("citizen_no_grade", "enterprise_grade", "role", "updated_at")
# SQLSTATEs of refusals: `identity` raises them with message, detail and hint of their own.
_REFUSALS = "RV"


class ReviewRefused(PermanentError):
    """An opinion, a question or a look that the rules of review do not allow; `code` tells which (RV001 … RV014)."""

    kind = "review"

    def __init__(self, code: str, what: str, *, where: str, expected: str, do: str) -> None:
        super().__init__(what, where=where, expected=expected, do=do)
        self.code = code

    @property
    def item_id(self) -> int | None:
        """The item that asks, or has decided, about the same records already."""
        found = re.search(r"item (\d+)", self.do) if self.code in ("RV010", "RV011") else None
        return None if found is None else int(found[1])


@dataclass(frozen=True)
class Item:
    """One pair of the queue, without any value of its records.

    Attributes:
        reason: between (the thresholds) | conflict (a constraint cut the link) | repair (a proposed number) | raised
            (somebody asked).
        waterfall: what each comparison added to the match weight, `{comparison, level, weight}`.
        opinion_count: opinions that count towards the next decision.
        decision: must_link | cannot_link in force, if any.
        proposals: repairs of a citizen number that this pair supports.
        asks: apart (they are one subject now) | together (they are two); with the other `raised_…` of a question that
            somebody raised, else None.
    """

    item_id: int
    subject_kind: str
    left_system: str
    left_table: str
    left_key: str
    right_system: str
    right_table: str
    right_key: str
    reason: str
    conflict: str | None
    probability: float | None
    match_weight: float | None
    waterfall: list[dict[str, Any]]
    state: State
    opened_at: datetime
    closed_at: datetime | None
    opinion_count: int
    decision: str | None
    decided_by: list[str] | None
    decided_at: datetime | None
    proposals: list[dict[str, Any]]
    asks: Asks | None
    raised_by: str | None
    raised_why: str | None
    raised_at: datetime | None

    @property
    def steps(self) -> list[Step]:
        """The match weight built up comparison by comparison; empty where the pair was never scored."""
        parts = [(str(part["comparison"]), str(part["level"]), float(part["weight"])) for part in self.waterfall]
        if not parts:
            return []
        total = sum(weight for _, _, weight in parts)
        if self.match_weight is not None and all(comparison != PRIOR for comparison, _, _ in parts):
            # What the comparisons leave unexplained is where any two records begin.
            parts.insert(0, (PRIOR, PRIOR, self.match_weight - total))
            total = self.match_weight
        if self.probability is not None and 0 < self.probability < 1:
            # Where several records are as alike, linkage shares the probability out among them.
            missing = log2(self.probability / (1 - self.probability)) - total
            if abs(missing) > ROUNDING:
                parts.append((RIVALS, RIVALS, missing))
        steps: list[Step] = []
        for comparison, level, weight in parts:
            before = steps[-1].after if steps else 0.0
            steps.append(Step(comparison, level, weight, before, before + weight))
        return steps


@dataclass(frozen=True)
class Step:
    """One bar of the waterfall: what a comparison added to the match weight, in bits."""

    comparison: str
    level: str
    weight: float
    before: float
    after: float


@dataclass(frozen=True)
class Compared:
    """One attribute of both records, masked.

    Attributes:
        comparison: same | different | visible_same | one_missing | both_missing | not_compared; found on the unmasked
            values.
        positions: characters that differ, counted from 1, where both values have one length.
    """

    attribute: str
    left_value: str | None
    right_value: str | None
    comparison: str
    positions: list[int]


@dataclass(frozen=True)
class Opinion:
    """What a clerk said; verdict and reason are None while they are kept from a clerk who has not spoken."""

    opinion_id: int
    clerk_name: str
    verdict: Verdict | None
    why: str | None
    given_at: datetime
    is_in_force: bool
    is_by_login: bool


@dataclass(frozen=True)
class Record:
    """A source record, written `system.table:key`."""

    system: str
    table_name: str
    record_key: str

    @classmethod
    def of(cls, written: str) -> Record:
        """The record that somebody wrote.

        Raises:
            ReviewRefused: it is not written as records are.
        """
        source, _, key = written.strip().partition(":")
        system, _, table_name = source.partition(".")
        if not (system and table_name and key):
            raise ReviewRefused(
                "RV008",
                "A record is not written as records are.",
                where=written.strip() or "(nothing)",
                expected="system.table:key, as the page of the subject shows it, e.g. care_homes.stays:ST0000001",
                do="copy it from the page of the subject",
            )
        return cls(system, table_name, key)

    def __str__(self) -> str:
        return f"{self.system}.{self.table_name}:{self.record_key}"


@dataclass(frozen=True)
class Question:
    """A question that was raised: whether `about` and `against` are to be apart, or together."""

    item_id: int
    subject_kind: SubjectKind
    asks: Asks
    about: Record
    against: Record


@dataclass(frozen=True)
class Outcome:
    """Where an item stands after an opinion; `decision_id` is set when this opinion completed a decision."""

    state: State
    decision: str | None
    decided_by: list[str] | None
    decision_id: int | None


def queue(
    db: Database,
    *,
    states: Sequence[State] = WAITING,
    subject_kind: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[Item], int]:
    """Items of these states, disputed first, then the likeliest, and how many there are in all."""
    wanted: Mapping[str, Any] = {"states": list(states), "kind": subject_kind, "limit": limit, "offset": offset}
    where = "state = any(%(states)s) and (%(kind)s::text is null or subject_kind = %(kind)s)"
    with _clerk(db) as connection, connection.cursor(row_factory=class_row(Item)) as cursor:
        items = cursor.execute(
            f"select * from identity.review_queue where {where}"
            " order by state <> 'disputed', probability desc nulls last, item_id limit %(limit)s offset %(offset)s",
            wanted,
        ).fetchall()
        count = connection.execute(f"select count(*) from identity.review_queue where {where}", wanted).fetchone()
    assert count is not None
    return items, int(count[0])


def show(
    db: Database, item_id: int, *, clerk: str, via: Via, login: str | None = None
) -> tuple[Item, list[Compared], list[Opinion]]:
    """One item with both records side by side. The look is entered in `ops.access_log` under the clerk's name.

    Args:
        login: issuer and subject of the identity provider that told the name; none: it is taken on trust.

    Raises:
        ReviewRefused: no such item, or nobody is named.
    """
    with _clerk(db) as connection:
        with connection.cursor(row_factory=class_row(Compared)) as cursor:
            pair = cursor.execute(
                "select * from identity.review_pair(%s, %s, %s, %s)", [item_id, clerk, via, login]
            ).fetchall()
        with connection.cursor(row_factory=class_row(Item)) as cursor:
            item = cursor.execute("select * from identity.review_queue where item_id = %s", [item_id]).fetchone()
        with connection.cursor(row_factory=class_row(Opinion)) as cursor:
            opinions = cursor.execute(
                "select * from identity.review_opinions(%s, %s, %s)", [item_id, clerk, login]
            ).fetchall()
    assert item is not None
    pair = [replace(row, comparison="not_compared") if row.attribute in _CONTEXT else row for row in pair]
    return item, pair, opinions


def give_opinion(
    db: Database, item_id: int, *, verdict: Verdict, clerk: str, why: str, login: str | None = None
) -> Outcome:
    """Say whether both records are the same subject. Two different people who agree make a decision.

    Raises:
        ReviewRefused: no such item, a part is missing, or the verdict contradicts certified numbers or decisions.
    """
    with _clerk(db) as connection, connection.cursor(row_factory=class_row(Outcome)) as cursor:
        outcome = cursor.execute(
            "select * from identity.give_opinion(%s, %s, %s, %s, %s)", [item_id, clerk, verdict, why, login]
        ).fetchone()
    assert outcome is not None
    return outcome


def raise_question(
    db: Database,
    about: Record,
    against: Record | None = None,
    *,
    clerk: str,
    why: str,
    via: Via,
    login: str | None = None,
    kind: SubjectKind | None = None,
) -> Question:
    """Have two people look at two records that linkage did not ask about.

    Args:
        about: the record in question.
        against: another one; none: the record that stands for the rest of its subject.
        kind: of the subject that is meant; needed only where the records speak of a resident and of an enterprise.

    Raises:
        ReviewRefused: no such records, already asked or decided, or certified numbers settle it.
    """
    with _clerk(db) as connection:
        row = connection.execute(
            "select * from identity.raise_question(%s, %s, %s, %s, %s, %s, %s)",
            [kind, _parts(about), None if against is None else _parts(against), clerk, why, via, login],
        ).fetchone()
    assert row is not None
    item_id, subject_kind, asks, asked, beside = row
    return Question(item_id, subject_kind, asks, Record(*asked), Record(*beside))


def _parts(record: Record) -> list[str]:
    return [record.system, record.table_name, record.record_key]


@contextmanager
def _clerk(db: Database) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection under the clerk's role; refusals of the database become errors that say what to do."""
    try:
        with db.psycopg("clerk") as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise connection_error(error, db.shown) from None
    except psycopg.Error as error:
        if not (error.sqlstate or "").startswith(_REFUSALS):
            raise
        told = error.diag
        raise ReviewRefused(
            str(error.sqlstate),
            told.message_primary or "",
            where="review",
            expected=told.message_detail or "",
            do=told.message_hint or "",
        ) from None
