"""Without pyspark the error says what to install; what Spark computes is tested in tests/integration/identity."""

from __future__ import annotations

import sys

import polars as pl
import pytest

from identity.engine import score
from identity.model import load_model
from warehouse.errors import ConfigurationError


def test_without_pyspark_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(ConfigurationError, match="not installed") as refused:
        score(load_model("resident"), pl.DataFrame(), 1e-6, 0.5, "spark")
    assert "pyspark" in refused.value.do
