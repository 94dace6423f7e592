"""Faces: all records that say exactly the same are compared as one.

A property company stands in hundreds of cases under one name and one code; comparing each with each would cost the
square of it and tell nothing new. A face is one combination of features; its first record (by key) stands for it in
every pair, the others hang on that one. Rows of a register are never lumped together (each is an entry of its own),
nor is a record that a decision names.

Hot values are taken out here: a telephone that many names share and a birthday that too many records share are filled
in, not told, so they neither find nor support a link.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from identity.features.records import FIRM_FEATURES, KEY, PERSON_FEATURES
from identity.model import Kind

# Registers: at most one entry per subject, unless certified identifiers say otherwise.
REGISTERS: dict[Kind, tuple[tuple[str, str], ...]] = {
    "resident": (("civil_affairs", "residents"),),
    "enterprise": (("market_supervision", "enterprises"),),
}
FEATURES: dict[Kind, tuple[str, ...]] = {"resident": PERSON_FEATURES, "enterprise": FIRM_FEATURES}
# A telephone with more names than this is a switchboard or a default; large families stay below.
PHONE_NAMES = 20
# A birthday is hot from 25 times the usual number of records, and never below 200.
BIRTH_FACTOR, BIRTH_LEAST = 25, 200


@dataclass(frozen=True)
class Faces:
    """Faces and their records.

    Attributes:
        table: `face` (position in the order of first records), `KEY` of the first record, features, `is_register`,
            `size`.
        members: `face` and `KEY` of every record.
    """

    table: pl.DataFrame
    members: pl.DataFrame


def build_faces(kind: Kind, features: pl.DataFrame, named: pl.DataFrame | None = None) -> Faces:
    """Faces of these records, the same whatever order they come in.

    Args:
        features: `KEY` and the kind's features.
        named: `KEY` of records that decisions name; each is a face of its own.
    """
    columns = list(FEATURES[kind])
    is_register = pl.any_horizontal(
        pl.lit(False),
        *((pl.col("system") == system) & (pl.col("table_name") == table) for system, table in REGISTERS[kind]),
    )
    frame = without_hot_values(kind, features).with_columns(is_register=is_register)
    apart = pl.col("is_register")
    if named is not None and named.height:
        frame = frame.join(named.select(*KEY, is_named=pl.lit(True)), on=KEY, how="left")
        apart = apart | pl.col("is_named").fill_null(False)
    own = pl.when(apart).then(pl.concat_str(*KEY, separator="|")).otherwise(pl.lit(""))
    frame = frame.with_columns(own=own).sort(KEY)
    groups = frame.group_by([*columns, "is_register", "own"], maintain_order=True).agg(
        *(pl.col(name).first() for name in KEY), size=pl.len(), records=pl.struct(KEY)
    )
    groups = groups.sort(KEY).with_row_index("face").with_columns(pl.col("face").cast(pl.Int64))
    members = groups.select("face", "records").explode("records").unnest("records")
    return Faces(groups.drop("records", "own"), members)


def mark_fresh(kind: Kind, now: Faces, before: Faces) -> Faces:
    """`now` with `is_fresh`: a face is fresh when no face before said the same for the same records."""
    columns = [*KEY, *FEATURES[kind], "is_register", "size", "held"]
    same = _with_held(before).select(columns).with_columns(was_there=pl.lit(True))
    table = _with_held(now).join(same, on=columns, how="left", nulls_equal=True, maintain_order="left")
    return Faces(table.with_columns(is_fresh=pl.col("was_there").is_null()).drop("was_there", "held"), now.members)


def _with_held(faces: Faces) -> pl.DataFrame:
    """The table with a fingerprint of each face's records."""
    held = faces.members.group_by("face").agg(held=pl.struct(KEY).hash(0).sum())
    return faces.table.join(held, on="face", how="left", maintain_order="left")


def without_hot_values(kind: Kind, features: pl.DataFrame) -> pl.DataFrame:
    """The features with hot values set to null."""
    if kind != "resident":
        return features
    phones = features.filter(pl.col("phone").is_not_null()).group_by("phone")
    hot_phones = phones.agg(pl.col("sound").n_unique()).filter(pl.col("sound") > PHONE_NAMES).get_column("phone")
    births = features.filter(pl.col("birth").is_not_null()).group_by("birth").len()
    usual = births.get_column("len").mean()
    limit = max(BIRTH_LEAST, BIRTH_FACTOR * float(usual if isinstance(usual, float) else 0.0))
    hot_births = births.filter(pl.col("len") > limit).get_column("birth")
    return features.with_columns(
        pl.when(~pl.col("phone").is_in(hot_phones.implode())).then("phone").alias("phone"),
        pl.when(~pl.col("birth").is_in(hot_births.implode())).then("birth").alias("birth"),
    )
