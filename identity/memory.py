"""What linkage remembers from one run to the next beside the ledgers: the features of every record, as Parquet.

Features of millions of records are read in a second from here, against a minute from their tables. The files are a
copy, never the truth: they name the run they belong to, and where that is not the newest linkage everything is read
anew. A day writes what it changed, beside the files of the days before; once that is a tenth of the whole, the whole.
They hold personal values, so they lie in the hub's home for its owner's eyes alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from identity.faces import Hot
from identity.features.records import KEY
from identity.model import Kind

_GONE = "_is_gone"
# Parts are joined on every recall: few and small ones cost less than writing everything every day.
_MOST_PARTS, _MOST_SHARE = 30, 0.1


@dataclass(frozen=True)
class Remembered:
    """What a linkage left behind.

    Attributes:
        parts: the files it consists of, oldest first, with their rows.
        hot: the values that were hot then.
        chance: the prior then.
    """

    features: pl.DataFrame
    parts: list[tuple[str, int]]
    hot: Hot
    chance: float


class Memory:
    """The features of the last linkage, in `<home>/linkage/`."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "linkage"

    def recall(self, kind: Kind, run_id: str) -> Remembered | None:
        """What this run left behind; None when it left nothing that can be read."""
        index = self._index(kind, run_id)
        if not index.exists():
            return None
        try:
            told = json.loads(index.read_text("utf-8"))
            parts = [(str(name), int(rows)) for name, rows in told["parts"]]
            features = self._read(parts)
        except (OSError, ValueError, KeyError, pl.exceptions.PolarsError):
            return None
        hot = Hot(*(pl.Series(told["hot"][name], dtype=pl.String) for name in ("phones", "births")))
        return Remembered(features, parts, hot, told["chance"])

    def keep(self, kind: Kind, run_id: str, features: pl.DataFrame, hot: Hot, chance: float) -> None:
        """Keep the features of all records; older ones stay until `forget`, should the run be undone."""
        name = self._write(kind, run_id, features)
        self._write_index(kind, run_id, [(name, features.height)], hot, chance)

    def keep_changes(
        self, kind: Kind, run_id: str, before: Remembered, changed: pl.DataFrame, gone: pl.DataFrame, hot: Hot
    ) -> None:
        """Keep what differs from before, or everything where it is time to; `before` needs no features any more."""
        rows = changed.height + gone.height
        changed_count = sum(count for _, count in before.parts[1:]) + rows
        if changed_count > _MOST_SHARE * before.parts[0][1] or len(before.parts) >= _MOST_PARTS:
            others = self._read(before.parts).join(pl.concat([changed.select(KEY), gone]), on=KEY, how="anti")
            everything = pl.concat([others, changed.join(gone, on=KEY, how="anti")])
            self.keep(kind, run_id, everything, hot, before.chance)
            return
        news = pl.concat(
            [changed.with_columns(pl.lit(False).alias(_GONE)), gone.select(*KEY, pl.lit(True).alias(_GONE))],
            how="diagonal",
        )
        name = self._write(kind, run_id, news)
        self._write_index(kind, run_id, [*before.parts, (name, rows)], hot, before.chance)

    def forget(self, kind: Kind, but: str) -> None:
        """Remove what other runs left behind."""
        index = self._index(kind, but)
        if not index.exists():
            return
        kept = {index.name, *(name for name, _ in json.loads(index.read_text("utf-8"))["parts"])}
        for path in self._folder.glob(f"{kind}-*"):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def _read(self, parts: list[tuple[str, int]]) -> pl.DataFrame:
        """Of every record what the newest part that names it says."""
        first, *later = (pl.read_parquet(self._folder / name) for name, _ in parts)
        if not later:
            return first
        news = pl.concat(later).unique(KEY, keep="last", maintain_order=True)
        return pl.concat([first.join(news, on=KEY, how="anti"), news.filter(~pl.col(_GONE)).select(first.columns)])

    def _write(self, kind: Kind, run_id: str, rows: pl.DataFrame) -> str:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{kind}-{run_id}.parquet"
        partial = path.with_suffix(".partial")
        partial.touch(mode=0o600)
        # lz4 writes in half the time of zstd, and a day is read once.
        rows.write_parquet(partial, compression="lz4", statistics=False)
        partial.replace(path)
        return path.name

    def _write_index(self, kind: Kind, run_id: str, parts: list[tuple[str, int]], hot: Hot, chance: float) -> None:
        path = self._index(kind, run_id)
        told: dict[str, Any] = {
            "parts": parts,
            "hot": {"phones": hot.phones.to_list(), "births": hot.births.to_list()},
            "chance": chance,
        }
        partial = path.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(told), encoding="utf-8")
        partial.replace(path)

    def _index(self, kind: Kind, run_id: str) -> Path:
        return self._folder / f"{kind}-{run_id}.json"
