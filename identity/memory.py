"""What linkage remembers from one run to the next beside the ledgers: the features of every record, as Parquet.

Features of millions of records are read in a second from here, against a minute from their tables. The file is a
copy, never the truth: it names the run it belongs to, and where that is not the newest linkage everything is read anew.
It holds personal values, so it lies in the hub's home for its owner's eyes alone.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from identity.model import Kind


class Memory:
    """The features of the last linkage, in `<home>/linkage/`."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "linkage"

    def recall(self, kind: Kind, run_id: str) -> pl.DataFrame | None:
        """The features that this run left behind; None when it left none that can be read."""
        path = self._path(kind, run_id)
        if not path.exists():
            return None
        try:
            return pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError):
            return None

    def keep(self, kind: Kind, run_id: str, features: pl.DataFrame) -> None:
        """Keep the features of this run; older ones stay until `forget`, should the run be undone."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(kind, run_id)
        partial = path.with_suffix(".partial")
        partial.touch(mode=0o600)
        features.write_parquet(partial, compression="zstd", statistics=False)
        partial.replace(path)

    def forget(self, kind: Kind, but: str) -> None:
        """Remove what other runs left behind."""
        if self._folder.exists():
            for path in self._folder.glob(f"{kind}-*"):
                if path != self._path(kind, but):
                    path.unlink(missing_ok=True)

    def _path(self, kind: Kind, run_id: str) -> Path:
        return self._folder / f"{kind}-{run_id}.parquet"
