"""What the environment says about a login to a file server. Nothing connects here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr


@dataclass(frozen=True)
class Login:
    """How to log in to a source's SFTP server, beside what its URL says.

    Attributes:
        system: names the environment variables in messages.
        secret: the password, or the passphrase of the key file.
        key_file: the private key.
        known_hosts: OpenSSH's file of host keys; the user's own without it.
    """

    system: str
    secret: SecretStr | None = None
    key_file: Path | None = None
    known_hosts: Path | None = None

    def variable(self, suffix: str) -> str:
        return f"CITYHUB_SOURCE_{self.system.upper()}_{suffix}"
