"""Rows as received, as columns and as a COPY's bytes: both let some out, join, and come back from a file."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import polars as pl
import pytest

from connectors.binary.layout import WORD
from connectors.transports.copied import Copied, CopyForm
from connectors.transports.received import Columns, Received, positions

TEXTS = ["", "短", None, "a text of more than twelve bytes", "twelve bytes", "再一个超过十二个字节的文本"]


def columns(first: int, texts: list[str | None]) -> Columns:
    place = positions(row=range(first, first + len(texts)))
    return Columns(pl.DataFrame([pl.Series("name", texts, dtype=pl.String), place]))


def copied(first: int, texts: list[str | None]) -> Copied:
    rows = [
        struct.pack(">hi", 1, -1) if t is None else struct.pack(">hi", 1, len(t.encode())) + t.encode() for t in texts
    ]
    block = np.frombuffer(b"".join(rows) + bytes(WORD), np.uint8)
    sizes = np.array([len(row) for row in rows], np.int64)
    layout = CopyForm(("name",), ("text",), frozenset())
    return Copied(layout, block, sizes, np.arange(first, first + len(rows)))


def told(received: Received) -> list[tuple[Any, ...]]:
    return [(name, place["row"]) for name, place in received.frame.rows()]


@pytest.mark.parametrize("make", [columns, copied])
def test_some_rows_of_one_part_and_all_of_another_come_back_from_a_file(make: Any) -> None:
    first, second = make(1, TEXTS), make(7, TEXTS[::-1])
    is_wanted = np.array([True, False, True, True, False, True])
    both = first.only(is_wanted).joined([second])
    expected = [(TEXTS[n], n + 1) for n in (0, 2, 3, 5)] + [(text, 7 + n) for n, text in enumerate(TEXTS[::-1])]
    assert told(both) == expected
    file = io.BytesIO()
    read = both.write(file)
    assert told(read(file.getvalue())) == expected


@pytest.mark.parametrize("make", [columns, copied])
def test_hash_is_of_the_values_and_not_of_the_place(make: Any) -> None:
    seeds = [1, 2]
    hashes = make(1, TEXTS).hashes(seeds)
    assert hashes.shape == (len(TEXTS), 2)
    assert len(np.unique(hashes)) == 2 * len(TEXTS)
    assert (make(90, TEXTS[3:]).hashes(seeds) == hashes[3:]).all()
    assert (make(1, TEXTS).only(np.arange(len(TEXTS)) > 2).hashes(seeds) == hashes[3:]).all()
