"""Drops over SFTP from a real sshd: landed like local ones, and every way a login can be wrong."""

from __future__ import annotations

import io
import json
import signal
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import paramiko
import polars as pl
import psutil
import pytest

from connectors.transports import open_transport
from connectors.transports.login import Login
from connectors.transports.sftp import close_sftp, open_sftp, reader
from tests.integration.sshd import PASSPHRASE, Sshd, host_line, make_key
from warehouse.database import Database
from warehouse.errors import CityhubError, ConfigurationError, HeldBatch, PermanentError, TransientError
from warehouse.settings import get_settings

NAMES = ("site_no", "name", "id_no", "checked_on", "fee_cny", "is_ok", "level", "updated_at")


def table_text(*rows: tuple[Any, ...]) -> bytes:
    texts = [",".join("" if value is None else str(value) for value in row) for row in (NAMES, *rows)]
    return ("\n".join(texts) + "\n").encode("gb18030")


@pytest.fixture
def remote(sshd: Sshd, kit: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The kit, with its drops reached over SFTP."""

    def point(**variables: Any) -> None:
        settings = {
            "URL": sshd.url(kit.folder / "drops"),
            "KEY_FILE": sshd.key,
            "KNOWN_HOSTS": sshd.known_hosts,
            "SECRET": "",
        }
        for name, value in (settings | variables).items():
            monkeypatch.setenv(f"CITYHUB_SOURCE_FIRE_SAFETY_{name}", str(value) if value else "")

    kit.point = point
    return kit


def check(kit: Any, contract: Any) -> None:
    transport = open_transport(get_settings(), contract)
    try:
        transport.check()
    finally:
        transport.close()


def csv_drop(kit: Any, make_row: Any, count: int = 2) -> tuple[Any, Path]:
    contract = kit.contract("files", "snapshot", "a.csv", sourceFormat="csv", encoding="gb18030")
    text = table_text(*(make_row(number) for number in range(count)))
    return contract, kit.drop("2026-06-29", {"a.csv": text}, {"a.csv": count})


def test_drops_land_over_sftp(database: Database, remote: Any, make_row: Any, raw: Any) -> None:
    contract, folder = csv_drop(remote, make_row)
    remote.point()
    check(remote, contract)
    landed = remote.land(database, contract)
    assert (landed.state, landed.inserted, landed.cursor) == ("admitted", 2, "2026-06-29")
    assert raw(database, contract)[0][1] == "滨江消防站"

    (folder / "a.csv").write_bytes((folder / "a.csv").read_bytes()[:-20])
    held = remote.land(database, contract)
    assert held.state == "held"
    assert "truncated or changed" in (held.reason or "")
    # It came as a stream: what was read before the end stays to be looked at.
    assert len(raw(database, contract)) == 2


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "jsonl"])
def test_every_format_comes_over_sftp(remote: Any, make_row: Any, kind: str) -> None:
    rows = [dict(zip(NAMES, make_row(number), strict=True)) for number in range(3)]
    buffer = io.BytesIO()
    frame = pl.DataFrame(rows)
    if kind == "jsonl":
        buffer.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    elif kind == "xlsx":
        frame.write_excel(buffer)
    else:
        frame.write_parquet(buffer)
    contract = remote.contract("files", "snapshot", f"a.{kind}", sourceFormat=kind)
    remote.drop("2026-06-29", {f"a.{kind}": buffer.getvalue()}, {f"a.{kind}": 3})
    remote.point()
    transport = open_transport(get_settings(), contract)
    frames = pl.concat(list(transport.pull(contract.tables[0], None).frames))
    transport.close()
    assert frames["name"].to_list() == ["滨江消防站"] * 3


def test_long_file_streams(remote: Any, sshd: Sshd, tmp_path: Path) -> None:
    size = 24 << 20
    (tmp_path / "long").write_bytes(b"0123456789abcde\n" * (size // 16))
    fs, _ = open_sftp(sshd.url(tmp_path), Login("fire_safety", key_file=sshd.key, known_hosts=sshd.known_hosts))
    tracemalloc.start()
    with fs.open(f"{tmp_path}/long", "rb") as file:
        stream = reader(file)
        read = sum(len(block) for block in iter(lambda: stream.read(1 << 16), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    close_sftp(fs)
    assert read == size
    # A window of 2 MiB: in its parts, joined, and what of it is under way in packets.
    assert peak < size * 2 // 3


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGSTOP])
def test_server_that_ends_or_falls_silent_in_the_middle(
    remote: Any, make_row: Any, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, what: signal.Signals
) -> None:
    monkeypatch.setattr("connectors.transports.sftp.SILENCE_SECONDS", 1.0)
    contract, _ = csv_drop(remote, make_row, 120_000)
    remote.point()
    transport = open_transport(get_settings(), contract)
    batches = iter(transport.pull(contract.tables[0], None).frames)
    assert 0 < next(batches).height < 120_000
    # Only the process of this connection: the server itself serves the other tests.
    sessions = psutil.Process(int((sshd.folder / "pid").read_text())).children(recursive=True)
    assert sessions
    for session in sessions:
        session.send_signal(what)
    with pytest.raises(TransientError, match="drop folder cannot be read"):
        list(batches)
    for session in sessions:
        with suppress(psutil.NoSuchProcess):
            session.kill()
    transport.close()


def refused(kit: Any, make_row: Any, kind: type[Exception]) -> str:
    contract, _ = csv_drop(kit, make_row)
    kit.point(**kit.changes)
    with pytest.raises(kind) as caught:
        check(kit, contract)
    text = str(caught.value)
    assert PASSPHRASE not in text
    assert all(getattr(caught.value, part) for part in ("where", "expected", "do"))
    return text


def test_unknown_host_is_refused_with_its_fingerprint(remote: Any, make_row: Any, tmp_path: Path) -> None:
    remote.changes = {"KNOWN_HOSTS": tmp_path / "none"}
    text = refused(remote, make_row, PermanentError)
    assert "not among the known hosts; it shows the key ssh-ed25519 SHA256:" in text
    assert "ssh-keyscan -p" in text


def test_wrong_host_key_is_refused(remote: Any, make_row: Any, tmp_path: Path, sshd: Sshd) -> None:
    other = tmp_path / "known"
    other.write_text(host_line(sshd.port, make_key(tmp_path / "other")))
    remote.changes = {"KNOWN_HOSTS": other}
    assert "another host key than the known one: ssh-ed25519 SHA256:" in refused(remote, make_row, PermanentError)


def test_wrong_password_and_unknown_key_are_refused(remote: Any, make_row: Any, tmp_path: Path) -> None:
    remote.changes = {"KEY_FILE": "", "SECRET": PASSPHRASE}
    assert "The server refuses the login." in refused(remote, make_row, PermanentError)
    make_key(tmp_path / "stranger")
    remote.changes = {"KEY_FILE": tmp_path / "stranger"}
    assert "The server refuses the login." in refused(remote, make_row, PermanentError)


def test_key_with_passphrase(remote: Any, make_row: Any, sshd: Sshd) -> None:
    contract, _ = csv_drop(remote, make_row)
    remote.point(KEY_FILE=sshd.locked_key, SECRET=PASSPHRASE)
    check(remote, contract)
    for secret in ("", "wrong"):
        remote.changes = {"KEY_FILE": sshd.locked_key, "SECRET": secret}
        assert "The private key cannot be used" in refused(remote, make_row, ConfigurationError)


class Door(paramiko.ServerInterface):
    """A server that knows one user by password. sshd would need an account of the machine for it."""

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        known = (username, password) == ("hub", PASSPHRASE)
        return int(paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)


@pytest.fixture
def door(sshd: Sshd) -> Iterator[int]:
    """The port of a server with sshd's host key, a password, and no file."""
    served: list[Any] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            served.append(transport)
            transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(sshd.folder / "host")))
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer)
            transport.start_server(event=threading.Event(), server=Door())

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for transport in served:
        transport.close()


