"""Keeps a pull within the rows a second that its source allows. What a row costs the source is not known here."""

from __future__ import annotations

import time


class Budget:
    """Paces blocks of rows so that no second sees more of them than allowed.

    Rows are asked for a tenth of a second's worth at a time. After each block the pull rests for as long as its rows
    take at nine tenths of the rate; the last tenth is what a block may add to the second it ends in.
    """

    def __init__(self, rows_per_second: int | None, block_rows: int) -> None:
        self._rate = rows_per_second
        self.block_rows = block_rows if rows_per_second is None else max(1, min(block_rows, rows_per_second // 10))

    def rest(self, rows: int) -> None:
        """Wait until the next block may be asked for."""
        if self._rate is not None and rows:
            time.sleep(rows / max(1, self._rate - self.block_rows))
