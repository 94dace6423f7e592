"""Pulls from drop folders: `<root>/<YYYY-MM-DD>/<file>`, local or wherever fsspec reaches (`sftp://user@host/path`).

A local file is inspected before it is read: one that is truncated or wrongly encoded never yields a row. A remote one
comes once: text is read as it comes and counts only if it stood the inspection at its end, formats that need random
access are copied first. Which drops are complete, and which are due, is decided in `drops`.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import islice
from typing import IO, Any

import fsspec
import polars as pl

from connectors.contract import SystemContract, TableContract
from connectors.transports.base import CHUNK_ROWS, Pull, require_columns, text_column
from connectors.transports.clock import midnight
from connectors.transports.csv_file import Block
from connectors.transports.drops import MANIFEST, Drop, DropFolder
from connectors.transports.formats import Row, open_reader
from connectors.transports.inspection import Evidence, Inspected, contradiction
from connectors.transports.login import Login
from connectors.transports.received import Columns, Received, positions
from connectors.transports.source import Source, wrong_encoding
from warehouse.errors import CityhubError, ConfigurationError, HeldBatch, PermanentError, TransientError
from warehouse.settings import mask_url

BLOCK_BYTES = 1 << 20
# Formats that are text, read from start to end; the others jump about in their file.
TEXT = ("csv", "jsonl")


class FileTransport:
    """Dated drops of one department. `taken`: the drops that the append table to be pulled has taken before."""

    def __init__(
        self, url: str, contract: SystemContract, login: Login | None = None, taken: Collection[date] = ()
    ) -> None:
        self.contract = contract
        self._url = url
        self._login = login or Login(contract.system)
        self._taken = taken
        self._opened: tuple[Any, str] | None = None
        self._drops: DropFolder | None = None

    @property
    def address(self) -> str:
        return mask_url(self._url) if "://" in self._url else self._url

    def check(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        with self._guard():
            folder = self._folder()
            for table in self.contract.tables:
                with self._file(table, folder.newest(table)) as source:
                    evidence = Evidence()
                    evidence.add(source.stream.read(BLOCK_BYTES))
                    _require_encoding(source, evidence)
                    source.stream.seek(0)
                    header = next(open_reader(source))
                    assert isinstance(header, list)
                    found[table.name] = require_columns(table, [str(name) for name in header], source.name)
        return found

    def pull(self, table: TableContract, cursor: str | None) -> Pull:
        pull = Pull(iter(()), is_complete=table.load_mode != "append", cursor=cursor)
        pull.batches = self._batches(table, cursor, pull)
        return pull

    def due(self, table: TableContract, cursor: str | None, taken: Collection[date]) -> list[Drop]:
        """The drops that a pull would take now, given those that were taken.

        Raises:
            CityhubError: as a pull would.
        """
        with self._guard():
            return self._folder().due(table, cursor, taken)

    def close(self) -> None:
        if self._opened is not None and self._is_sftp:
            from connectors.transports.sftp import close_sftp

            close_sftp(self._opened[0])
        self._opened = self._drops = None

    def _batches(self, table: TableContract, cursor: str | None, pull: Pull) -> Iterator[Received]:
        with self._guard():
            folder = self._folder()
            for drop in folder.due(table, cursor, self._taken):
                pull.as_of, pull.cursor = midnight(drop.day, table.timezone), drop.day.isoformat()
                if drop.rows is not None:
                    pull.source_total = (pull.source_total or 0) + drop.rows
                with self._open(table, drop) as source:
                    for frame in _frames(source, drop.rows, pull):
                        yield Columns(frame)
                if drop.state is not None and folder.state(drop.path) != drop.state:
                    raise TransientError(
                        f"The file {table.source_name} changed while it was read.",
                        where=f"{table.system}.{table.name} ({drop.day} at {self.address})",
                        expected="a file that is written once",
                        do="wait for the next run; ask the owner for a manifest, written last",
                    )
                if table.load_mode == "append":
                    pull.drops.append(drop.day)

    def _folder(self) -> DropFolder:
        if self._drops is None:
            self._drops = DropFolder(*self._root(), self.address, self.contract.system)
        return self._drops

    @contextmanager
    def _file(self, table: TableContract, drop: Drop) -> Iterator[Source]:
        """The file of a table, opened."""
        fs, _ = self._root()
        name = f"{drop.day.isoformat()}/{table.source_name}"
        try:
            file = fs.open(drop.path, "rb")
        except FileNotFoundError:
            raise HeldBatch(
                f"The manifest names {table.source_name}, but the file is not there.",
                where=f"{table.system}.{table.name} ({name} at {self.address})",
                expected=f"every file of {MANIFEST} in its folder",
                do="ask the owner to deliver the drop again, complete",
            ) from None
        with file:
            yield Source(file, name, table)

    @contextmanager
    def _open(self, table: TableContract, drop: Drop) -> Iterator[Source]:
        """The file of a table; left without error it stood its inspection."""
        with self._file(table, drop) as source:
            file = source.stream
            if self._is_local:
                _inspect(Inspected(file), drop, source)
                file.seek(0)
                yield source
                return
            watched = Inspected(self._windowed(file))
            if table.source_format in TEXT:
                try:
                    yield Source(io.BufferedReader(watched, BLOCK_BYTES), source.name, table)
                except HeldBatch:
                    # Whatever a reader stumbles over, that the file is not whole is the better reason.
                    _inspect(watched, drop, source)
                    raise
                _inspect(watched, drop, source)
                return
            with tempfile.TemporaryFile() as copy:
                _inspect(watched, drop, source, copy)
                copy.seek(0)
                yield Source(copy, source.name, table)

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


def _inspect(watched: Inspected, drop: Drop, source: Source, copy: IO[bytes] | None = None) -> None:
    """Read on to the end, into `copy` where there is one, and see that digest and encoding are those promised."""
    while block := watched.read(BLOCK_BYTES):
        if copy is not None:
            copy.write(block)
    if drop.digest is not None and watched.digest != drop.digest:
        raise source.held(
            "The file is not the one its manifest describes: it was truncated or changed.",
            expected="the SHA-256 digest of the manifest",
        ) from None
    _require_encoding(source, watched.evidence)


def _require_encoding(source: Source, evidence: Evidence) -> None:
    if source.table.source_format not in TEXT:
        return
    found = contradiction(source.table.encoding, evidence)
    if found is not None:
        raise wrong_encoding(source, found) from None


def _frames(source: Source, declared: int | None, pull: Pull) -> Iterator[pl.DataFrame]:
    table = source.table
    reader = open_reader(source)
    header = next(reader)
    assert isinstance(header, list)
    if len(set(header)) != len(header):
        raise source.held("The header names a column twice.", expected="every column once")
    extra = require_columns(table, header, source.name)
    if extra:
        pull.saw(extra)
    places = [header.index(name) for name in table.column_names]
    read = 0
    for frame in _chunks(table, source.name, reader, places):
        read += frame.height
        pull.saw(extra)
        yield frame
    if declared is not None and read != declared:
        raise source.held(f"The file holds {read} rows.", expected=f"{declared} rows, as its manifest declares")


def _chunks(
    table: TableContract, name: str, reader: Iterator[list[str] | Row | Block], places: list[int]
) -> Iterator[pl.DataFrame]:
    while chunk := list(islice(reader, 1)):
        if isinstance(chunk[0], Block):
            block = chunk[0]
            columns = [
                block.frame.to_series(place).alias(c) for c, place in zip(table.column_names, places, strict=True)
            ]
            yield pl.DataFrame([*columns, positions(file=name, line=block.lines)])
            continue
        chunk += islice(reader, CHUNK_ROWS - 1)
        yield _frame(table, name, [row for row in chunk if isinstance(row, tuple)], places)


def _frame(table: TableContract, name: str, rows: list[Row], places: list[int]) -> pl.DataFrame:
    columns = list(zip(*(values for _, values in rows), strict=True))
    texts = [text_column(column, columns[place]) for column, place in zip(table.column_names, places, strict=True)]
    return pl.DataFrame([*texts, positions(file=name, line=[line for line, _ in rows])])
