"""Pairs that have nobody beside them: what comes of them can be read off, by column, without clustering.

Four fifths of all uncertified records match one subject and nothing else. A pair whose two ends appear in no other
pair, hold one record each (or one certified subject) and are named by nobody has no rival and closes no chain: of all
constraints only the one about registers can speak. `identity.cluster` would find the same, one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from identity.faces import Faces
from identity.features.records import KEY
from identity.thresholds import NORMAL

_SIDES = ("left", "right")
_NO_TEXT = pl.lit(None, pl.String)


@dataclass(frozen=True)
class Lone:
    """Lone pairs, and what is left for clustering.

    Attributes:
        pairs: `pair`, `probability`, `is_joined`, `conflict`; `keeps_…` and `goes_…` (face, `KEY`, identifier): the end
            that a cluster is named after, and the one that hangs on it.
        rest: the ends of all other pairs.
    """

    pairs: pl.DataFrame
    rest: pl.DataFrame


def split_lone(faces: Faces, ends: pl.DataFrame, named: pl.Series, earlier: pl.DataFrame) -> Lone:
    """Tell lone pairs from the rest.

    Args:
        ends: `pair`, `left`, `right` (faces), `probability`, …
        named: faces of records that decisions name.
        earlier: `face` and `identifier` of records that belonged to a certified subject before.
    """
    touched = pl.concat([ends.get_column("left"), ends.get_column("right"), named]).unique()
    columns = ("face", *KEY, "identifier", "is_register", "size", "founding")
    table = faces.table if "founding" in faces.table.columns else faces.table.with_columns(founding=_NO_TEXT)
    table = table.select(columns).filter(pl.col("face").is_in(touched.implode()))
    # All certified faces of one identifier are one node.
    node = pl.when(pl.col("identifier").is_null()).then("face").otherwise(pl.col("face").min().over("identifier"))
    table = table.with_columns(node=node)
    found = _ranked(ends, table)
    busy = _busy(ends, table, named)
    found = found.filter(~pl.col("keeps_node").is_in(busy.implode()), ~pl.col("goes_node").is_in(busy.implode()))
    # An earlier link to where the pair leads anyway says nothing; any other has to be weighed against the pair.
    told = earlier.join(
        found.filter("is_joined").select("goes_face", "keeps_identifier"),
        left_on=["face", "identifier"],
        right_on=["goes_face", "keeps_identifier"],
        how="anti",
    )
    odd = pl.col("goes_face").is_in(told.get_column("face").implode())
    odd |= pl.col("keeps_face").is_in(told.get_column("face").implode())
    odd |= pl.col("keeps_identifier").is_in(told.get_column("identifier").implode()).fill_null(False)
    # Two entries of one founding may be one firm: who else is of it has to be looked at.
    odd |= (pl.col("keeps_founding") == pl.col("goes_founding")).fill_null(False)
    found = found.filter(~odd)
    return Lone(found, ends.join(found.select("pair"), on="pair", how="anti"))


def _busy(ends: pl.DataFrame, table: pl.DataFrame, named: pl.Series) -> pl.Series:
    """Nodes that are in several pairs, stand for several records, or are named."""
    nodes = table.select("face", "node")
    degrees = pl.concat(
        [ends.select(face=side).join(nodes, on="face").get_column("node") for side in _SIDES]
    ).value_counts(name="times")
    crowded = (pl.col("size") > 1) & pl.col("identifier").is_null()
    told = crowded | pl.col("face").is_in(named.implode())
    return pl.concat(
        [degrees.filter(pl.col("times") > 1).get_column("node"), table.filter(told).get_column("node")]
    ).unique()


def _ranked(ends: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """The pairs with the end first that keeps its name: a certified one, else the one whose key is lower."""
    sides = {side: table.rename({name: f"{side}_{name}" for name in table.columns}) for side in _SIDES}
    found = ends.select("pair", "probability", left_face="left", right_face="right")
    for side in _SIDES:
        found = found.join(sides[side], on=f"{side}_face")
    # A pair's left record is the lower one; two certified ends are never paired.
    right_keeps = pl.col("right_identifier").is_not_null()
    columns = ("face", *KEY, "identifier", "is_register", "node", "founding")
    ranked = found.with_columns(
        *(
            pl.when(right_keeps).then(f"{one}_{name}").otherwise(f"{other}_{name}").alias(f"{end}_{name}")
            for end, one, other in (("keeps", "right", "left"), ("goes", "left", "right"))
            for name in columns
        )
    )
    both = pl.col("keeps_is_register") & pl.col("goes_is_register")
    return ranked.select(
        "pair",
        "probability",
        *(f"{end}_{name}" for end in ("keeps", "goes") for name in ("face", *KEY, "identifier", "node", "founding")),
        conflict=pl.when(both & (pl.col("probability") >= NORMAL)).then(pl.lit("register")),
        is_joined=(pl.col("probability") >= NORMAL) & ~both,
        is_barred=both,
    )


def lone_clustered(lone: pl.DataFrame, version: str) -> pl.DataFrame:
    """Both ends as rows of what is clustered; certified ones are linked by their identifiers anyway."""
    own = pl.concat_str(*(f"goes_{name}" for name in KEY), separator="|")
    kept = pl.concat_str(*(f"keeps_{name}" for name in KEY), separator="|")
    joined = pl.col("is_joined")
    is_certified = pl.col("keeps_identifier").is_not_null()
    goes = lone.select(
        *(pl.col(f"goes_{name}").alias(name) for name in KEY),
        cluster=pl.when(joined & ~is_certified).then(kept).otherwise(own),
        identifier=pl.when(joined).then("keeps_identifier"),
        method=pl.when(joined).then(pl.lit("model")).otherwise(pl.lit("own_record")),
        probability=pl.when(joined).then("probability").otherwise(1.0),
    )
    keeps = lone.filter(~is_certified).select(
        *(pl.col(f"keeps_{name}").alias(name) for name in KEY),
        cluster=kept,
        identifier=pl.lit(None, pl.String),
        method=pl.lit("own_record"),
        probability=pl.lit(1.0),
    )
    return pl.concat([goes, keeps]).with_columns(model_version=pl.lit(version))


def lone_questions(lone: pl.DataFrame) -> pl.DataFrame:
    """`pair`, `reason`, `conflict`, `among_rivals` of the pairs to ask about."""
    asked = lone.filter(~pl.col("is_joined"))
    refused = pl.col("conflict").is_not_null()
    return asked.select(
        "pair",
        reason=pl.when(refused).then(pl.lit("conflict")).otherwise(pl.lit("between")),
        conflict="conflict",
        among_rivals=pl.when(~refused).then("probability"),
    )


def lone_loose(lone: pl.DataFrame) -> pl.DataFrame:
    """What statistics may count as one: pairs below normal that no register forbids."""
    found = lone.filter(~pl.col("is_joined") & ~pl.col("is_barred"))
    is_certified = pl.col("keeps_identifier").is_not_null()
    roots = (pl.when(~is_certified).then(f"keeps_{name}").otherwise(pl.lit("")) for name in KEY)
    return found.select(
        *(pl.col(f"goes_{name}").alias(name) for name in KEY),
        *(root.alias(name) for root, name in zip(roots, ("root_system", "root_table", "root_key"), strict=True)),
        root_identifier="keeps_identifier",
        probability="probability",
    )
