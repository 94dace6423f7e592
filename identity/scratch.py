"""Linking a set of records from nothing and in memory: for evaluation and benchmarks, no ids, no ledgers."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from identity.faces import REGISTERS
from identity.features.records import KEY, features_of
from identity.linkage import compare, faces_of, settle
from identity.model import Kind, load_model

LINKS = (*KEY, "subject", "loose", "method", "probability")


@dataclass(frozen=True)
class Scratch:
    """Records linked from scratch.

    Attributes:
        features: what the records were compared by, with `town` and `is_register`.
        links: `LINKS`, one row per record.
        asked: pairs that would be put to review.
    """

    features: pl.DataFrame
    links: pl.DataFrame
    asked: int


def link_from_scratch(kind: Kind, records: pl.DataFrame) -> Scratch:
    """Link records (`PERSON_INPUT` or `FIRM_INPUT`) that have never been linked."""
    model = load_model(kind)
    features = features_of(kind, records)
    faces = faces_of(model, features, [])
    settled = settle(model, faces, compare(model, faces), [], [])
    own = pl.concat_str(KEY, separator="|")
    links = (
        features.select(*KEY, held="identifier")
        .join(settled.clustered, on=KEY, how="left")
        .with_columns(subject=pl.coalesce("held", "identifier", "cluster", own), method=_method())
        .with_columns(probability=pl.when(pl.col("held").is_null()).then("probability").fill_null(1.0))
    )
    root = pl.coalesce("root_identifier", pl.concat_str("root_system", "root_table", "root_key", separator="|"))
    loose = settled.loose.select(subject=own, root=root)
    links = links.join(loose, on="subject", how="left").with_columns(loose=pl.coalesce("root", "subject"))
    return Scratch(described(kind, records, features), links.select(LINKS), settled.review.height)


def described(kind: Kind, records: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Features with what groups are told by: `town` and `is_register`."""
    in_register = [(pl.col("system") == system) & (pl.col("table_name") == table) for system, table in REGISTERS[kind]]
    towns = records.get_column("town_code").alias("town")
    frame = features.with_columns(is_register=pl.any_horizontal(in_register))
    return frame.with_columns(towns)


def _method() -> pl.Expr:
    certified = pl.when(pl.col("held").is_not_null()).then(pl.lit("certified"))
    return certified.otherwise(pl.col("method").fill_null("own_record"))
