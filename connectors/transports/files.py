"""Pulls from drop folders: `<root>/<YYYY-MM-DD>/<file>`, local or wherever fsspec reaches (`sftp://user@host/path`).

A folder counts once its `_manifest.json` is there: `{"files": {name: {"rows": n, "sha256": hex}}}`, written last. A
local file is read only after its digest agrees, so a truncated one never yields a row. A remote one comes once: text is
read as it comes and counts only if the digest agrees at its end, formats that need random access are copied first.
Snapshot tables take the newest drop; append tables take every drop after the cursor, in order.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import IO, Any

import fsspec
import polars as pl

from connectors.contract import SystemContract, TableContract
from connectors.transports.base import CHUNK_ROWS, Pull, extra_columns_note, positions, require_columns, text_column
from connectors.transports.clock import midnight
from connectors.transports.formats import Row, Source, open_reader
from connectors.transports.login import Login
from warehouse.errors import CityhubError, ConfigurationError, HeldBatch, PermanentError, TransientError
from warehouse.settings import mask_url

MANIFEST = "_manifest.json"
BLOCK_BYTES = 1 << 20
# Formats that are read from start to end; the others jump about in their file.
SEQUENTIAL = ("csv", "jsonl")


@dataclass(frozen=True)
class Drop:
    """One complete dated folder."""

    day: date
    path: str
    files: dict[str, dict[str, Any]]


class FileTransport:
    """Dated drops of one department."""

    def __init__(self, url: str, contract: SystemContract, login: Login | None = None) -> None:
        self.contract = contract
        self._url = url
        self._login = login or Login(contract.system)
        self._opened: tuple[Any, str] | None = None

    @property
    def address(self) -> str:
        return mask_url(self._url) if "://" in self._url else self._url

    def check(self) -> None:
        with self._guard():
            drop = self._newest()
            for table in self.contract.tables:
                self._require_file(table, drop)
                with self._file(table, drop) as (stream, name):
                    source = Source(stream, name, table)
                    header = next(iter(open_reader(source)))
                    require_columns(table, [str(name) for name in header], source.name)

    def pull(self, table: TableContract, cursor: str | None) -> Pull:
        pull = Pull(iter(()), is_complete=table.load_mode != "append", cursor=cursor)
        pull.batches = self._batches(table, cursor, pull)
        return pull

    def close(self) -> None:
        if self._opened is not None and self._is_sftp:
            from connectors.transports.sftp import close_sftp

            close_sftp(self._opened[0])
        self._opened = None

    def _batches(self, table: TableContract, cursor: str | None, pull: Pull) -> Iterator[pl.DataFrame]:
        with self._guard():
            drops = self._due(table, cursor)
            for drop in drops:
                pull.as_of, pull.cursor = midnight(drop.day, table.timezone), drop.day.isoformat()
                declared = self._require_file(table, drop)
                pull.source_total = (pull.source_total or 0) + declared
                with self._open(table, drop) as source:
                    yield from _frames(source, declared, pull)

    def _due(self, table: TableContract, cursor: str | None) -> list[Drop]:
        newest = self._newest()
        if cursor is not None and newest.day.isoformat() < cursor:
            raise HeldBatch(
                f"The newest complete drop is of {newest.day}, older than the one of {cursor} already taken.",
                where=f"{table.system}.{table.name} ({self.address})",
                expected=f"the drop of {cursor} or a newer one",
                do="ask the owner where the newer drops went; to take the older state on purpose run a full pull",
            )
        if table.load_mode != "append":
            return [newest]
        after = [day for day in self._days() if cursor is None or day.isoformat() > cursor]
        return [drop for drop in map(self._drop, after) if drop is not None]

    def _newest(self) -> Drop:
        for day in reversed(self._days()):
            drop = self._drop(day)
            if drop is not None:
                return drop
        raise TransientError(
            "There is no complete drop yet.",
            where=self.address,
            expected=f"a folder named YYYY-MM-DD that holds {MANIFEST}",
            do="wait for the owner's delivery",
        )

    def _days(self) -> list[date]:
        fs, root = self._root()
        # Not fs.isdir and fs.exists: they take a broken line for a missing folder.
        try:
            is_folder = fs.info(root)["type"] == "directory"
        except (FileNotFoundError, NotADirectoryError):
            is_folder = False
        if not is_folder:
            raise PermanentError(
                "The drop folder does not exist.",
                where=self.address,
                expected="a folder with one folder per day",
                do=f"correct CITYHUB_SOURCE_{self.contract.system.upper()}_URL or create the folder",
            )
        names = (str(path).rstrip("/").rpartition("/")[2] for path in fs.ls(root, detail=False))
        return sorted(day for day in map(_day, names) if day is not None)

    def _drop(self, day: date) -> Drop | None:
        """The drop of that day; None while its manifest is missing: it is still being written."""
        fs, root = self._root()
        path = f"{root}/{day.isoformat()}"
        try:
            files = json.loads(fs.cat_file(f"{path}/{MANIFEST}"))["files"]
            return Drop(day, path, {str(name): dict(entry) for name, entry in files.items()})
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise HeldBatch(
                "The manifest of a drop cannot be read.",
                where=f"{day}/{MANIFEST} at {self.address}",
                expected='{"files": {name: {"rows": n, "sha256": hex}}}',
                do="ask the owner to deliver the drop again",
            ) from None

    def _require_file(self, table: TableContract, drop: Drop) -> int:
        """Rows the manifest declares for the table's file."""
        entry = drop.files.get(table.source_name, {})
        rows = entry.get("rows")
        if not isinstance(rows, int) or not isinstance(entry.get("sha256"), str):
            raise HeldBatch(
                f"The drop lacks the file {table.source_name}.",
                where=f"{table.system}.{table.name} ({drop.day}/{MANIFEST} at {self.address})",
                expected=f"{table.source_name} with its rows and sha256 in the manifest",
                do="ask the owner to deliver the drop again, complete",
            )
        return rows

    @contextmanager
    def _file(self, table: TableContract, drop: Drop) -> Iterator[tuple[IO[bytes], str]]:
        """The file of a table, opened, and its name as it may be printed."""
        fs, _ = self._root()
        name = f"{drop.day.isoformat()}/{table.source_name}"
        try:
            file = fs.open(f"{drop.path}/{table.source_name}", "rb")
        except FileNotFoundError:
            raise HeldBatch(
                f"The manifest names {table.source_name}, but the file is not there.",
                where=f"{table.system}.{table.name} ({name} at {self.address})",
                expected="every file of the manifest in its folder",
                do="ask the owner to deliver the drop again, complete",
            ) from None
        with file:
            yield file, name

    @contextmanager
    def _open(self, table: TableContract, drop: Drop) -> Iterator[Source]:
        """The file of a table; left without error it is proven to be the one the manifest describes."""
        digest = str(drop.files[table.source_name]["sha256"]).lower()
        with self._file(table, drop) as (file, name):
            if self._is_local:
                source = Source(file, name, table)
                _prove(Digested(file), digest, source)
                file.seek(0)
                yield source
                return
            watched = Digested(self._windowed(file))
            if table.source_format in SEQUENTIAL:
                source = Source(io.BufferedReader(watched, BLOCK_BYTES), name, table)
                try:
                    yield source
                except HeldBatch:
                    # Whatever a reader stumbles over, that the file is not whole is the better reason.
                    _prove(watched, digest, source)
                    raise
                _prove(watched, digest, source)
                return
            with tempfile.TemporaryFile() as copy:
                source = Source(copy, name, table)
                _prove(watched, digest, source, copy)
                copy.seek(0)
                yield source

    @property
    def _is_sftp(self) -> bool:
        return self._url.startswith(("sftp://", "ssh://"))

    @property
    def _is_local(self) -> bool:
        protocol = self._root()[0].protocol
        return "file" in (protocol if isinstance(protocol, tuple) else (protocol,))

    def _windowed(self, file: IO[bytes]) -> IO[bytes]:
        if not self._is_sftp:
            return file
        from connectors.transports.sftp import reader

        return reader(file)

    def _root(self) -> tuple[Any, str]:
        if self._opened is None:
            self._opened = self._connect()
        return self._opened

    def _connect(self) -> tuple[Any, str]:
        if self._is_sftp:
            from connectors.transports.sftp import open_sftp

            return open_sftp(self._url, self._login)
        try:
            fs, root = fsspec.core.url_to_fs(self._url)
        except (ValueError, ImportError):
            raise ConfigurationError(
                "The address of the drop folder cannot be read.",
                where=f"environment variable CITYHUB_SOURCE_{self.contract.system.upper()}_URL",
                expected="a local path, or a URL like sftp://user@host/path",
                do="correct the variable",
            ) from None
        return fs, str(root).rstrip("/")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Tells the file system's own errors apart."""
        try:
            yield
        except _errors("AuthenticationException", PermissionError) as error:
            raise self._failure(PermanentError, "refuses us", error, "check user, key and rights") from None
        except _errors("SSHException", OSError, EOFError) as error:
            raise self._failure(TransientError, "cannot be read", error, "wait for the next run") from None

    def _failure(self, kind: type[CityhubError], what: str, error: Exception, do: str) -> CityhubError:
        return kind(
            f"The drop folder {what} ({type(error).__name__}).",
            where=f"{self.contract.system} at {self.address}",
            expected="a folder this machine may read",
            do=do,
        )


