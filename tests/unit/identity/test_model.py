"""Model files: the shipped ones are whole, a file of another version is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from identity.comparisons import TEXTS
from identity.model import KINDS, Kind, load_model, newest_file, read_model
from identity.thresholds import THRESHOLDS
from warehouse.errors import ConfigurationError


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_model_is_whole(kind: Kind) -> None:
    model = load_model(kind)
    for name, levels in model.levels().items():
        assert name in TEXTS
        assert {level["level"] for level in levels} <= TEXTS.keys()
        assert sum(level["m"] for level in levels) == pytest.approx(1, abs=0.001)
        assert levels[-1]["weight"] < 0, f"nothing in common must speak against: {name}"
        assert levels[0]["weight"] > 0, f"full agreement must speak for: {name}"


def test_rare_names_are_rarer_than_common_ones() -> None:
    names = pl.DataFrame({"name": ["王丽", "亓䶮䶮"], "surname": ["王", "亓"]})
    common, rare = load_model("resident").name_frequencies(names)
    assert 0 < rare < common < 1


def test_thresholds_are_in_order() -> None:
    assert 0.5 <= THRESHOLDS["loose"] < THRESHOLDS["normal"] < THRESHOLDS["strict"] < 1


@pytest.mark.parametrize(
    ("change", "word"),
    [({"format": 99}, "format"), ({"kind": "vehicle"}, "kind"), ({"settings": {"comparisons": []}}, "comparisons")],
)
def test_a_file_of_another_version_is_refused(tmp_path: Path, change: dict[str, object], word: str) -> None:
    content = json.loads(newest_file("resident").read_text("utf-8")) | change
    path = tmp_path / "resident-9.json"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ConfigurationError, match=word):
        read_model(path)


def test_no_model_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no linkage model"):
        load_model("resident", tmp_path)
