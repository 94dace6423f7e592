"""A table of one system for tests of single transports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stamina

from connectors.contract import ColumnContract, SystemContract, TableContract

TYPES = {"case_no": "text", "seq": "integer", "at": "timestamptz", "note": "text"}


def build(transport: Any, **own: Any) -> SystemContract:
    """A system `parking` with the table `cases`."""
    columns = tuple(
        ColumnContract(name, pg_type, name in ("case_no", "seq"), name, name, "internal")
        for name, pg_type in TYPES.items()
    )
    values: dict[str, Any] = {
        "system": "parking",
        "name": "cases",
        "version": "1.0.0",
        "zh": "案件",
        "en": "Cases",
        "load_mode": "snapshot",
        "columns": columns,
        "key": ("case_no", "seq"),
        "cursor": None,
        "source_name": "cases",
        "source_format": None,
        "encoding": None,
        "rules": (),
        "volume_min": 0,
        "volume_max": 1000,
        "shrink_max_share": 0.2,
        "reject_max_share": 0.05,
        "freshness_hours": 36,
        "overlap_minutes": 60,
        "as_of_column": None,
        "timezone": "Asia/Shanghai",
        "raw_schema": "raw_parking",
    } | own
    table = TableContract(**values)
    return SystemContract("parking", "1.0.0", "停车", "Parking", "traffic", transport, "Asia/Shanghai", (table,))


@pytest.fixture
def contract() -> Callable[..., SystemContract]:
    return build


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    """Retries happen as in earnest, without their pauses."""
    with stamina.set_testing(True, attempts=3):
        yield
