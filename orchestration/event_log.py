"""Dagster's event log in SQLite, with its databases kept open between events.

Dagster's own class makes an engine, a connection and SQLAlchemy's first questions to the database anew for every event,
and most events go to two databases: 600 events took 7.5 s of CPU that way and take 2.7 s this way, and a daily run
writes 700. What is written, where and in which transactions is Dagster's own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData

# The index and the run under way are asked for all the time; a page of the web server walks through some runs more.
KEPT_OPEN = 8


class OpenSqliteEventLogStorage(SqliteEventLogStorage):
    """One SQLite database per run and an index over all, as Dagster lays them out below `$DAGSTER_HOME/history`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._open: dict[str, sqlalchemy.Engine] = {}
        self._opening = threading.RLock()
        super().__init__(base_dir, inst_data)  # Connects already.

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Nothing to configure: the place follows from Dagster's home, wherever that is moved to."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> OpenSqliteEventLogStorage:
        return cls(str(Path(os.environ["DAGSTER_HOME"]) / "history" / "runs"), inst_data)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[sqlalchemy.Connection]:
        """A transaction on a run's own database."""
        return self._transaction(str(run_id))

    def index_connection(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """A transaction on the database over all runs."""
        return self._transaction(INDEX_SHARD_NAME)

    def delete_events(self, run_id: str) -> None:
        self._close(run_id)
        super().delete_events(run_id)

    def wipe(self) -> None:
        for shard in tuple(self._open):
            self._close(shard)
        super().wipe()

    def dispose(self) -> None:
        for shard in tuple(self._open):
            self._close(shard)
        super().dispose()

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        engine = self._engine(shard)
        with self._db_lock, engine.connect() as connection, connection.begin():
            yield connection

    def _engine(self, shard: str) -> sqlalchemy.Engine:
        with self._opening:
            engine = self._open.pop(shard, None)
            if engine is None:
                with self._connect(shard):
                    pass  # Dagster creates or migrates the database on its own first connection.
                waiting = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
                engine = sqlalchemy.create_engine(self.conn_string_for_shard(shard), connect_args=waiting)
                if len(self._open) >= KEPT_OPEN:
                    self._close(next(iter(self._open)))
            # Last in the order of use: the first is closed when there are too many.
            self._open[shard] = engine
            return engine

    def _close(self, shard: str) -> None:
        with self._opening:
            engine = self._open.pop(shard, None)
        if engine is not None:
            engine.dispose()
