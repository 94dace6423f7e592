"""Runs checks with Great Expectations: one ephemeral context per process, one data source per schema.

First every check with `BOOLEAN_ONLY`, which costs one aggregate query; then those that failed once more, for a count
and nothing else. GX would hand back the offending values: it is asked for none (`partial_unexpected_count: 0`), what it
returns is read by name, and its own logger is silent because its error texts quote values.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from types import ModuleType
from typing import Any

import psycopg

from expectations.checks import Check, Outcome, Status
from warehouse.database import Database
from warehouse.settings import Settings

_BOOLEAN: dict[str, Any] = {"result_format": "BOOLEAN_ONLY"}
_COUNTS: dict[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": 0}
# GX wants an address of a certain form; connections are opened by `Database`, so it never learns the real one.
_ADDRESS = "postgresql+psycopg://cityhub@localhost/cityhub"


def load_great_expectations() -> ModuleType:
    """Import GX, quietly. The first call of a process takes 2.6 s, half of it scipy, altair and pydantic models that
    its package imports whatever one uses of it.

    It also imports every engine that it finds. The one for Spark, which linkage may use, and a second driver, which dbt
    uses, take 31 MB of each process that lands, so they are not found here.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with _hidden("pyspark"), _hidden("psycopg2"):
        import great_expectations

    logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
    return great_expectations


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Have imports find no such package, unless it is loaded already."""
    if package in sys.modules:
        yield
        return
    # What Python itself writes down for a module that is not to be imported.
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


class Runner:
    """Evaluates checks over tables of one warehouse."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._timeout_ms = settings.statement_timeout_seconds * 1000
        self._sources: dict[str, Any] = {}
        self._context: Any = None
        self._numbers = count(1)
        # GX keeps state of its own in the context: one gate at a time.
        self._lock = threading.Lock()

    def run(self, schema: str, table: str, checks: Sequence[Check]) -> list[Outcome]:
        """What came of each check, in order. A check that cannot be evaluated has failed."""
        if not checks:
            return []
        gx_interfaces = _interfaces()
        with self._lock:
            source = self._source(schema)
            try:
                # A name of its own each time: GX remembers batches by name, and a stage of the same name comes back.
                asset = source.add_table_asset(f"{table}#{next(self._numbers)}", table_name=table)
            except gx_interfaces.TestConnectionError:
                return [_unknown(check) for check in checks]
            try:
                batch = asset.add_batch_definition_whole_table("all").get_batch()
                first = self._validate(batch, checks, _BOOLEAN)
                again = [check for check in checks if not first[check.name]["success"]]
                counted = self._validate(batch, again, _COUNTS) if again else {}
            finally:
                source.delete_asset(asset.name)
        return [_outcome(check, first[check.name]["success"], counted.get(check.name)) for check in checks]

    def close(self) -> None:
        """Close the connections; the next check opens new ones."""
        for source in self._sources.values():
            source.get_engine().dispose()

    def _validate(self, batch: Any, checks: Sequence[Check], result_format: dict[str, Any]) -> dict[str, Any]:
        gx = load_great_expectations()
        expectations = [
            getattr(gx.expectations, check.expectation)(**check.arguments, meta={"check": check.name})
            for check in checks
        ]
        suite = gx.ExpectationSuite(name="checks", expectations=expectations)
        results = batch.validate(suite, result_format=result_format)
        return {result.expectation_config.meta["check"]: result for result in results.results}

    def _source(self, schema: str) -> Any:
        if schema not in self._sources:
            if self._context is None:
                self._context = _context()
            self._sources[schema] = self._context.data_sources.add_postgres(
                schema, connection_string=_ADDRESS, kwargs={"creator": lambda: self._connect(schema)}
            )
        return self._sources[schema]

    def _connect(self, schema: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that finds the schema's tables by their name (a schema in the asset is deprecated in GX)."""
        connection = self._db.psycopg("pipeline")
        connection.execute(
            "select set_config('search_path', quote_ident(%s), false), set_config('statement_timeout', %s, false),"
            " set_config('application_name', 'cityhub gate', false)",
            [schema, str(self._timeout_ms)],
        )
        connection.commit()
        return connection


def _interfaces() -> ModuleType:
    load_great_expectations()
    from great_expectations.datasource.fluent import interfaces

    return interfaces


def _context() -> Any:
    """A context in memory, without docs sites and progress bars.

    It saves nothing: writing its own configuration to YAML after every asset took a sixth of a gate's time.
    """
    gx = load_great_expectations()
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    class _Unsaved(EphemeralDataContext):
        def _save_project_config(self) -> None: ...

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = _Unsaved(project_config=config)
    # The process's current context: suites look it up when they are made.
    gx.data_context.data_context.context_factory.project_manager.set_project(context)
    return context


def _outcome(check: Check, success: bool, result: Any) -> Outcome:
    if success:
        return Outcome(check.name, check.severity, "passed", check.expected)
    if result is None or _raised(result.exception_info):
        return _unknown(check)
    status: Status = "failed" if check.severity == "error" else "warned"
    return Outcome(check.name, check.severity, status, check.expected, _observed(check, result.result))


def _unknown(check: Check) -> Outcome:
    """Not evaluated: failed, a mere warning too, for nobody knows. GX's own text may quote a row and is dropped."""
    return Outcome(check.name, "error", "failed", f"{check.expected} (could not be evaluated)")


def _observed(check: Check, result: dict[str, Any]) -> float | None:
    if check.observes == "value":
        value = result.get("observed_value")
    elif check.observes == "share":
        rows = result.get("element_count")
        value = result["unexpected_count"] / rows if rows and "unexpected_count" in result else None
    else:
        value = result.get("unexpected_count")
    return float(value) if isinstance(value, int | float) else None


def _raised(info: Any) -> bool:
    """GX gives one exception record, or one per metric."""
    if not info:
        return False
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(bool(item.get("raised_exception")) for item in info.values() if isinstance(item, dict))
