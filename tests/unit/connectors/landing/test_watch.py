"""What a whole batch says of its source: a column that changed its type, rows that are not in the promised order."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from connectors.checks import check_batch
from connectors.contract import TableContract, load_contracts
from connectors.landing.watch import OrderWatch, TypeWatch
from warehouse.errors import HeldBatch

RESIDENTS = load_contracts()["civil_affairs"].table("residents")


def frame(table: TableContract, **columns: Sequence[str | None]) -> pl.DataFrame:
    rows = max(len(values) for values in columns.values())
    good = {"person_no": [f"P{n}" for n in range(rows)], "name": ["甲"] * rows, "updated_at": ["2026-06-30"] * rows}
    values = {name: [None] * rows for name in table.column_names} | good | columns
    return pl.DataFrame(values, schema=dict.fromkeys(table.column_names, pl.String()))


def watch(*frames: pl.DataFrame) -> TypeWatch:
    found = TypeWatch(RESIDENTS)
    for one in frames:
        found.see(one, check_batch(RESIDENTS, one, tokens=lambda numbers: list(numbers)).rejections)
    return found


BAD, GOOD = "Jan 1949", "1949-12-31"


@pytest.mark.parametrize(
    "days",
    [
        [[BAD] * 3],
        [[BAD] * 3 + [None] * 3],
        [[BAD] * 3 + ["", " "]],
        # In a column that few rows fill, over several frames.
        [[BAD] * 10 + [None] * 400, [BAD] * 10 + [None] * 400],
    ],
)
def test_a_column_of_which_no_value_can_be_read_holds_the_batch(days: list[list[str | None]]) -> None:
    with pytest.raises(HeldBatch, match="birth_on no longer reads as date") as caught:
        watch(*(frame(RESIDENTS, birth_on=values) for values in days)).require_types()
    assert BAD not in str(caught.value)
    assert f"none of {sum(values.count(BAD) for values in days)} values" in str(caught.value)


@pytest.mark.parametrize(
    "days",
    [
        [[BAD] * 2],
        [[BAD] * 30 + [GOOD]],
        [[BAD] * 30, [GOOD], [BAD] * 30],
        [[None] * 5],
        # Three clerks who did not know, among many who had nothing to write.
        [[BAD] * 3 + [None] * 4],
        [[BAD] * 19 + [None] * 400],
    ],
)
def test_values_that_may_be_dirt_do_not(days: list[list[str | None]]) -> None:
    watch(*(frame(RESIDENTS, birth_on=values) for values in days)).require_types()


@pytest.mark.parametrize(
    ("times", "holds"),
    [
        ([["2026-06-30 08:00:00", "2026-06-30 08:00:00", "2026-06-30 09:00:00"], ["2026-06-30 09:00:00"]], True),
        # The same instant comes earlier on the clock of another zone.
        ([["2026-06-30 08:00:00", "2026-06-30T01:00:00+00:00"]], True),
        ([["2026-06-30 08:00:00", None, "soon", "2026-06-30 09:00:00"]], True),
        ([["2026-06-30 09:00:00", "2026-06-30 08:00:00"]], False),
        ([["2026-06-30 09:00:00"], ["2026-06-30 08:00:00"], ["2026-06-30 10:00:00"]], False),
        # As text 9 comes before 10, as a time too.
        ([["2026/6/9 08:00", "2026/6/10 08:00"]], True),
    ],
)
def test_order_is_by_the_instants_meant(times: list[list[str | None]], holds: bool) -> None:
    order = OrderWatch(RESIDENTS)
    for values in times:
        order.see(frame(RESIDENTS, updated_at=values))
    assert order.holds is holds
