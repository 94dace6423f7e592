"""docs/reference/demo-city.md says what the code does."""

from __future__ import annotations

import dataclasses
import inspect
import re

from demo import faults
from demo.city import DirtRates, generate
from warehouse.paths import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "reference" / "demo-city.md").read_text("utf-8")


def test_every_rate_is_documented_with_its_default() -> None:
    documented = {name: float(value) for name, value in re.findall(r"^\| `(\w+)` \| ([0-9.]+) \|", PAGE, re.MULTILINE)}
    assert documented == dataclasses.asdict(DirtRates())


def test_every_fault_is_documented() -> None:
    for name, function in inspect.getmembers(faults, inspect.isfunction):
        if function.__module__ == faults.__name__ and not name.startswith("_"):
            assert f"`{name}" in PAGE, name


def test_every_finding_and_role_is_documented() -> None:
    truth = generate(2000, seed=1).truth()
    for kind in truth["findings"]["kind"].unique():
        assert f"| {kind} |" in PAGE
    for kind in ("persons", "enterprises"):
        for role in truth[kind]["role"].unique():
            assert role in PAGE
