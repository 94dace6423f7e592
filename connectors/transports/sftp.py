"""Reaches a drop folder over SFTP: login from the environment, host key checked, files read in windows.

What lies in the folder and what it means belongs in `files`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import paramiko  # type: ignore[import-untyped]
from fsspec.implementations.sftp import SFTPFileSystem

from connectors.transports.login import Login
from warehouse.errors import ConfigurationError, PermanentError
from warehouse.settings import mask_url

CONNECT_SECONDS = 15
# A server that says nothing for so long in the middle of a file will not go on.
SILENCE_SECONDS = 60.0
KNOWN_HOSTS = Path("~/.ssh/known_hosts")
# Requests of 32 KiB that are under way at once: over a line with 20 ms of delay one at a time gives 1.6 MB/s.
REQUEST_BYTES = 32768
WINDOW_REQUESTS = 64
# Its background thread prints stack traces of broken connections; ours says what happened in four lines.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class _UnknownHost(Exception):
    """The server's key is in no line of the known hosts."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__(fingerprint)
        self.fingerprint = fingerprint


class _Refuse(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        raise _UnknownHost(_fingerprint(key))


class _CheckedSftp(SFTPFileSystem):  # type: ignore[misc]
    """fsspec's SFTP with the known hosts loaded before it connects; fsspec itself would accept any server."""

    cachable = False

    def __init__(self, host: str, known_hosts: Path, **options: Any) -> None:
        self._known_hosts = known_hosts
        super().__init__(host, host_key_policy=_Refuse(), **options)

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        self.client.set_missing_host_key_policy(self.host_key_policy)
        if self._known_hosts.exists():
            self.client.load_host_keys(str(self._known_hosts))
        try:
            self.client.connect(self.host, **self.ssh_kwargs)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(SILENCE_SECONDS)
        except BaseException:
            self.client.close()
            raise


class WindowedFile(io.RawIOBase):
    """A remote file from start to end, with as much in memory as one window, however slow its reader is."""

    def __init__(self, file: Any) -> None:
        self._file = file
        # paramiko asks ahead in a thread. It meets a broken line as the reader does, which tells of it; uncaught in
        # the thread, Python would print its stack trace beside.
        file._prefetch_thread = _quiet(file._prefetch_thread)
        self._size: int = file.stat().st_size
        self._at = 0
        self._buffer = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._buffer:
            self._buffer = memoryview(self._window())
        count = min(len(target), len(self._buffer))
        target[:count] = self._buffer[:count]
        self._buffer = self._buffer[count:]
        return count

    def _window(self) -> bytes:
        end = min(self._size, self._at + WINDOW_REQUESTS * REQUEST_BYTES)
        wanted = [(at, min(REQUEST_BYTES, end - at)) for at in range(self._at, end, REQUEST_BYTES)]
        self._at = end
        return b"".join(self._file.readv(wanted)) if wanted else b""


def _quiet(ask: Callable[..., None]) -> Callable[..., None]:
    def asked(*requests: Any) -> None:
        with suppress(OSError, EOFError, paramiko.SSHException):
            ask(*requests)

    return asked


def open_sftp(url: str, login: Login) -> tuple[Any, str]:
    """A connected file system and the folder on it.

    Raises:
        ConfigurationError: the address or the login cannot be used.
        PermanentError: the server is unknown, shows another key than the known one, or refuses the login.
        OSError, paramiko.SSHException: the server does not answer.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or 22
    except ValueError:
        port = 0
    if not parts.hostname or not parts.username or not port:
        raise ConfigurationError(
            "The address of the drop folder cannot be read.",
            where=f"environment variable {login.variable('URL')}",
            expected="sftp://user@host/path or sftp://user@host:port/path",
            do="correct the variable",
        )
    known_hosts = (login.known_hosts or KNOWN_HOSTS).expanduser()
    options = {"port": port, "username": unquote(parts.username), "timeout": CONNECT_SECONDS, "allow_agent": False}
    options |= {"look_for_keys": False, "auth_timeout": CONNECT_SECONDS, "banner_timeout": CONNECT_SECONDS}
    where = f"{login.system} at {mask_url(url)}"
    try:
        fs = _CheckedSftp(parts.hostname, known_hosts, **options, **_credentials(parts.password, login))
    except _UnknownHost as error:
        raise PermanentError(
            f"The server is not among the known hosts; it shows the key {error.fingerprint}.",
            where=where,
            expected=f"a line for it in {known_hosts}",
            do="ask its owner for the fingerprint; if it is the same, add the line:"
            f" ssh-keyscan -p {port} {parts.hostname} >> {known_hosts}",
        ) from None
    except paramiko.BadHostKeyException as error:
        raise PermanentError(
            f"The server shows another host key than the known one: {_fingerprint(error.key)}.",
            where=where,
            expected=f"{_fingerprint(error.expected_key)}, as in {known_hosts}",
            do="do not log in; ask its owner whether the key was changed, and only then replace the line",
        ) from None
    except paramiko.AuthenticationException:
        raise PermanentError(
            "The server refuses the login.",
            where=where,
            expected=f"a user it knows, with the password in {login.variable('SECRET')} or the key in"
            f" {login.variable('KEY_FILE')}",
            do="check the user in the address, and the password or key with the server's owner",
        ) from None
    return fs, parts.path.rstrip("/") or "/"


def close_sftp(fs: Any) -> None:
    """Let go of the connection, where the file system has one."""
    if isinstance(fs, _CheckedSftp):
        fs.client.close()


def reader(file: Any) -> IO[bytes]:
    """A stream over an opened remote file; small reads are served from its window."""
    return io.BufferedReader(WindowedFile(file))


def _credentials(password: str | None, login: Login) -> dict[str, Any]:
    secret = login.secret.get_secret_value() if login.secret else None
    if login.key_file is None:
        secret = secret or (unquote(password) if password else None)
        if secret is None:
            raise ConfigurationError(
                "No login is set for the SFTP server.",
                where=f"environment variables {login.variable('KEY_FILE')} and {login.variable('SECRET')}",
                expected="the path of a private key (its passphrase, if any, as SECRET), or a password as SECRET",
                do="set one of them",
            )
        return {"password": secret}
    path = login.key_file.expanduser()
    try:
        return {"pkey": paramiko.PKey.from_path(path, password=secret.encode() if secret else None)}
    except (OSError, ValueError, TypeError, paramiko.SSHException, paramiko.UnknownKeyType) as error:
        raise ConfigurationError(
            f"The private key cannot be used ({type(error).__name__}).",
            where=f"{path}, environment variable {login.variable('KEY_FILE')}",
            expected=f"a readable private key, with its passphrase in {login.variable('SECRET')} where it is encrypted",
            do="correct the path, the rights of the file or the passphrase",
        ) from None


def _fingerprint(key: Any) -> str:
    """As `ssh-keygen -l` shows it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"
