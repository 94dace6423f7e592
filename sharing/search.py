"""Finding a subject by name, number or id, for pages and scripts under the reader role.

The comparing is done by the database function `shared.search_subjects`, which alone may look at unmasked columns and
enters every call in `ops.access_log`, without the value asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg.rows import class_row

from warehouse.database import Database, connection_error
from warehouse.errors import ConfigurationError
from warehouse.roles import Role

SubjectKind = Literal["resident", "enterprise"]

# More than a person looks through; the database allows 100.
MAX_ROWS = 20


@dataclass(frozen=True)
class Found:
    """One subject, as readers may see it.

    Attributes:
        identifier: citizen number (masked), or credit code or registration number.
        status: of an enterprise.
        matched_by: subject_id | citizen_no | uscc | registration_no | name | name_start | name_part.
    """

    subject_id: str
    name: str | None
    identifier: str | None
    town_code: str | None
    status: str | None
    record_count: int
    system_count: int
    matched_by: str


def search_subjects(
    db: Database, kind: SubjectKind, query: str, *, max_rows: int = MAX_ROWS, role: Role = "reader"
) -> list[Found]:
    """Subjects that a name (whole or its beginning; of a firm any part), a number or a subject id points to.

    A name needs two characters at least. Exact names come first.

    Raises:
        ConfigurationError: the kind of subject is unknown.
        TransientError: the database does not answer.
    """
    if kind not in ("resident", "enterprise"):
        raise ConfigurationError(
            "Unknown kind of subject.", where="search", expected="resident or enterprise", do="correct the kind"
        )
    try:
        # A connection of its own: the entry in the access log is committed even where the page reads without writing.
        with db.psycopg(role) as connection, connection.cursor(row_factory=class_row(Found)) as cursor:
            return cursor.execute(
                "select * from shared.search_subjects(%s, %s, %s)", [kind, query, max_rows]
            ).fetchall()
    except psycopg.OperationalError as error:
        raise connection_error(error, db.shown) from None
