"""The same links on Spark where it is installed; where it is not, only the error that says what to do is tested."""

from __future__ import annotations

import importlib.util
from datetime import date

import polars as pl
import pytest

from identity.features.records import PERSON_INPUT, features_of
from identity.linkage import compare, faces_of
from identity.model import load_model
from warehouse.errors import ConfigurationError

HAS_SPARK = importlib.util.find_spec("pyspark") is not None


def pairs(engine: str) -> pl.DataFrame:
    rows = [
        ("r", "王小明", "310115196001010017", date(1960, 1, 1), "13912340001"),
        ("c", "王曉明", None, None, "13912340001"),
        ("d", "王女士", None, None, "13912340001"),
        ("e", "王小明", None, date(1960, 1, 1), None),
        ("f", "王小明", None, date(1960, 1, 1), None),
    ]
    schema = dict.fromkeys(PERSON_INPUT, pl.String) | {"birth_on": pl.Date}
    records = pl.DataFrame(
        [
            dict.fromkeys(PERSON_INPUT)
            | {"system": "s", "table_name": "t", "record_key": key, "name": name, "citizen_no": number}
            | {"citizen_no_key": number, "birth_on": born, "phone": phone}
            for key, name, number, born, phone in rows
        ],
        schema=schema,
    )
    model = load_model("resident")
    return compare(model, faces_of(model, features_of("resident", records), []), engine)  # type: ignore[arg-type]


if HAS_SPARK:

    def test_spark_gives_the_pairs_that_duckdb_gives() -> None:
        one, other = pairs("duckdb"), pairs("spark")
        assert one.height > 3
        assert one.drop("probability", "match_weight", "waterfall").equals(
            other.drop("probability", "match_weight", "waterfall")
        )
        assert (one.get_column("match_weight") - other.get_column("match_weight")).abs().max() < 1e-9  # type: ignore[operator]

else:

    def test_without_spark_the_error_says_what_to_install() -> None:
        with pytest.raises(ConfigurationError, match="not installed") as refused:
            pairs("spark")
        assert "pyspark" in refused.value.do