def _errors(ssh: str, *own: type[Exception]) -> tuple[type[Exception], ...]:
    """`own`, and paramiko's exception of that name where fsspec loaded it: local folders need not pay its import."""
    paramiko = sys.modules.get("paramiko")
    return own if paramiko is None else (getattr(paramiko, ssh), *own)


def _day(name: str) -> date | None:
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return None
    return day if day.isoformat() == name else None


class Digested(io.RawIOBase):
    """A stream whose bytes are hashed as they pass."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        block = self._stream.read(len(target))
        target[: len(block)] = block
        self.digest.update(block)
        return len(block)


def _prove(watched: Digested, digest: str, source: Source, copy: IO[bytes] | None = None) -> None:
    """Read on to the end, into `copy` where there is one, and compare with what the manifest says."""
    while block := watched.read(BLOCK_BYTES):
        if copy is not None:
            copy.write(block)
    if watched.digest.hexdigest() != digest:
        raise source.held(
            "The file is not the one its manifest describes: it was truncated or changed.",
            expected="the SHA-256 digest of the manifest",
        ) from None


def _frames(source: Source, declared: int, pull: Pull) -> Iterator[pl.DataFrame]:
    table = source.table
    reader = open_reader(source)
    header = next(reader)
    assert isinstance(header, list)
    if len(set(header)) != len(header):
        raise source.held("The header names a column twice.", expected="every column once")
    extra = require_columns(table, header, source.name)
    note = extra_columns_note(extra)
    if extra and note not in pull.warnings:
        pull.warnings.append(note)
    places = [header.index(name) for name in table.column_names]
    read = 0
    while chunk := [row for row in islice(reader, CHUNK_ROWS) if isinstance(row, tuple)]:
        read += len(chunk)
        yield _frame(table, source.name, chunk, places)
    if read != declared:
        raise source.held(f"The file holds {read} rows.", expected=f"{declared} rows, as its manifest declares")


def _frame(table: TableContract, name: str, rows: list[Row], places: list[int]) -> pl.DataFrame:
    columns = list(zip(*(values for _, values in rows), strict=True))
    texts = [text_column(column, columns[place]) for column, place in zip(table.column_names, places, strict=True)]
    return pl.DataFrame([*texts, positions({"file": name}, "line", [line for line, _ in rows])])
