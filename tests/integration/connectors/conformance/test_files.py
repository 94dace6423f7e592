"""CSV, XLSX, JSON Lines and Parquet, dropped into dated folders."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from connectors.contract import SystemContract
from tests.integration.connectors.conformance.suite import SHANGHAI, Conformance, Row, kit_in
from tests.integration.connectors.conftest import COLUMNS, SYSTEM, Kit
from tests.integration.sshd import Sshd

KINDS = {
    "fee_cny": pl.Decimal(10, 2),
    "checked_on": pl.Date(),
    "is_ok": pl.Boolean(),
    "level": pl.Int32(),
    "updated_at": pl.Datetime("us", "UTC"),
}


def write_csv(rows: list[Row], columns: tuple[str, ...]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(columns)
    writer.writerows([_text(item.get(name)) for name in columns] for item in rows)
    return buffer.getvalue().encode("gb18030")


def write_jsonl(rows: list[Row], columns: tuple[str, ...]) -> bytes:
    lines = [{name: item[name] for name in columns} for item in rows]
    return "".join(json.dumps(line, ensure_ascii=False, default=_json) + "\n" for line in lines).encode()


def write_parquet(rows: list[Row], columns: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    schema = {name: KINDS.get(name, pl.String()) for name in columns}
    pl.DataFrame([[item[name] for name in columns] for item in rows], schema=schema, orient="row").write_parquet(buffer)
    return buffer.getvalue()


def write_xlsx(rows: list[Row], columns: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        day, moment = (
            book.add_format({"num_format": "yyyy-mm-dd"}),
            book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        )
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, columns)
        for line, item in enumerate(rows, 1):
            for place, value in enumerate(item.get(name) for name in columns):
                if isinstance(value, dt.datetime):
                    local = dt.datetime.fromisoformat(_text(value))
                    sheet.write_datetime(line, place, local, moment)
                elif isinstance(value, dt.date) and value.year >= 1900:
                    sheet.write_datetime(line, place, dt.datetime(value.year, value.month, value.day), day)
                elif isinstance(value, bool):
                    sheet.write_boolean(line, place, value)
                elif isinstance(value, (int, Decimal)):
                    sheet.write_number(line, place, float(value))
                elif value is not None:
                    # A spreadsheet has no days before 1900: people write them as text.
                    sheet.write_string(line, place, str(value))
    return buffer.getvalue()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, dt.datetime):
        from zoneinfo import ZoneInfo

        return value.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else str(value)


def _json(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(SHANGHAI).isoformat()
    return str(value)


WRITERS = {"csv": write_csv, "xlsx": write_xlsx, "jsonl": write_jsonl, "parquet": write_parquet}


class Drops:
    """Each state of the table is a drop of its own, a day after the one before."""

    def __init__(self, kit: Kit, kind: str) -> None:
        self.kit = kit
        self.kind = kind
        self.day = dt.date(2026, 1, 1)

    def contract(self, mode: str) -> SystemContract:
        encoding = {"encoding": "gb18030"} if self.kind == "csv" else {}
        return self.kit.contract("files", mode, f"a.{self.kind}", sourceFormat=self.kind, **encoding)

    def put(self, rows: list[Row], columns: tuple[str, ...] = COLUMNS, as_text: tuple[str, ...] = ()) -> None:
        for folder in (self.kit.folder / "drops").glob("*"):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        self._deliver(rows, columns, as_text)

    def change(self, rows: list[Row], changed: list[Row]) -> None:
        self._deliver(changed, COLUMNS)

    def _deliver(self, changed: list[Row], columns: tuple[str, ...], as_text: tuple[str, ...] = ()) -> None:
        self.day += dt.timedelta(days=1)
        with pytest.MonkeyPatch.context() as patch:
            for name in as_text:
                patch.setitem(KINDS, name, pl.String())
            content = WRITERS[self.kind](changed, columns)
        self.kit.drop(self.day.isoformat(), {f"a.{self.kind}": content}, {f"a.{self.kind}": len(changed)})


class RemoteDrops(Drops):
    """Drops reached over SFTP."""

    def __init__(self, kit: Kit, kind: str, server: Sshd) -> None:
        super().__init__(kit, kind)
        self.server = server

    def _deliver(self, changed: list[Row], columns: tuple[str, ...], as_text: tuple[str, ...] = ()) -> None:
        super()._deliver(changed, columns, as_text)
        known = {"KEY_FILE": self.server.key, "KNOWN_HOSTS": self.server.known_hosts}
        for name, value in ({"URL": self.server.url(self.kit.folder / "drops")} | known).items():
            self.kit.monkeypatch.setenv(f"CITYHUB_SOURCE_{SYSTEM.upper()}_{name}", str(value))


class OfFiles(Conformance):
    kind: str
    changes = "append"

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drops]:
        with kit_in(tmp_path_factory.mktemp(cls.kind)) as kit:
            yield Drops(kit, cls.kind)


class TestCsv(OfFiles):
    kind = "csv"


class TestCsvOverSftp(TestCsv):
    """The same files behind a real sshd."""

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drops]:
        with kit_in(tmp_path_factory.mktemp("sftp")) as kit:
            yield RemoteDrops(kit, cls.kind, sshd)


class TestXlsx(OfFiles):
    kind = "xlsx"
    # The format's own limits: characters of a cell, and no control characters in XML.
    widest = 32_767
    carries_nul = False


class TestJsonLines(OfFiles):
    kind = "jsonl"


class TestParquet(OfFiles):
    kind = "parquet"
