"""How the pages are started: one command line, for the `cityhub` command and for tests."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

APP = Path(__file__).with_name("app.py")
CONFIG = Path(__file__).parent / ".streamlit" / "config.toml"


def pages_command(*, port: int, address: str = "127.0.0.1") -> list[str]:
    """The command that serves the pages on `address:port`, whatever the working directory holds."""
    options = list(_options(tomllib.loads(CONFIG.read_text(encoding="utf-8"))))
    return [
        *(sys.executable, "-m", "streamlit", "run", str(APP)),
        *(f"--server.address={address}", f"--server.port={port}"),
        *options,
    ]


def _options(tables: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _options(value, f"{prefix}{name}.")
        else:
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            yield f"--{prefix}{name}={shown}"
