"""dbt, with database errors that quote no row: `python -m orchestration.terse_dbt build …`.

Postgres repeats values in its errors (`invalid input syntax for type date: "…"`, `Failing row contains (…)`), and dbt
writes what it is told into its log, its results and its output, from where Dagster keeps it. The driver has no setting
that stops this, so the error is shortened where dbt takes it from the driver: kind, SQLSTATE and, where Postgres names
nothing but tables, columns and constraints there, its first line. Which row it was, a query tells those who may see it.

dbt's file of debug messages is not written either, unless `DBT_LOG_LEVEL_FILE` asks for it: what matters is in the
output, and the file costs a fifth of a build.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2  # type: ignore[import-untyped]

# Classes of SQLSTATE whose first line names objects, never values: integrity, rights, names and syntax, resources, …
# Data exceptions (22) and whatever a function raises (P0) quote what they choked on.
_NAMING_CLASSES = frozenset({"08", "23", "25", "28", "40", "42", "53", "54", "55", "57", "58"})


def terse(error: psycopg2.Error) -> psycopg2.Error:
    """The same error without the values that its text quotes."""
    state = error.pgcode
    if state is None:
        # The driver's own: a connection that did not come about or was lost.
        return type(error)(f"{type(error).__name__}: the connection failed")
    said = (error.diag.message_primary or "") if state[:2] in _NAMING_CLASSES else ""
    return type(error)(f"{type(error).__name__} (SQLSTATE {state}){': ' if said else ''}{said}")


def install() -> None:
    """Have dbt's Postgres adapter shorten the errors it meets."""
    from dbt.adapters.postgres.connections import PostgresConnectionManager

    handled = PostgresConnectionManager.exception_handler

    @contextmanager
    def exception_handler(manager: Any, sql: str) -> Iterator[None]:
        with handled(manager, sql):
            try:
                yield
            except psycopg2.Error as error:
                raise terse(error) from None

    # By setattr: a type checker rightly forbids to assign a method.
    setattr(PostgresConnectionManager, "exception_handler", exception_handler)  # noqa: B010


def main() -> None:
    """Run dbt's own command line."""
    # Loading and parsing make many objects that stay: looking through them for garbage takes a fifth of that time.
    gc.set_threshold(100_000, 50, 100)
    os.environ.setdefault("DBT_LOG_LEVEL_FILE", "none")
    from dbt.cli.main import cli

    install()
    cli()


if __name__ == "__main__":
    main()
