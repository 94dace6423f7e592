"""Scoring: Splink on DuckDB, fed and read through Arrow. Spark runs the same settings where it is installed."""

from __future__ import annotations

import copy
import logging
import math
from typing import Any

import polars as pl

from identity.blocking import candidates_sql, shifted_sql
from identity.comparisons import SINGLING
from identity.faces import Faces
from identity.model import Kind, Model

# Splink speaks of everything it does; a linkage says what matters itself.
_SPLINK_LOGGERS = ("splink", "splink.internals")


def prior(faces: Faces) -> float:
    """Probability that two records drawn at random speak of one subject, before anything is compared.

    One in the number of subjects that could be meant; in steps of a doubling, so that scores stay where they are from
    day to day and move together when the city has grown (every pair is then scored anew).
    """
    subjects = faces.table.select(
        pl.col("identifier").n_unique() + pl.col("is_register").filter(pl.col("identifier").is_null()).sum()
    ).item()
    return float(2.0 ** -max(10, math.ceil(math.log2(max(2, subjects)))))


def score(model: Model, faces: pl.DataFrame, match_prior: float, at_least: float) -> pl.DataFrame:
    """Score the pairs that blocking finds among the faces.

    Args:
        faces: `Faces.table` with `is_fresh`; only pairs with a fresh face are scored.
        at_least: pairs below this probability are dropped.

    Returns:
        `left`, `right` (faces, left <= right), `probability`, `weight` and, per comparison, `level_<name>` (position
        of its level among those that are not null, counted from the end: Splink's gamma) and `weight_<name>` in bits.
    """
    names = [str(comparison["output_column_name"]) for comparison in model.settings["comparisons"]]
    with duckdb_connection() as connection:
        connection.register("faces_in", faces.to_arrow())
        connection.execute("create table faces as select * from faces_in")
        connection.execute(f"create table candidates as {candidates_sql(model.kind)}")
        count = connection.execute("select count(*) from candidates").fetchall()
        if not count[0][0]:
            return _empty(names)
        linker = _linker(model, connection, match_prior)
        found = linker.inference.predict(threshold_match_probability=at_least, warning_mode="never")
        columns = ", ".join(
            f"gamma_{name}::integer as level_{name}, {_weight(model, name)} as weight_{name}" for name in names
        )
        table = connection.sql(
            "select face_l as left_face, face_r as right_face, match_probability as probability,"
            f" match_weight as weight, {columns} from {found.physical_name}"
        ).to_arrow_table()
    frame = pl.DataFrame(pl.from_arrow(table))
    return frame.rename({"left_face": "left", "right_face": "right"}).sort("left", "right")


def shifted_faces(kind: Kind, now: pl.DataFrame, before: pl.DataFrame) -> pl.Series:
    """Faces of `now` whose blocks came within their rules' reach since `before`, or left it."""
    with duckdb_connection() as connection:
        for name, frame in (("faces", now), ("before", before)):
            connection.register(f"{name}_in", frame.to_arrow())
            connection.execute(f"create table {name} as select * from {name}_in")
        found = connection.sql(shifted_sql(kind)).to_arrow_table()
    return pl.DataFrame(pl.from_arrow(found)).get_column("face")


def _weight(model: Model, name: str) -> str:
    has_frequency = any(
        level.get("tf_adjustment_column")
        for comparison in model.settings["comparisons"]
        if comparison["output_column_name"] == name
        for level in comparison["comparison_levels"]
    )
    return f"mw_{name} + mw_tf_adj_{name}" if has_frequency else f"mw_{name}"


def _empty(names: list[str]) -> pl.DataFrame:
    schema: dict[str, Any] = {"left": pl.Int64, "right": pl.Int64, "probability": pl.Float64, "weight": pl.Float64}
    for name in names:
        schema |= {f"level_{name}": pl.Int32, f"weight_{name}": pl.Float64}
    return pl.DataFrame(schema=schema)


def settings_for(model: Model, match_prior: float) -> dict[str, Any]:
    """The model's settings for a city of this size: its prior, and u of what singles a subject out in proportion."""
    settings = copy.deepcopy(model.settings)
    settings["probability_two_random_records_match"] = match_prior
    factor = match_prior / float(model.trained["prior"])
    for comparison in settings["comparisons"]:
        if comparison["output_column_name"] not in SINGLING[model.kind]:
            continue
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level") and level["sql_condition"] != "ELSE":
                level["u_probability"] = min(1.0, level["u_probability"] * factor)
    return settings


def duckdb_connection() -> Any:
    """An in-memory DuckDB that fetches nothing from anywhere."""
    # Imported here, as Splink below: together they take 1.5 s, which only a linkage should pay.
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
    connection.execute("set enable_progress_bar = false")
    return connection


def _linker(model: Model, connection: Any, match_prior: float) -> Any:
    from splink import Linker
    from splink.backends.duckdb import DuckDBAPI

    for name in _SPLINK_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    settings = settings_for(model, match_prior)
    api = DuckDBAPI(connection)
    linker = Linker(api.register("faces"), settings, log_level=None, validate_settings=False)
    if model.frequencies:
        names = connection.sql("select distinct name, surname from faces where name is not null").to_arrow_table()
        frame = pl.DataFrame(pl.from_arrow(names))
        frame = frame.select("name", tf_name=model.name_frequencies(frame))
        # A dotted name may be split in two ways: the likelier one counts.
        frame = frame.group_by("name").agg(pl.col("tf_name").max())
        connection.register("name_frequencies_in", frame.to_arrow())
        connection.execute("create table name_frequencies as select * from name_frequencies_in")
        linker.table_management.register_term_frequency_lookup(api.register("name_frequencies"), "name")
    linker.table_management.register_blocked_pairs_for_predict(api.register("candidates"))
    return linker
