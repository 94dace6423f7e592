"""What a person reads when a source cannot be pulled: what, where, expected, do, for each transport; and no secret."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import SystemContract
from connectors.transports import open_transport
from tests.unit.connectors.transports.test_rest import SECRET, Service, service
from warehouse.errors import CityhubError
from warehouse.settings import get_settings

__all__ = ["service"]
COLUMNS = ("case_no", "seq", "at", "note")
PASSWORD = "planted-password"
ROW = "C1,1,2026-06-30 08:00:00,planted-note\n"
HEADER = "case_no,seq,at,note\n"


class Desk:
    """Where sources are planted: a folder, and the settings that lead there."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, service: Service) -> None:
        self.folder, self.patch, self.service = folder, patch, service

    def setting(self, name: str, value: str) -> None:
        self.patch.setenv(f"CITYHUB_SOURCE_PARKING_{name}", value)

    def database(self, columns: tuple[str, ...] = COLUMNS, table: str = "cases") -> None:
        path = self.folder / "source.sqlite"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"create table {table} ({', '.join(columns)})")
        self.setting("URL", f"sqlite:///{path}")

    def rest(self, spoil: Any = None, *, secret: str = SECRET, rows: int = 3, path: str = "/base") -> None:
        self.service.rows = [{"case_no": f"C{n}", "seq": n, "at": None, "note": "planted-note"} for n in range(rows)]
        self.service.spoil = spoil or self.service.spoil
        self.setting("URL", self.service.url.removesuffix("/base") + path)
        self.setting("KEY_ID", "hub")
        self.setting("SECRET", secret)

    def drop(
        self, content: bytes | None, *, rows: int = 1, manifest: bytes | None = None, name: str = "cases.csv"
    ) -> None:
        folder = self.folder / "2026-06-30"
        folder.mkdir()
        if content is not None:
            (folder / name).write_bytes(content)
        entry = {"rows": rows, "sha256": hashlib.sha256(content or b"").hexdigest()}
        (folder / "_manifest.json").write_bytes(manifest or json.dumps({"files": {name: entry}}).encode())
        self.setting("URL", str(self.folder))


def half(page: int, tries: int, answer: dict[str, Any]) -> None:
    answer["items"] = answer["items"][:1]


def formless(page: int, tries: int, answer: dict[str, Any]) -> None:
    del answer["total"]


def repeating(page: int, tries: int, answer: dict[str, Any]) -> None:
    answer["items"] = [{"case_no": "C", "seq": 1, "at": None, "note": None}] * len(answer["items"])


CASES: dict[str, tuple[str, Callable[[Desk], None]]] = {
    "sql without an address": ("sql", lambda desk: None),
    "sql address that is none": ("sql", lambda desk: desk.setting("URL", f"oracel://hub:{PASSWORD}@host/city")),
    "sql file that is not there": ("sql", lambda desk: desk.setting("URL", f"sqlite:///{desk.folder}/gone.sqlite")),
    "sql without the table": ("sql", lambda desk: desk.database(table="kases")),
    "sql without a column": ("sql", lambda desk: desk.database(("case_no", "seq", "at", "remark"))),
    "sql server that is away": (
        "sql",
        lambda desk: desk.setting("URL", f"postgresql+psycopg://hub:{PASSWORD}@127.0.0.1:1/city"),
    ),
    "rest without a key": ("rest", lambda desk: desk.setting("URL", "https://host/base")),
    "rest address that is none": ("rest", lambda desk: desk.setting("URL", "host/base")),
    "rest with a wrong key": ("rest", lambda desk: desk.rest(secret=PASSWORD)),
    "rest without the table": ("rest", lambda desk: desk.rest(path="/elsewhere")),
    "rest out of order": ("rest", lambda desk: desk.rest(lambda page, tries, answer: 500)),
    "rest forbidden": ("rest", lambda desk: desk.rest(lambda page, tries, answer: 403)),
    "rest half a page": ("rest", lambda desk: desk.rest(half)),
    "rest page without form": ("rest", lambda desk: desk.rest(formless)),
    "rest repeated page": ("rest", lambda desk: desk.rest(repeating, rows=1000)),
    "files without a folder": ("files", lambda desk: desk.setting("URL", f"{desk.folder}/gone")),
    "files without a drop": ("files", lambda desk: desk.setting("URL", str(desk.folder))),
    "files manifest unreadable": ("files", lambda desk: desk.drop(b"", manifest=b"{")),
    "files not in the manifest": ("files", lambda desk: desk.drop(b"", name="other.csv")),
    "files gone": ("files", lambda desk: desk.drop(None)),
    "files cut off": (
        "files",
        lambda desk: desk.drop(HEADER.encode(), manifest=b'{"files": {"cases.csv": {"rows": 9, "sha256": "00"}}}'),
    ),
    "files with fewer rows": ("files", lambda desk: desk.drop((HEADER + ROW).encode(), rows=2)),
    "files in another encoding": ("files", lambda desk: desk.drop((HEADER + "路名,1,,\n").encode("gb18030"))),
    "files without a column": ("files", lambda desk: desk.drop(b"case_no,seq,at\nC1,1,\n")),
    "files without a header": ("files", lambda desk: desk.drop(b"C1,1,planted-at,planted-note\nC2,1,,\n")),
    "files with a ragged line": ("files", lambda desk: desk.drop((HEADER + "C1,1\n").encode())),
    "files with a column twice": ("files", lambda desk: desk.drop(b"case_no,seq,at,note,note\n")),
    "files that are empty": ("files", lambda desk: desk.drop(b"")),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service) -> Desk:
    return Desk(tmp_path, monkeypatch, service)


MESSAGES = {
    case: lines
    for case, *lines in (
        block.splitlines() for block in Path(__file__).with_name("messages.txt").read_text("utf-8").split("\n\n")
    )
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_person_reads(case: str, desk: Desk, contract: Callable[..., SystemContract]) -> None:
    transport, plant = CASES[case]
    own = {"source_name": "v1/cases"} if transport == "rest" else {}
    own |= {"source_name": "cases.csv", "source_format": "csv", "encoding": "utf-8"} if transport == "files" else {}
    system = contract(transport, **own)
    plant(desk)

    def pull() -> None:
        with closing(open_transport(get_settings(), system)) as opened:
            list(opened.pull(system.tables[0], None).frames)

    with pytest.raises(CityhubError) as caught:
        pull()
    told = dict(caught.value.lines())
    assert list(told) == ["what", "where", "expected", "do"]
    places = {str(desk.folder): "FOLDER", desk.service.url.removesuffix("/base"): "SERVICE"}
    shown = "\n".join(told.values())
    for place, name in places.items():
        shown = shown.replace(place, name)
    assert shown.splitlines() == MESSAGES[case]
    assert "planted" not in shown


def test_every_message_is_met() -> None:
    assert MESSAGES.keys() == CASES.keys()
