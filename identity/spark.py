"""Scoring on Spark: the same model, the same blocking, for a city that one machine cannot hold.

pyspark is an optional extra; nothing here is imported before `CITYHUB_LINKAGE_ENGINE=spark` asks for it. A session that
is already there is used as it is; otherwise one is started where Spark's own settings say, on this machine if they say
nothing. Faces and scores pass through Parquet files in a temporary folder, which every worker has to see: on a cluster
TMPDIR names one on shared storage.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from identity.blocking import candidates_sql
from identity.engine import FREQUENCIES, frequencies, no_scores, scores_sql, settings_for
from identity.model import Model
from warehouse.errors import ConfigurationError


def score_on_spark(model: Model, faces: pl.DataFrame, match_prior: float, at_least: float) -> pl.DataFrame:
    """The rows of `engine.scores_sql`, from Spark.

    Raises:
        ConfigurationError: pyspark or Java is missing.
    """
    session = _session()
    from splink import Linker

    spark_api = _plain(importlib.import_module("splink.backends.spark").SparkAPI)
    with tempfile.TemporaryDirectory(prefix="cityhub-spark-") as folder:
        _register(session, Path(folder), "faces", faces)
        session.sql(candidates_sql(model.kind)).createOrReplaceTempView("candidates")
        session.catalog.cacheTable("candidates")
        try:
            if session.table("candidates").isEmpty():
                return no_scores(model)
            api = spark_api(spark_session=session, break_lineage_method="persist", register_udfs_automatically=False)
            settings = settings_for(model, match_prior) | {"sql_dialect": "spark"}
            linker = Linker(api.register("faces"), settings, log_level=None, validate_settings=False)
            if model.frequencies:
                _register(session, Path(folder), FREQUENCIES, frequencies(model, faces))
                linker.table_management.register_term_frequency_lookup(api.register(FREQUENCIES), "name")
            linker.table_management.register_blocked_pairs_for_predict(api.register("candidates"))
            found = linker.inference.predict(threshold_match_probability=at_least, warning_mode="never")
            session.sql(scores_sql(model, found.physical_name)).write.parquet(Path(folder, "scores").as_uri())
            return pl.read_parquet(f"{folder}/scores/*.parquet")
        finally:
            session.catalog.uncacheTable("candidates")


def _register(session: Any, folder: Path, name: str, frame: pl.DataFrame) -> None:
    """A frame as a view, by way of Parquet: pyspark before 4 takes no Arrow tables."""
    path = folder / f"{name}.parquet"
    # Spark has no unsigned integers.
    frame.with_columns(pl.selectors.unsigned_integer().cast(pl.Int64)).write_parquet(path)
    session.read.parquet(path.as_uri()).createOrReplaceTempView(name)


def _plain(api: Any) -> Any:
    """Splink's Spark backend without its dialect of SQL, which cannot be derived from sqlglot's compiled one.

    All it would change in scoring is the name of a type.
    """

    def setup(self: Any, sql: str, physical_name: str) -> str:
        return sql.replace("as float8)", "as double)")

    return type("PlainSparkAPI", (api,), {"_setup_for_execute_sql": setup})


def _session() -> Any:
    try:
        # By name: the extra is not installed where types are checked.
        spark = importlib.import_module("pyspark.sql").SparkSession
    except ImportError:
        raise _unusable("Spark is not installed") from None
    running = spark.getActiveSession()
    if running is not None:
        return running
    if not (shutil.which("java") or Path(os.environ.get("JAVA_HOME", ""), "bin", "java").is_file()):
        raise _unusable("there is no Java on this machine")
    # Spark's pages would show people's names to whoever reaches the port.
    session = spark.builder.appName("cityhub linkage").config("spark.ui.enabled", "false").getOrCreate()
    context = session.sparkContext
    if context.master.startswith("local"):
        # A cluster says itself how finely it divides its work; one machine has no use for Spark's 200 parts.
        session.conf.set("spark.sql.shuffle.partitions", str(context.defaultParallelism))
    return session


def _unusable(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"Linkage is to run on Spark, and {why}.",
        where="CITYHUB_LINKAGE_ENGINE=spark",
        expected="the package pyspark, and a Java runtime (on the PATH or in JAVA_HOME)",
        do="install them (`pip install 'cityhub[spark]'`: pyspark>=3.5,<4), or unset the variable to link on DuckDB",
    )