@pytest.mark.parametrize("place", ["SECRET", "URL"])
def test_password_lets_in(remote: Any, make_row: Any, sshd: Sshd, tmp_path: Path, door: int, place: str) -> None:
    known = tmp_path / "known"
    known.write_text(host_line(door, sshd.folder / "host.pub"))
    password = f":{PASSPHRASE}" if place == "URL" else ""
    remote.changes = {"URL": f"sftp://hub{password}@127.0.0.1:{door}/drops", "KEY_FILE": "", "KNOWN_HOSTS": known}
    remote.changes |= {"SECRET": PASSPHRASE if place == "SECRET" else ""}
    # It is in: what it misses is a folder that this server cannot have.
    text = refused(remote, make_row, CityhubError)
    assert "The server refuses the login." not in text
    assert "drop folder" in text
    remote.changes |= {"SECRET": "another"}
    assert "The server refuses the login." in refused(remote, make_row, PermanentError)


def test_login_that_is_not_set(remote: Any, make_row: Any, tmp_path: Path) -> None:
    remote.changes = {"KEY_FILE": ""}
    assert "No login is set" in refused(remote, make_row, ConfigurationError)
    remote.changes = {"KEY_FILE": tmp_path / "nowhere"}
    assert "FileNotFoundError" in refused(remote, make_row, ConfigurationError)


def test_missing_folder_file_and_server(remote: Any, make_row: Any, sshd: Sshd, tmp_path: Path) -> None:
    remote.changes = {"URL": sshd.url(tmp_path / "nowhere")}
    assert "The drop folder does not exist." in refused(remote, make_row, PermanentError)
    remote.changes = {"URL": "sftp://127.0.0.1/drops"}
    assert "sftp://user@host/path" in refused(remote, make_row, ConfigurationError)
    remote.changes = {"URL": "sftp://hub@127.0.0.1:9/drops"}
    assert "cannot be read" in refused(remote, make_row, TransientError)
    contract, folder = csv_drop(remote, make_row)
    (folder / "a.csv").unlink()
    remote.point()
    with pytest.raises(HeldBatch, match="the file is not there"):
        check(remote, contract)
