"""What a row held as it came, in 128 bits, to tell before it is looked at that it is as it was.

The hash is Polars's own over the values as received, or over the bytes in which they came. It also stands for what
they were held against: the contract, the checks' own code, the key of tokens. So a row whose hash raw holds has been
found good before, in every respect that would be looked at again. A row that breaks a rule which only warns keeps a
marked hash: it is checked, and counted, each time it comes.

The hash is never the last word. Polars promises the same within one of its versions only, contracts and checks change,
and a value may be written in another way: rows whose hashes differ are compared by value (`merge`), and where only the
hash moved, it is written anew without a word. Any such change costs one pull in which every row is compared, and shows
nobody a change.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from connectors import checks, identifiers
from connectors.binary.layout import Bytes
from connectors.checks.batch import Tokens
from connectors.contract import TableContract
from connectors.transports.received import Received

# A citizen number that nobody has; its token tells one key from another.
_NOBODY = "000000000000000000"
_MARK = 0x80


class RowHashes:
    """Hashes of one table's rows: 16 bytes each, of which the first 8 are enough to tell ten million rows apart."""

    def __init__(self, table: TableContract, tokens: Tokens) -> None:
        self._told = [repr(table), pl.__version__, _code_of_checks()]
        if any(column.identifier == "citizen_no" for column in table.columns):
            self._told += tokens([_NOBODY])
        self._seeds: dict[str, list[int]] = {}

    def of(self, received: Received) -> Bytes:
        """A row of 16 bytes for each row."""
        if received.form not in self._seeds:
            told = "\n".join([*self._told, received.form])
            digest = blake2b(told.encode(), digest_size=16).digest()
            self._seeds[received.form] = [int(seed) for seed in np.frombuffer(digest, np.uint64)]
        halves = received.hashes(self._seeds[received.form])
        return np.ascontiguousarray(halves).view(np.uint8).reshape(-1, 16)


def marked(hashes: Bytes, is_warned: NDArray[np.bool_]) -> Bytes:
    """The hashes under which good rows are kept."""
    kept = hashes.copy()
    kept[is_warned, 0] ^= _MARK
    return kept


def typed_hashes(good: pl.DataFrame) -> pl.Series:
    """64 bits of the typed values: rows of one batch that hold the same have the same, however they were written."""
    return good.hash_rows(0).reinterpret(signed=True)


@cache
def _code_of_checks() -> str:
    files = [*Path(checks.__file__).parent.glob("*.py"), Path(identifiers.__file__)]
    return blake2b(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()
