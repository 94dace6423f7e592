"""What a run is told: which tables it pulls whole, by which day, and who may lose rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from connectors.contract import load_contracts
from connectors.landing import Allowance
from orchestration.cli.run import run_options
from orchestration.run_config import HubConfig
from warehouse.errors import ConfigurationError

CASES = load_contracts()["urban_management"].table("cases")
SITES = load_contracts()["urban_management"].table("sites")


@pytest.mark.parametrize(
    ("sweep", "day", "is_forced"),
    [("due", date(2026, 6, 30), False), ("all", date(2026, 6, 30), True), ("none", None, False)],
)
def test_sweeps_follow_the_business_date_unless_told_otherwise(sweep: str, day: date | None, is_forced: bool) -> None:
    config = HubConfig(business_date="2026-06-30", sweep=sweep)
    assert config.sweep_day() == day
    assert config.is_forced(CASES) is is_forced
    # Its every pull is whole, and an append table is never swept.
    assert not config.is_forced(SITES)


def test_leave_is_for_the_tables_named() -> None:
    config = HubConfig(allow_shrink=["urban_management.sites"], allowed_by="王主任", why="a letter")
    assert config.allowance(SITES) == Allowance("王主任", "a letter")
    assert config.allowance(CASES) is None


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"allow_shrink": ["urban_management.nowhere"], "allowed_by": "王", "why": "x"}, "urban_management.nowhere"),
        ({"allow_shrink": ["urban_management.sites"], "allowed_by": "王"}, "a reason"),
        ({"allow_shrink": ["urban_management.sites"], "why": "x"}, "a name"),
        ({"sweep": "some"}, "'some'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_pulled(told: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word) as caught:
        HubConfig(**told).require_sound()
    assert caught.value.do


def test_a_run_that_is_told_nothing_sweeps_what_is_due() -> None:
    assert run_options(None, [], None, None) == {}
    assert run_options(False, [], None, None)["sweep"] == "none"
    told = run_options(True, ["urban_management.sites"], "a letter", None)
    assert (told["sweep"], told["allow_shrink"], told["why"]) == ("all", ["urban_management.sites"], "a letter")
    assert told["allowed_by"]
