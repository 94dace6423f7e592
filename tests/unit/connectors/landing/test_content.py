"""Hashes of rows as received: what makes them equal, and what they stand for beside the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import polars as pl

from connectors.contract import load_contracts
from connectors.landing.content import RowHashes, marked, typed_hashes
from connectors.transports.received import Columns

RESIDENTS = load_contracts()["civil_affairs"].table("residents")


def tokens(numbers: Sequence[str]) -> list[str]:
    return [f"token of {number}" for number in numbers]


def received() -> pl.DataFrame:
    """Two equal rows, then one for each column in which it differs from them."""
    row = {name: f"value of {name}" for name in RESIDENTS.column_names}
    rows = [row, row, *({**row, name: None} for name in row)]
    return pl.DataFrame(rows, schema=dict.fromkeys(row, pl.String())).with_row_index("_position")


def test_equal_rows_have_equal_hashes_and_others_have_not() -> None:
    frame = received()
    hashes = RowHashes(RESIDENTS, tokens).of(Columns(frame))
    assert len(np.unique(hashes, axis=0)) == frame.height - 1
    # Where a row stands and what stands beside it is nothing to its hash.
    assert (RowHashes(RESIDENTS, tokens).of(Columns(frame[5:7])) == hashes[5:7]).all()


def test_values_that_change_their_columns_make_another_row() -> None:
    row = dict.fromkeys(RESIDENTS.column_names, "x")
    swapped = [{**row, "name": "a", "phone": "b"}, {**row, "name": "b", "phone": "a"}]
    one, other = RowHashes(RESIDENTS, tokens).of(Columns(pl.DataFrame(swapped)))
    assert (one[:8] != other[:8]).any()
    assert (one[8:] != other[8:]).any()


def test_a_row_is_looked_at_again_under_another_contract_and_another_key() -> None:
    column = replace(RESIDENTS.columns[0], rules=())
    contract = replace(RESIDENTS, columns=(column, *RESIDENTS.columns[1:]))
    frame = received()
    first = RowHashes(RESIDENTS, tokens).of(Columns(frame))
    for other in (RowHashes(contract, tokens), RowHashes(RESIDENTS, lambda numbers: ["another" for _ in numbers])):
        assert (other.of(Columns(frame))[:, :8] != first[:, :8]).any(axis=1).all()


def test_a_marked_hash_is_not_found_by_the_half_that_is_kept_in_memory() -> None:
    hashes = RowHashes(RESIDENTS, tokens).of(Columns(received()[:2]))
    found = marked(hashes, np.array([False, True]))
    assert (found[0] == hashes[0]).all()
    assert (found[1, :8] != hashes[1, :8]).any()
    assert (hashes[0] == hashes[1]).all()


def test_the_same_values_are_the_same_content_however_they_were_written() -> None:
    frame = pl.DataFrame({"day": [date(2024, 1, 2)] * 2, "at": [datetime(2024, 1, 2), None]})
    one, other = typed_hashes(frame)
    assert one != other
    assert typed_hashes(frame[:1])[0] == one
