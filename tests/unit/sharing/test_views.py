"""Masks: taken from dbt's manifest, refused where they could not hide what they should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sharing.history import Column
from sharing.tables import RELEASED_TABLES
from sharing.views import masks_from_manifest, view_select
from warehouse.errors import ConfigurationError, ContractError

TOWNS = next(table for table in RELEASED_TABLES if table.name == "towns")
COLUMNS = [Column("town_code", "text", None), Column("tile_x", "integer", None)]


def manifest(path: Path, columns: dict[str, object], *, without: str = "") -> Path:
    nodes = {
        f"model.cityhub.{table.name}": {
            "name": table.name,
            "resource_type": "model",
            "columns": columns if table.name == "residents" else {},
        }
        for table in RELEASED_TABLES
        if table.name != without
    }
    path.write_text(json.dumps({"nodes": nodes}))
    return path


def test_masks_come_from_the_models(tmp_path: Path) -> None:
    columns: dict[str, object] = {
        "name": {"meta": {"mask": "name"}, "config": {"meta": {"mask": "name"}}},
        "phone": {"meta": {}, "config": {"meta": {"mask": "phone"}}},
        "town_code": {"meta": {}, "config": {}},
    }
    masks = masks_from_manifest(manifest(tmp_path / "manifest.json", columns))
    assert masks["residents"] == {"name": "name", "phone": "phone"}
    assert set(masks) == {table.name for table in RELEASED_TABLES}


def test_a_manifest_without_a_released_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="towns"):
        masks_from_manifest(manifest(tmp_path / "manifest.json", {}, without="towns"))
    with pytest.raises(ConfigurationError, match=r"manifest\.json"):
        masks_from_manifest(tmp_path / "nowhere" / "manifest.json")


@pytest.mark.parametrize(
    "masks", [{"town_code": "nmae"}, {"gone": "name"}, {"tile_x": "phone"}, {"town_code": "birth_on"}]
)
def test_a_mask_that_would_hide_nothing_is_refused(masks: dict[str, str]) -> None:
    with pytest.raises(ContractError, match=next(iter(masks))):
        view_select(TOWNS, COLUMNS, masks)


def test_a_masked_column_leaves_only_through_its_mask() -> None:
    select = view_select(TOWNS, COLUMNS, {"town_code": "name"})
    assert select == (
        'select shared.mask_name("town_code") as "town_code", "tile_x" from release.towns where _to_release is null'
    )
