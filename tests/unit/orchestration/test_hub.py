"""Whose source systems a run talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

import demo
from connectors.contract import load_contracts
from orchestration import hub
from warehouse.settings import get_settings


@pytest.mark.parametrize(
    ("has_city", "named", "expected"),
    [
        (True, None, False),
        (True, "FIRE_INSPECTIONS", False),  # a further system stands beside the city's four
        (True, "CARE_HOMES", True),
        (False, None, False),
        (False, "CARE_HOMES", True),
    ],
)
def test_the_citys_own_systems_stay_away_when_one_of_them_is_named(
    has_city: bool, named: str | None, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYHUB_HOME", str(tmp_path))
    if has_city:
        (tmp_path / "demo").mkdir()
        (tmp_path / "demo" / "city.json").write_text("{}")
    if named:
        monkeypatch.setenv(f"CITYHUB_SOURCE_{named}_URL", "file:///")
    get_settings.cache_clear()
    hub.hub_contracts.cache_clear()
    assert hub.addresses_in_environment() is expected


def test_the_citys_systems_are_those_of_the_contracts() -> None:
    assert set(demo.SYSTEMS) == set(load_contracts())


@pytest.mark.parametrize(
    ("has_city", "said", "expected"), [(True, "", "trust"), (True, "off", "off"), (False, "", "off")]
)
def test_review_is_open_in_a_city_of_synthetic_people_unless_said_otherwise(
    has_city: bool, said: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYHUB_HOME", str(tmp_path))
    # Set and taken away again, so that what the city brings into the environment leaves with this test.
    monkeypatch.setenv("CITYHUB_REVIEW", said)
    if not said:
        monkeypatch.delenv("CITYHUB_REVIEW")
    if has_city:
        (tmp_path / "demo").mkdir()
        (tmp_path / "demo" / "city.json").write_text("{}")
    get_settings.cache_clear()
    assert hub.hub_settings().review == expected
