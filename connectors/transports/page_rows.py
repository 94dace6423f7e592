"""Items of several pages on their way to one frame, since every frame costs its checks some milliseconds.

Columns are made page by page, while the service works on the next: made for all at once, they would keep it waiting.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import chain
from operator import itemgetter, methodcaller
from typing import Any

import polars as pl

from connectors.contract import TableContract
from connectors.transports.base import text_column
from connectors.transports.received import positions

Item = Mapping[str, Any]


class PageRows:
    """Rows of a table, column by column, each with its page and its place there."""

    def __init__(self, table: TableContract) -> None:
        self._names = table.column_names
        self._parts: list[pl.DataFrame] = []
        self._pages: list[int] = []
        self._indexes: list[int] = []
        self._digests: set[int] = set()
        self._clear()

    @property
    def height(self) -> int:
        """Rows waiting."""
        return len(self._pages)

    def add(self, number: int, items: Sequence[Item]) -> bool:
        """Take a page's items; False, and nothing taken, where a page before held the same."""
        values = self._values(items)
        digest = hash(tuple(map(_digest, values.values())))
        if digest in self._digests:
            return False
        self._digests.add(digest)
        self._parts.append(pl.DataFrame([text_column(name, column) for name, column in values.items()]))
        self._pages += [number] * len(items)
        self._indexes += range(len(items))
        return True

    def _values(self, items: Sequence[Item]) -> dict[str, Sequence[Any]]:
        """The items column by column."""
        try:
            # Half the time of asking each item for each name, and seldom does one lack any.
            rows = map(itemgetter(*self._names, self._names[0]), items)
            return dict(zip(self._names, zip(*rows, strict=True), strict=False))
        except KeyError:
            return {name: [item.get(name) for item in items] for name in self._names}

    def frame(self) -> pl.DataFrame:
        """What waited, as received."""
        frame = pl.concat(self._parts, rechunk=True).with_columns(positions(page=self._pages, index=self._indexes))
        self._clear()
        return frame

    def _clear(self) -> None:
        self._parts = []
        self._pages, self._indexes = [], []


def names_of(items: Sequence[Item]) -> list[str]:
    """Every name that any of the items has, in the order of their coming."""
    first = items[0].keys()
    if all(map(first.__eq__, map(methodcaller("keys"), items))):
        return list(first)
    return list(dict.fromkeys(chain.from_iterable(items)))


def _digest(values: Sequence[Any]) -> int:
    """Not kept beyond the pull, so it need not be the same in another process."""
    try:
        return hash(values if isinstance(values, tuple) else tuple(values))
    except TypeError:
        # Lists and objects within a row.
        return hash(tuple(value if isinstance(value, Hashable) else repr(value) for value in values))
