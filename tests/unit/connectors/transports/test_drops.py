"""Encodings told apart, files without a manifest, and drops that arrive late."""

from __future__ import annotations

import hashlib
import json
import os
import time
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.transports.drops import QUIET_SECONDS, DropFolder
from connectors.transports.files import FileTransport
from connectors.transports.inspection import Evidence, looks_like
from warehouse.errors import HeldBatch, TransientError

TEXT = "case_no,seq,at,note\nC1,1,,陆家嘴街道\nC2,2,,路\n"
HANZI = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=4, max_size=40)


def drop(root: Path, day: str, content: bytes, *, manifest: bool = True, age: float = 3600) -> Path:
    folder = root / day
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "c.csv").write_bytes(content)
    moment = time.time() - age
    os.utime(folder / "c.csv", (moment, moment))
    if manifest:
        entry = {"c.csv": {"rows": content.count(b"\n") - 1, "sha256": hashlib.sha256(content).hexdigest()}}
        (folder / "_manifest.json").write_text(json.dumps({"files": entry}))
    return folder


def system(contract: Any, **own: Any) -> Any:
    return contract("files", **({"source_name": "c.csv", "source_format": "csv", "encoding": "gb18030"} | own))


def pull(root: Path, contract: Any, cursor: str | None = None, taken: Any = ()) -> tuple[pl.DataFrame, Any]:
    started = FileTransport(str(root), contract, taken=taken).pull(contract.tables[0], cursor)
    frames = list(started.frames)
    return pl.concat(frames) if frames else pl.DataFrame(), started


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ("gb18030", "gb18030"),
        ("gb18030", "gbk"),
        ("gbk", "gbk"),
        ("utf-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("gb18030", "ascii"),
    ],
)
def test_encodings_that_fit_the_contract(tmp_path: Path, contract: Any, declared: str, sent: str) -> None:
    text = TEXT if sent != "ascii" else "case_no,seq,at,note\nC1,1,,x\nC2,2,,y\n"
    drop(tmp_path, "2026-06-30", text.encode(sent))
    frame, _ = pull(tmp_path, system(contract, encoding=declared))
    assert frame["note"].to_list() == (["陆家嘴街道", "路"] if sent != "ascii" else ["x", "y"])
    FileTransport(str(tmp_path), system(contract, encoding=declared)).check()


def test_gb18030_with_its_own_bom(tmp_path: Path, contract: Any) -> None:
    drop(tmp_path, "2026-06-30", ("\ufeff" + TEXT).encode("gb18030"))
    assert pull(tmp_path, system(contract))[0].height == 2


@pytest.mark.parametrize(
    ("declared", "sent", "found"),
    [
        ("gb18030", "utf-8", "UTF-8."),
        ("gb18030", "utf-8-sig", "UTF-8 with BOM"),
        ("gbk", "utf-8", "UTF-8."),
        ("gb18030", "utf-16", "UTF-16"),
        ("utf-8", "utf-16", "UTF-16"),
        ("utf-8", "gb18030", "GBK"),
        ("utf-8", "gb18030 with rare characters", "GB18030"),
        ("gbk", "gb18030 with rare characters", "GB18030"),
    ],
)
def test_another_encoding_is_named(tmp_path: Path, contract: Any, declared: str, sent: str, found: str) -> None:
    text = TEXT.replace("陆", "𠮷") if "rare" in sent else TEXT
    drop(tmp_path, "2026-06-30", text.encode(sent.split()[0]))
    with pytest.raises(HeldBatch, match=f"not in the encoding {declared}.*looks like {found}"):
        pull(tmp_path, system(contract, encoding=declared))


def test_utf8_far_down_a_gb18030_file_is_noticed(tmp_path: Path, contract: Any) -> None:
    """An even number of such bytes decodes as GB18030 without an error, into other characters."""
    text = "case_no,seq,at,note\n" + "".join(f"C{n},1,,x\n" for n in range(300_000)) + "C,1,,街道\n"
    assert text.encode().decode("gb18030") != text
    drop(tmp_path, "2026-06-30", text.encode())
    with pytest.raises(HeldBatch, match="looks like UTF-8"):
        pull(tmp_path, system(contract))


