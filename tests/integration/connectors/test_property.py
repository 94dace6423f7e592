"""Law 1 over random tables and random dirt: every row read is counted once, and raw with quarantine is the source."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.database import Database

KEYS = st.sampled_from(["A", "B", "C", "D", "E|1", "", None, "键"])
TEXTS = st.one_of(
    st.none(), st.text(max_size=6), st.sampled_from(["", ",", '"', "\\.", "\\N", "a\x00b", "😀", "\n", "a\r\nb", ")"])
)
AMOUNTS = st.sampled_from(["1", "2.505", "-3", "1e3", "x", "99999999999", None, "１２"])
TIMES = st.sampled_from(["2026-06-30 08:00:00", "2026-06-30 09:00:00", "1000-01-01 00:00:00", "soon", None])
ROWS = st.lists(st.tuples(KEYS, TEXTS, AMOUNTS, TIMES), max_size=12)


@pytest.mark.parametrize("mode", ["snapshot", "incremental", "append"])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(deliveries=st.lists(ROWS, min_size=1, max_size=3))
def test_every_row_is_in_raw_or_in_quarantine(
    database: Database, kit: Any, make_row: Any, raw: Any, mode: str, deliveries: list[list[tuple[Any, ...]]]
) -> None:
    contract = kit.contract("sql", mode, shrinkMaxShare=1.0)
    with database.psycopg("pipeline") as connection:
        connection.execute("drop schema if exists raw_fire_safety cascade")
    with database.psycopg("owner") as connection:
        connection.execute("truncate ops.batches, ops.source_states, quarantine.rejected_rows cascade")
    for delivery in deliveries:
        rows = [make_row(k, name=t, fee_cny=a, updated_at=u, level=None) for k, t, a, u in delivery]
        kit.sqlite(rows)
        result = kit.land(database, contract, full=True)
        assert result.read == len(rows)
        if result.state == "held":
            # A column of which no value can be read, and most rows have one: the batch is kept whole, raw as it was.
            assert "no longer reads as" in (result.reason or "")
            assert result.quarantined == len(rows)
            continue
        assert result.state == "admitted"
        assert result.read == result.inserted + result.updated + result.unchanged + result.quarantined
        live = {r[0] for r in raw(database, contract, live=False)}
        refused = _refused(database, result.batch_id)
        for row in rows:
            key, name = (row[0] or "").strip(), row[1]
            marked = tuple(None if v is None else v.replace("\x00", "\u2400") for v in (row[0], name, row[4], row[7]))
            assert key in live or marked in refused
        before = raw(database, contract, live=False)
        again = kit.land(database, contract, full=True)
        # A repeated key is told again that its earlier versions were overtaken; raw does not move.
        assert (again.inserted, again.deleted, raw(database, contract, live=False)) == (0, 0, before)


def _refused(database: Database, batch_id: int) -> set[tuple[Any, ...]]:
    with database.psycopg("pipeline") as connection:
        rows = connection.execute(
            "select payload from quarantine.rejected_rows where last_batch_id = %s", [batch_id]
        ).fetchall()
    return {tuple(payload[name] for name in ("site_no", "name", "fee_cny", "updated_at")) for (payload,) in rows}
