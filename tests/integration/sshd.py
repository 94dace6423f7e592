"""A private OpenSSH server for tests: own port, host key and authorized key, SFTP only, nothing outside its folder."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSPHRASE = "geheim-91c2"
START_SECONDS = 15
# Of these, no test may need the account's own password: it is the account the tests run under.
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile {folder}/pid
AuthorizedKeysFile {folder}/login.pub {folder}/locked.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication yes
MaxAuthTries 20
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


@dataclass(frozen=True)
class Sshd:
    """A running server."""

    port: int
    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / "login"

    @property
    def locked_key(self) -> Path:
        """A key with a passphrase."""
        return self.folder / "locked"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def url(self, path: Path) -> str:
        return f"sftp://{getpass.getuser()}@127.0.0.1:{self.port}{path}"


def installed() -> bool:
    """Whether the server's programs are there; Debian keeps `sshd` in /usr/sbin, which not every PATH has."""
    return all(_program(name) for name in ("sshd", "ssh-keygen"))


def host_line(port: int, public_key: Path) -> str:
    """A line of known hosts."""
    return f"[127.0.0.1]:{port} {' '.join(public_key.read_text().split()[:2])}\n"


def make_key(path: Path, passphrase: str = "") -> Path:
    """A key pair; the path of its public half."""
    keygen = str(_program("ssh-keygen"))
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)], check=True, capture_output=True)
    return path.with_suffix(".pub")


@contextmanager
def running() -> Iterator[Sshd]:
    """A server that lives as long as the block."""
    folder = Path(tempfile.mkdtemp(prefix="cityhub-sshd-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Sshd(free.getsockname()[1], folder)
    make_key(server.key)
    make_key(server.locked_key, PASSPHRASE)
    server.known_hosts.write_text(host_line(server.port, make_key(folder / "host")))
    (folder / "config").write_text(CONFIG.format(port=server.port, folder=folder))
    if os.getuid() == 0:
        # Where it separates its privileges; the service would create it at boot.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = (folder / "log").open("wb")
    process = subprocess.Popen([str(_program("sshd")), "-D", "-e", "-f", str(folder / "config")], stderr=log)
    try:
        _wait(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(10)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: Sshd, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd does not start: {(server.folder / 'log').read_text()}") from None
            time.sleep(0.05)
        else:
            return


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