def test_json_lines_follow_the_contracts_encoding(tmp_path: Path, contract: Any) -> None:
    folder = drop(tmp_path, "2026-06-30", b"")
    line = '{"case_no": "C1", "seq": 1, "at": null, "note": "街道"}\n'
    entry = {"rows": 1, "sha256": hashlib.sha256(line.encode("gb18030")).hexdigest()}
    (folder / "c.csv").write_bytes(line.encode("gb18030"))
    (folder / "_manifest.json").write_text(json.dumps({"files": {"c.csv": entry}}))
    assert pull(tmp_path, system(contract, source_format="jsonl"))[0]["note"].to_list() == ["街道"]
    with pytest.raises(HeldBatch, match=r"not in the encoding utf-8.*looks like GBK"):
        pull(tmp_path, system(contract, source_format="jsonl", encoding=None))


@given(HANZI, st.integers(0, 60))
@example("路", 1)
def test_evidence_never_takes_gb_text_for_utf8(text: str, cut: int) -> None:
    data = text.encode("gb18030")
    evidence = Evidence()
    evidence.add(data[:cut])
    evidence.add(data[cut:])
    assert evidence.unicode is None
    utf8 = Evidence()
    utf8.add(text.encode()[:cut])
    utf8.add(text.encode()[cut:])
    assert utf8.unicode == "UTF-8"
    assert looks_like(text.encode()) == "UTF-8"


def test_file_without_manifest_is_taken_once_it_is_left_alone(tmp_path: Path, contract: Any) -> None:
    drop(tmp_path, "2026-06-29", TEXT.encode("gb18030"), manifest=False)
    drop(tmp_path, "2026-06-30", TEXT.encode("gb18030"), manifest=False, age=QUIET_SECONDS - 5)
    with pytest.raises(TransientError, match="no complete drop"):
        pull(tmp_path, system(contract))
    frame, done = pull(tmp_path, system(contract, needs_manifest=False))
    assert (frame.height, done.cursor, done.source_total) == (2, "2026-06-29", None)
    os.utime(tmp_path / "2026-06-30" / "c.csv", (0, time.time() - QUIET_SECONDS - 5))
    assert pull(tmp_path, system(contract, needs_manifest=False))[1].cursor == "2026-06-30"


def test_file_that_moves_while_it_is_read_is_not_taken(tmp_path: Path, contract: Any) -> None:
    folder = drop(tmp_path, "2026-06-30", TEXT.encode("gb18030"), manifest=False)
    table = system(contract, needs_manifest=False)
    started = FileTransport(str(tmp_path), table).pull(table.tables[0], None)
    next(started.frames)
    with (folder / "c.csv").open("ab") as writer:
        writer.write(b"C3,3,,\n")
    with pytest.raises(TransientError, match="changed while it was read"):
        list(started.frames)


def test_manifest_that_is_there_counts_also_where_it_may_be_missing(tmp_path: Path, contract: Any) -> None:
    folder = drop(tmp_path, "2026-06-30", TEXT.encode("gb18030"))
    (folder / "c.csv").write_bytes(TEXT.encode("gb18030")[:-4])
    with pytest.raises(HeldBatch, match="truncated or changed"):
        pull(tmp_path, system(contract, needs_manifest=False))


def days_of(frame: pl.DataFrame) -> list[str]:
    found = frame["_position"].struct.field("file").str.head(10).unique(maintain_order=True)
    return list(found)


def test_late_drop_is_taken_in_order(tmp_path: Path, contract: Any) -> None:
    for day in ("2026-06-27", "2026-06-28", "2026-06-29", "2026-06-30"):
        drop(tmp_path, day, TEXT.encode("gb18030"), manifest=day != "2026-06-27")
    table = system(contract, load_mode="append")
    taken = {date(2026, 6, 29), date(2026, 6, 30)}
    frame, done = pull(tmp_path, table, "2026-06-30", taken)
    # The later ones come again, so that their states stay the last ones.
    assert days_of(frame) == ["2026-06-28", "2026-06-29", "2026-06-30"]
    assert (done.cursor, len(done.drops)) == ("2026-06-30", 3)
    assert pull(tmp_path, table, "2026-06-30", taken | {date(2026, 6, 28)})[0].height == 0


def test_taken_drops_are_not_opened_again(tmp_path: Path, contract: Any) -> None:
    for day in ("2026-06-29", "2026-06-30"):
        drop(tmp_path, day, TEXT.encode("gb18030"))
    (tmp_path / "2026-06-29" / "_manifest.json").write_text("{")
    (table,) = system(contract, load_mode="append").tables
    transport = FileTransport(str(tmp_path), system(contract, load_mode="append"))
    folder = DropFolder(*transport._root(), "here", "parking")
    assert folder.due(table, "2026-06-30", {date(2026, 6, 29), date(2026, 6, 30)}) == []
