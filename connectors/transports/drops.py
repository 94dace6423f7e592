"""Which drops there are, which are complete, and which a table takes next. Reading their files belongs in `files`.

A folder `<YYYY-MM-DD>` counts once its `_manifest.json` is there: `{"files": {name: {"rows": n, "sha256": hex}}}`,
written last. A table whose contract says `manifest: optional` also takes a file without one, once nobody has written
to it for a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from connectors.contract import TableContract
from warehouse.errors import HeldBatch, PermanentError, TransientError

MANIFEST = "_manifest.json"
NO_DROP = "There is no complete drop yet."
# How long a file without a manifest must have been left alone. Uploads pause for seconds, not for a minute.
QUIET_SECONDS = 60


@dataclass(frozen=True)
class Drop:
    """A complete file of one day.

    Attributes:
        rows, digest: what the manifest promises; None where there is none.
        state: size and time of change of a file without a manifest.
    """

    day: date
    path: str
    rows: int | None = None
    digest: str | None = None
    state: tuple[int, float] | None = None


class DropFolder:
    """The dated folders of one system."""

    def __init__(self, fs: Any, root: str, address: str, system: str) -> None:
        self._fs = fs
        self._root = root
        self._address = address
        self._system = system
        self._manifests: dict[date, dict[str, Any]] = {}

    def due(self, table: TableContract, cursor: str | None, taken: Collection[date] = ()) -> list[Drop]:
        """What the table takes next, in order.

        A snapshot: the newest drop, also when it was taken before. An append table: every drop that was not taken,
        and from the earliest of these on the taken ones again, so that of a key sent in several drops the latest
        state stays whatever the order of their arrival. Where no drop is recorded as taken the cursor decides.

        Raises:
            HeldBatch: the newest drop is older than the one taken before, or lacks the table's file.
            TransientError: there is no complete drop.
        """
        newest = self.newest(table)
        if cursor is not None and newest.day.isoformat() < cursor:
            raise HeldBatch(
                f"The newest complete drop is of {newest.day}, older than the one of {cursor} already taken.",
                where=f"{table.system}.{table.name} ({self._address})",
                expected=f"the drop of {cursor} or a newer one",
                do="ask the owner where the newer drops went; to take the older state on purpose run a full pull",
            )
        if table.load_mode != "append":
            return [newest]
        days = self.days()
        if cursor is not None and not taken:
            days = [day for day in days if day.isoformat() > cursor]
        known = set(taken) if cursor is not None else set()
        drops: list[Drop] = []
        for day in days:
            if day not in known or drops:
                drop = newest if day == newest.day else self._drop(table, day)
                drops += [] if drop is None else [drop]
        return drops

    def newest(self, table: TableContract) -> Drop:
        """The newest complete drop of a table."""
        for day in reversed(self.days()):
            drop = self._drop(table, day)
            if drop is not None:
                return drop
        quiet = "" if table.needs_manifest else f", or {table.source_name} untouched for {QUIET_SECONDS} s"
        raise TransientError(
            NO_DROP,
            where=self._address,
            expected=f"a folder named YYYY-MM-DD that holds {MANIFEST}{quiet}",
            do="wait for the owner's delivery",
        )

    def days(self) -> list[date]:
        """All dated folders, oldest first."""
        # Not fs.isdir and fs.exists: they take a broken line for a missing folder.
        try:
            is_folder = self._fs.info(self._root)["type"] == "directory"
        except (FileNotFoundError, NotADirectoryError):
            is_folder = False
        if not is_folder:
            raise PermanentError(
                "The drop folder does not exist.",
                where=self._address,
                expected="a folder with one folder per day",
                do=f"correct CITYHUB_SOURCE_{self._system.upper()}_URL or create the folder",
            )
        names = (str(path).rstrip("/").rpartition("/")[2] for path in self._fs.ls(self._root, detail=False))
        return sorted(day for day in map(_day, names) if day is not None)

    def state(self, path: str) -> tuple[int, float] | None:
        """Size and time of change of a file; None where it is not there."""
        try:
            info = self._fs.info(path)
        except FileNotFoundError:
            return None
        changed = info.get("mtime") or self._fs.modified(path)
        return int(info["size"]), changed.timestamp() if isinstance(changed, datetime) else float(changed)

    def _drop(self, table: TableContract, day: date) -> Drop | None:
        """The table's file of that day; None while it is still being written."""
        folder = f"{self._root}/{day.isoformat()}"
        path = f"{folder}/{table.source_name}"
        files = self._manifest(day, folder)
        if files is not None and (table.needs_manifest or table.source_name in files):
            entry = files.get(table.source_name)
            rows, digest = (entry.get("rows"), entry.get("sha256")) if isinstance(entry, dict) else (None, None)
            if not isinstance(rows, int) or not isinstance(digest, str):
                raise HeldBatch(
                    f"The drop lacks the file {table.source_name}.",
                    where=f"{table.system}.{table.name} ({day}/{MANIFEST} at {self._address})",
                    expected=f"{table.source_name} with its rows and sha256 in the manifest",
                    do="ask the owner to deliver the drop again, complete",
                )
            return Drop(day, path, rows, digest.lower())
        state = None if table.needs_manifest else self.state(path)
        if state is None or time.time() - state[1] < QUIET_SECONDS:
            return None
        return Drop(day, path, state=state)

    def _manifest(self, day: date, folder: str) -> dict[str, Any] | None:
        if day not in self._manifests:
            try:
                self._manifests[day] = dict(json.loads(self._fs.cat_file(f"{folder}/{MANIFEST}"))["files"])
            except FileNotFoundError:
                return None
            except (ValueError, KeyError, TypeError, AttributeError):
                raise HeldBatch(
                    "The manifest of a drop cannot be read.",
                    where=f"{day}/{MANIFEST} at {self._address}",
                    expected='{"files": {name: {"rows": n, "sha256": hex}}}',
                    do="ask the owner to deliver the drop again",
                ) from None
        return self._manifests[day]


def _day(name: str) -> date | None:
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return None
    return day if day.isoformat() == name else None
