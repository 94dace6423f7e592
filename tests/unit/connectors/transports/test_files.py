"""The file transport over real folders: every format, and every way a drop can be wrong."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from connectors.transports.files import FileTransport
from warehouse.errors import CityhubError, HeldBatch, PermanentError, TransientError

CSV = 'case_no,seq,at,note\nC1,1,2026-06-30 08:00:00,陆家嘴\nC2,2,,"两\n行"\nC3,3,,𠮷\n'


def drop(root: Path, day: str, name: str, content: bytes, rows: int, *, manifest: bool = True) -> Path:
    folder = root / day
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    if manifest:
        entry = {name: {"rows": rows, "sha256": hashlib.sha256(content).hexdigest()}}
        (folder / "_manifest.json").write_text(json.dumps({"files": entry}))
    return folder


def csv_contract(contract: Any, **own: Any) -> Any:
    return contract("files", **({"source_name": "c.csv", "source_format": "csv", "encoding": "gb18030"} | own))


def pull(root: Path, system: Any, cursor: str | None = None) -> tuple[pl.DataFrame, Any]:
    started = FileTransport(str(root), system).pull(system.tables[0], cursor)
    frames = list(started.frames)
    return pl.concat(frames) if frames else pl.DataFrame(), started


def test_csv_in_gb18030_with_lines(tmp_path: Path, contract: Any) -> None:
    drop(tmp_path, "2026-06-29", "c.csv", b"case_no\n", 0)
    drop(tmp_path, "2026-06-30", "c.csv", CSV.encode("gb18030"), 3)
    drop(tmp_path, "2026-07-01", "c.csv", CSV.encode("gb18030"), 3, manifest=False)
    (tmp_path / "notes").mkdir()
    frame, done = pull(tmp_path, csv_contract(contract))
    assert frame.rows() == [
        ("C1", "1", "2026-06-30 08:00:00", "陆家嘴", {"file": "2026-06-30/c.csv", "line": 2}),
        ("C2", "2", None, "两\n行", {"file": "2026-06-30/c.csv", "line": 3}),
        ("C3", "3", None, "𠮷", {"file": "2026-06-30/c.csv", "line": 5}),
    ]
    assert (done.cursor, str(done.as_of), done.source_total) == ("2026-06-30", "2026-06-30 00:00:00+08:00", 3)


def test_utf8_with_and_without_bom(tmp_path: Path, contract: Any) -> None:
    for day, codec in (("2026-06-29", "utf-8"), ("2026-06-30", "utf-8-sig")):
        drop(tmp_path, day, "c.csv", CSV.encode(codec), 3)
        assert pull(tmp_path, csv_contract(contract, encoding="utf-8"))[0].height == 3


def test_xlsx_cells_are_read_as_a_person_sees_them(tmp_path: Path, contract: Any) -> None:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        sheet = book.add_worksheet()
        for line, values in enumerate([("case_no", "seq", "at", "note"), ("C1", 7, "", True), ("C2", 0.5, "x", "")]):
            sheet.write_row(line, 0, values)
    drop(tmp_path, "2026-06-30", "c.xlsx", buffer.getvalue(), 2)
    frame, _ = pull(tmp_path, contract("files", source_name="c.xlsx", source_format="xlsx"))
    assert [row[:4] for row in frame.rows()] == [("C1", "7", None, "true"), ("C2", "0.5", "x", None)]
    assert frame.row(1)[4] == {"file": "2026-06-30/c.xlsx", "line": 3}


def test_json_lines_keep_numbers_as_written(tmp_path: Path, contract: Any) -> None:
    lines = '{"case_no": "C1", "seq": 1, "at": null, "note": 1.10, "x": 1}\n\n{"case_no": "C2", "note": {"a": [1]}}\n'
    drop(tmp_path, "2026-06-30", "c.jsonl", lines.encode(), 2)
    frame, done = pull(tmp_path, contract("files", source_name="c.jsonl", source_format="jsonl"))
    assert [row[:4] for row in frame.rows()] == [("C1", "1", None, "1.10"), ("C2", None, None, '{"a": [1]}')]
    assert frame.row(1)[4]["line"] == 3
    assert done.new_columns == ["x"]


def test_parquet(tmp_path: Path, contract: Any) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"case_no": ["C1"], "seq": [1], "at": [None], "note": [True]}).write_parquet(buffer)
    drop(tmp_path, "2026-06-30", "c.parquet", buffer.getvalue(), 1)
    frame, _ = pull(tmp_path, contract("files", source_name="c.parquet", source_format="parquet"))
    assert frame.row(0)[:4] == ("C1", "1", None, "true")


def test_append_takes_every_drop_after_the_cursor_in_order(tmp_path: Path, contract: Any) -> None:
    for day in ("2026-06-30", "2026-06-28", "2026-06-29"):
        drop(tmp_path, day, "c.csv", CSV.encode("gb18030"), 3)
    system = csv_contract(contract, load_mode="append")
    frame, done = pull(tmp_path, system, "2026-06-28")
    files = frame.get_column("_position").struct.field("file").unique(maintain_order=True).to_list()
    assert (files, done.cursor, done.is_complete) == (["2026-06-29/c.csv", "2026-06-30/c.csv"], "2026-06-30", False)
    frame, done = pull(tmp_path, system, "2026-06-30")
    assert (frame.height, done.cursor) == (0, "2026-06-30")


def truncated(folder: Path) -> None:
    file = folder / "c.csv"
    file.write_bytes(file.read_bytes()[:-10])


def other_rows(folder: Path) -> None:
    manifest = json.loads((folder / "_manifest.json").read_text())
    manifest["files"]["c.csv"]["rows"] = 4
    (folder / "_manifest.json").write_text(json.dumps(manifest))


def replaced(text: bytes) -> Any:
    def write(folder: Path) -> None:
        drop(folder.parent, folder.name, "c.csv", text, text.count(b"\n") - 1)

    return write


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (truncated, "truncated or changed"),
        (other_rows, "The file holds 3 rows"),
        (lambda folder: (folder / "c.csv").unlink(), "the file is not there"),
        (lambda folder: (folder / "_manifest.json").write_text('{"files": {}}'), "lacks the file c.csv"),
        (lambda folder: (folder / "_manifest.json").write_text("{"), "manifest of a drop cannot be read"),
        (replaced(CSV.encode("utf-8")), "not in the encoding gb18030|fields|quotes"),
        (replaced(b"case_no,seq,at,note\n\xff\xff,1,,\n"), "not in the encoding gb18030"),
        (replaced(b"case_no,seq,at\nC1,1,\n"), "no longer delivers column note"),
        (replaced(b"case_no,seq,at,note\nC1,1\n"), "Line 2 has 2 fields, the header has 4"),
        (replaced(b"case_no,seq,at,note,note\nC1,1,,,\n"), "names a column twice"),
        (replaced(b'case_no,seq,at,note\nC1,1,,"open\n'), "breaks off"),
        (replaced(b""), "The file is empty"),
    ],
)
def test_wrong_delivery_is_held(tmp_path: Path, contract: Any, spoil: Any, what: str) -> None:
    spoil(drop(tmp_path, "2026-06-30", "c.csv", CSV.encode("gb18030"), 3))
    with pytest.raises(HeldBatch, match=what) as caught:
        pull(tmp_path, csv_contract(contract))
    assert "c.csv" in caught.value.where or "_manifest.json" in caught.value.where
    assert caught.value.expected
    assert caught.value.do


def test_older_drop_than_the_one_taken_is_held(tmp_path: Path, contract: Any) -> None:
    drop(tmp_path, "2026-06-29", "c.csv", CSV.encode("gb18030"), 3)
    with pytest.raises(HeldBatch, match="older than the one of 2026-06-30"):
        pull(tmp_path, csv_contract(contract), "2026-06-30")


@pytest.mark.parametrize(("folder", "kind"), [("", TransientError), ("nowhere", PermanentError)])
def test_no_drop_at_all(tmp_path: Path, contract: Any, folder: str, kind: type[CityhubError]) -> None:
    with pytest.raises(kind):
        FileTransport(str(tmp_path / folder), csv_contract(contract)).check()


def test_broken_json_line_and_workbook_are_held(tmp_path: Path, contract: Any) -> None:
    drop(tmp_path, "2026-06-30", "c.x", b'{"case_no": "C1"', 1)
    for kind, what in (("jsonl", "Line 1 is not a JSON object"), ("xlsx", "cannot be opened"), ("parquet", "read")):
        with pytest.raises(HeldBatch, match=what):
            pull(tmp_path, contract("files", source_name="c.x", source_format=kind))


def test_address_hides_the_password(contract: Any) -> None:
    transport = FileTransport("sftp://hub:s3cret@drops.example/care", csv_contract(contract))
    assert transport.address == "sftp://hub:***@drops.example/care"
