"""Scoring: Splink on DuckDB, fed and read through Arrow. Spark runs the same settings where it is installed."""

from __future__ import annotations

import copy
import logging
import math
from typing import Any, Literal

import polars as pl

from identity.blocking import BLOCKED_BY, NEEDED, candidates_sql, neighbours_sql, shifted_sql
from identity.comparisons import SINGLING
from identity.faces import Faces
from identity.features.records import KEY
from identity.model import Kind, Model

Engine = Literal["duckdb", "spark"]
FREQUENCIES = "name_frequencies"
# Texts are handed to DuckDB as Polars holds them: the older Arrow form would be a copy.
_AS_IT_IS = pl.CompatLevel.newest()


def prior(faces: Faces) -> float:
    """Probability that two records drawn at random speak of one subject, before anything is compared.

    One in the number of subjects that could be meant; in steps of a doubling, so that scores stay where they are from
    day to day and move together when the city has grown (every pair is then scored anew).
    """
    return prior_among(faces.table)


def prior_among(records: pl.DataFrame) -> float:
    """The same of faces or of records (`identifier`, `is_register`): all rows of a register are faces of their own.

    Identifiers are counted by hash: they are long, and a doubling is no matter of one in a million.
    """
    subjects = records.select(
        pl.col("identifier").hash(0).n_unique() + pl.col("is_register").filter(pl.col("identifier").is_null()).sum()
    ).item()
    return float(2.0 ** -max(10, math.ceil(math.log2(max(2, subjects)))))


def score(
    model: Model, faces: pl.DataFrame, match_prior: float, at_least: float, engine: Engine = "duckdb"
) -> pl.DataFrame:
    """Score the pairs that blocking finds among the faces.

    Args:
        faces: `Faces.table` with `is_fresh`; only pairs with a fresh face are scored.
        at_least: pairs below this probability are dropped.

    Returns:
        `left`, `right` (faces, left <= right), `probability`, `weight` and, per comparison, `level_<name>` (position
        of its level among those that are not null, counted from the end: Splink's gamma) and `weight_<name>` in bits.
    """
    # Splink speaks of everything it does; a linkage says what matters itself.
    logging.getLogger("splink").setLevel(logging.ERROR)
    if engine == "spark":
        from identity.spark import score_on_spark

        found = score_on_spark(model, faces, match_prior, at_least)
    else:
        found = _score_on_duckdb(model, faces, match_prior, at_least)
    # Engines differ in a weight's last digits, and so do equal weights that were added up in another order: what ranks
    # pairs must tell neither.
    exact = found.with_columns(pl.col("weight").round(9), pl.col("probability").round(12))
    return exact.rename({"left_face": "left", "right_face": "right"}).sort("left", "right")


def _score_on_duckdb(model: Model, faces: pl.DataFrame, match_prior: float, at_least: float) -> pl.DataFrame:
    with duckdb_connection() as connection:
        # Candidates are found by a few columns; of all faces only those among them are scored.
        create_table(connection, "faces", faces.select("face", "size", "is_fresh", "identifier", *NEEDED[model.kind]))
        connection.execute(f"create table candidates as {candidates_sql(model.kind)}")
        ends = "select join_key_l as face from candidates union select join_key_r from candidates"
        found = pl.DataFrame(pl.from_arrow(connection.sql(ends).to_arrow_table()))
        if not found.height:
            return no_scores(model)
        connection.execute("drop table faces")
        faces = faces.join(found, on="face", how="semi")
        create_table(connection, "faces", faces)
        # Imported here, as DuckDB below: together they take 1.5 s, which only a linkage should pay.
        from splink import Linker
        from splink.backends.duckdb import DuckDBAPI

        api = DuckDBAPI(connection)
        settings = settings_for(model, match_prior)
        linker = Linker(api.register("faces"), settings, log_level=None, validate_settings=False)
        if model.frequencies:
            create_table(connection, FREQUENCIES, frequencies(model, faces))
            linker.table_management.register_term_frequency_lookup(api.register(FREQUENCIES), "name")
        linker.table_management.register_blocked_pairs_for_predict(api.register("candidates"))
        scored = linker.inference.predict(threshold_match_probability=at_least, warning_mode="never")
        return pl.DataFrame(pl.from_arrow(connection.sql(scores_sql(model, scored.physical_name)).to_arrow_table()))


def scores_sql(model: Model, predicted: str) -> str:
    """SQL that brings Splink's predictions into the columns of `score`; faces are `left_face` and `right_face`."""
    columns = ", ".join(
        f"cast(gamma_{name} as int) as level_{name}, {_weight(model, name)} as weight_{name}" for name in _names(model)
    )
    return (
        "select face_l as left_face, face_r as right_face, match_probability as probability, match_weight as weight,"
        f" {columns} from {predicted}"
    )


