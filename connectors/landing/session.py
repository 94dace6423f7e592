"""The database session a table is landed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from connectors.contract import TableContract
from warehouse.database import Database, connection_error


@contextmanager
def landing_session(db: Database, table: TableContract) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A session of the pipeline whose text forms of values, and so its row hashes, do not depend on the server."""
    try:
        connection = db.psycopg("pipeline")
    except psycopg.OperationalError as error:
        raise connection_error(error, db.shown) from None
    with connection:
        connection.execute(
            "select set_config('datestyle', 'ISO, YMD', false), set_config('timezone', 'UTC', false),"
            " set_config('application_name', %s, false)",
            [f"cityhub landing {table.qualified_name}"],
        )
        connection.commit()
        yield connection
