"""Spark gives the scores, links and questions that DuckDB gives: on this machine, in two threads."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from functools import partial

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from demo.city.dirt import DirtRates
from demo.city.generation import generate
from demo.city.state import City
from identity.cluster import Conflict
from identity.engine import score
from identity.faces import Faces
from identity.features.records import KEY, features_of
from identity.linkage import Decision, Settled, compare, faces_of, settle
from identity.model import Kind, Model, load_model
from identity.queue import PAIR
from tests.city_records import city_firms, city_persons
from warehouse.errors import ConfigurationError

HAS_SPARK = importlib.util.find_spec("pyspark") is not None
HAS_JAVA = shutil.which("java") is not None or "JAVA_HOME" in os.environ
pytestmark = [
    pytest.mark.skipif(not HAS_SPARK, reason="the optional extra is not installed: pip install 'cityhub[spark]'"),
    pytest.mark.skipif(not HAS_JAVA, reason="Spark needs a Java runtime"),
    # One session for all.
    pytest.mark.xdist_group("spark"),
]
# The constraints that these cities and the decisions planted in them meet.
CONFLICTS: dict[Kind, set[Conflict]] = {
    "resident": {"certified", "register"},
    "enterprise": {"certified", "cannot_link"},
}
same = partial(assert_frame_equal, rel_tol=0.0, abs_tol=1e-9)


@pytest.fixture(scope="module")
def _session() -> Iterator[None]:
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.memory", "768m")
        # Most of the time goes into compiling what runs once.
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    yield
    session.stop()


@pytest.fixture(scope="module")
def city() -> City:
    return generate(400, 5, rates=DirtRates().times(4))


def persons(city: City) -> pl.DataFrame:
    """The city's records of persons, one of its register entered again without the number."""
    records = city_persons(city)
    entered = records.filter(
        pl.col("table_name") == "residents", pl.all_horizontal(pl.col("citizen_no", "phone").is_not_null())
    ).tail(1)
    nothing = [pl.lit(None, pl.String).alias(name) for name in ("citizen_no", "citizen_no_key", "citizen_no_written")]
    return pl.concat([records, entered.with_columns(*nothing, record_key=pl.lit("again"))])


def planted(model: Model, features: pl.DataFrame) -> list[Decision]:
    """Decisions with the model, against it, and against certified identifiers, on records of this city."""
    pairs = compare(model, faces_of(model, features, []))
    likely = pairs.filter(pl.col("probability") > 0.999).select(PAIR).head(3)
    certified = features.filter(pl.col("identifier").is_not_null()).unique("identifier", maintain_order=True)
    one, two, three = sorted(certified.head(3).select(KEY).iter_rows())
    nobody = features.filter(pl.col("identifier").is_null()).select(KEY).row(0)
    return [
        Decision(one, two, "must_link"),
        Decision(*sorted((three, nobody)), "must_link"),
        *(Decision(row[:3], row[3:], "cannot_link") for row in likely.iter_rows()),
    ]


def settled(model: Model, faces: Faces, pairs: pl.DataFrame, decisions: list[Decision]) -> Settled:
    return settle(model, faces, pairs, decisions, [])


def test_without_java_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs first: a session that is there would be used."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigurationError, match="no Java"):
        score(load_model("resident"), pl.DataFrame(), 1e-6, 0.5, "spark")


@pytest.mark.usefixtures("_session")
@pytest.mark.parametrize("kind", ["resident", "enterprise"])
def test_spark_links_and_asks_what_duckdb_does(city: City, kind: Kind) -> None:
    model = load_model(kind)
    features = features_of(kind, persons(city) if kind == "resident" else city_firms(city))
    decisions = planted(model, features)
    faces = faces_of(model, features, decisions)
    one, other = compare(model, faces), compare(model, faces, "spark")
    assert one.height > 30
    same(one, other)
    mine, theirs = settled(model, faces, one, decisions), settled(model, faces, other, decisions)
    assert set(mine.review.get_column("conflict")) >= CONFLICTS[kind]
    assert {"model", "reviewed"} <= set(mine.clustered.get_column("method"))
    same(mine.clustered.sort(KEY), theirs.clustered.sort(KEY))
    same(mine.review.sort(PAIR), theirs.review.sort(PAIR))
    same(mine.loose.sort(KEY), theirs.loose.sort(KEY))