def no_scores(model: Model) -> pl.DataFrame:
    """What `scores_sql` gives when there is nothing to compare."""
    faces, weights = ("left_face", "right_face"), ("probability", "weight")
    schema: dict[str, Any] = dict.fromkeys(faces, pl.Int64) | dict.fromkeys(weights, pl.Float64)
    for name in _names(model):
        schema |= {f"level_{name}": pl.Int32, f"weight_{name}": pl.Float64}
    return pl.DataFrame(schema=schema)


def frequencies(model: Model, faces: pl.DataFrame) -> pl.DataFrame:
    """`name` and `tf_name` of every full name among the faces."""
    names = faces.filter(pl.col("name").is_not_null()).select("name", "surname").unique(maintain_order=True)
    frame = names.select("name", tf_name=model.name_frequencies(names))
    # A dotted name may be split in two ways: the likelier one counts.
    return frame.group_by("name").agg(pl.col("tf_name").max())


def shifted_faces(kind: Kind, now: pl.DataFrame, before: pl.DataFrame) -> pl.Series:
    """Faces of `now` whose blocks came within their rules' reach since `before`, or left it."""
    with duckdb_connection() as connection:
        create_table(connection, "faces", now)
        create_table(connection, "before", before)
        found = connection.sql(shifted_sql(kind)).to_arrow_table()
    return pl.DataFrame(pl.from_arrow(found)).get_column("face")


def in_touched_blocks(kind: Kind, features: pl.DataFrame, touching: pl.DataFrame) -> pl.DataFrame:
    """The rows of `features` that share a block with a row of `touching`."""
    return features[_places_in_blocks(kind, features, touching).sort()]


def comparable(kind: Kind, features: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """The rows of `features` that a pair can name: most of a register is certified and has no uncertified one near.

    Args:
        named: `KEY` of records that are wanted in any case.
    """
    certified = pl.col("identifier").is_not_null()
    near = _places_in_blocks(kind, features, features.filter(~certified).select(BLOCKED_BY[kind]))
    rows = features.select(*KEY, "identifier").with_row_index("at")
    wanted = [rows.filter(~certified), rows.join(named, on=KEY, how="semi")]
    return features[pl.concat([near, *(each.get_column("at").cast(near.dtype) for each in wanted)]).unique().sort()]


def _places_in_blocks(kind: Kind, features: pl.DataFrame, touching: pl.DataFrame) -> pl.Series:
    numbered = features.select(BLOCKED_BY[kind]).with_row_index("face")
    with duckdb_connection() as connection:
        connection.register("faces", numbered.to_arrow(compat_level=_AS_IT_IS))
        create_table(connection, "touching", touching)
        found = connection.sql(neighbours_sql(kind)).to_arrow_table()
    return pl.DataFrame(pl.from_arrow(found)).get_column("face")


def settings_for(model: Model, match_prior: float) -> dict[str, Any]:
    """The model's settings for a city of this size: its prior, and u of what singles a subject out in proportion."""
    settings = copy.deepcopy(model.settings)
    settings["probability_two_random_records_match"] = match_prior
    factor = match_prior / float(model.trained["prior"])
    for comparison in settings["comparisons"]:
        name = comparison["output_column_name"]
        for level in comparison["comparison_levels"]:
            singles_out = {name, f"{name}.{level['label_for_charts']}"} & set(SINGLING[model.kind])
            if singles_out and not level.get("is_null_level") and level["sql_condition"] != "ELSE":
                level["u_probability"] = min(1.0, level["u_probability"] * factor)
    return settings


def duckdb_connection() -> Any:
    """An in-memory DuckDB that fetches nothing from anywhere."""
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
    connection.execute("set enable_progress_bar = false")
    return connection


def create_table(connection: Any, name: str, frame: pl.DataFrame) -> None:
    """A frame as a table of a DuckDB connection."""
    connection.register(f"{name}_in", frame.to_arrow(compat_level=_AS_IT_IS))
    connection.execute(f"create table {name} as select * from {name}_in")
    connection.unregister(f"{name}_in")


def _names(model: Model) -> list[str]:
    return [str(comparison["output_column_name"]) for comparison in model.settings["comparisons"]]


def _weight(model: Model, name: str) -> str:
    has_frequency = any(
        level.get("tf_adjustment_column")
        for comparison in model.settings["comparisons"]
        if comparison["output_column_name"] == name
        for level in comparison["comparison_levels"]
    )
    return f"mw_{name} + mw_tf_adj_{name}" if has_frequency else f"mw_{name}"
