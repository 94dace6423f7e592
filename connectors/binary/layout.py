"""Values of many rows put to, or taken from, their places in one block of bytes, without a loop over rows.

A text is moved in words of 16 bytes, so up to 15 bytes behind it are overwritten: who writes a block writes what lies
there afterwards, and leaves a word behind its end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

WORD = 16
# The most bytes of a text that lie in its view (Arrow's string view), and not in a buffer beside.
SHORT = 12


def items_of(block: Bytes, dtype: DTypeLike) -> NDArray[Any]:
    """The block seen as items of a type, one beginning at every byte."""
    size = np.dtype(dtype).itemsize
    return np.ndarray(shape=(max(len(block) - size + 1, 0),), dtype=dtype, buffer=block, strides=(1,))


def ends_of(lengths: Places) -> Places:
    """Where values that lie one behind the other begin, and where the last one ends."""
    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    return ends


def place(block: Bytes, places: Places, items: NDArray[Any]) -> None:
    """Write one item of fixed size at each place."""
    kind = f"V{items.dtype.itemsize}"
    items_of(block, kind)[places] = np.ascontiguousarray(items).view(kind).ravel()


def move(block: Bytes, places: Places, source: Bytes, starts: Places, lengths: Places) -> None:
    """Copy values of differing lengths from their starts in the source to their places in the block."""
    words = (lengths + (WORD - 1)) // WORD
    ends = ends_of(words) * WORD
    steps, first, kind = np.arange(0, ends[-1], WORD), ends[:-1], f"V{WORD}"
    sources, targets = np.repeat(starts - first, words) + steps, np.repeat(places - first, words) + steps
    # In the order of the rows: what a value's last word writes too much, the next value writes over.
    items_of(block, kind)[targets] = items_of(source, kind)[sources]
