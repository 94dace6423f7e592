"""What a day changed, and whom that has to be compared with: a few neighbourhoods out of millions of records.

A pair depends on its two faces and on how many faces share their blocks. So it is enough to look at the faces that
came, went or say something else, at the blocks these stand or stood in, and at every face in those blocks. All other
records are looked at once, by column, for whether they are in such a block.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from identity.engine import in_touched_blocks, shifted_faces
from identity.faces import FEATURES, Faces, Hot, build_faces, hot_values, is_register, told
from identity.features.records import KEY
from identity.model import Kind

_SAID = "_said"


@dataclass(frozen=True)
class Versions:
    """The features of two days.

    Attributes:
        unchanged: records that say the same on both days, filled-in values taken out.
        old, new: what the others said before and say now.
        said: of the unchanged in no register, one number for what each says (`_said`).
        named_before, named_now: `KEY` of the records that decisions name.
    """

    unchanged: pl.DataFrame
    old: pl.DataFrame
    new: pl.DataFrame
    said: pl.DataFrame
    named_before: pl.DataFrame
    named_now: pl.DataFrame


@dataclass(frozen=True)
class Changed:
    """What to compare.

    Attributes:
        faces: the faces of the touched neighbourhoods, with `is_fresh`.
        stale: `KEY` of the records whose earlier pairs no longer count.
    """

    faces: Faces
    stale: pl.DataFrame


def told_apart(
    kind: Kind,
    remembered: pl.DataFrame,
    changed: pl.DataFrame,
    gone: pl.DataFrame,
    hot_before: Hot,
    named: tuple[pl.DataFrame, pl.DataFrame],
    touched: pl.Series,
) -> tuple[Versions, Hot]:
    """Tell unchanged records from the others.

    Args:
        remembered, changed: features of all records before, and of those that are new or changed.
        touched: which of the remembered are changed.
        gone: `KEY` of the records that are no longer there.
        named: records that decisions named before and name now.
    """
    newly_named = named[1].join(named[0], on=KEY, how="anti").join(changed, on=KEY, how="anti")
    if newly_named.height:
        changed = pl.concat([changed, remembered.join(newly_named, on=KEY, how="semi")])
    changed = changed.join(gone, on=KEY, how="anti")
    others = pl.concat([newly_named.select(KEY), gone.select(KEY)])
    if others.height:
        touched = touched | is_among(remembered, others)
    moved = pl.repeat(False, remembered.height, eager=True)
    hot = hot_values(kind, pl.concat([_hot_columns(kind, remembered).filter(~touched), _hot_columns(kind, changed)]))
    # A value that became filled-in, or no longer is, changes every record that holds it.
    shifted = hot.differs_from(hot_before)
    if shifted is not None:
        moved = remembered.select(shifted).to_series() & ~touched
    # What a record says depends on everybody with its telephone, unless that is filled in.
    if kind == "resident":
        said = remembered.get_column("phone")
        phones = pl.concat([said.filter(touched | moved), changed.get_column("phone")]).drop_nulls().unique()
        phones = phones.filter(~phones.is_in(pl.concat([hot.phones, hot_before.phones]).implode()))
        moved |= said.is_in(phones.implode()).fill_null(False) & ~touched
    old, changed = remembered.filter(touched | moved), pl.concat([changed, remembered.filter(moved)])
    unchanged = remembered.filter(~(touched | moved))
    unchanged = told(kind, unchanged, hot)
    old, changed = told(kind, old, hot_before), told(kind, changed, hot)
    return Versions(unchanged, old, changed, _said(kind, unchanged), *named), hot


def is_among(rows: pl.DataFrame, keys: pl.DataFrame) -> pl.Series:
    """Whether each row has one of these keys.

    Found by few columns: a day's peak of memory is all that is remembered and one copy of it, not three.
    """
    found = rows.select(KEY).with_row_index("at").join(keys, on=KEY, how="semi").get_column("at")
    return pl.repeat(False, rows.height, eager=True).scatter(found, True)


def _hot_columns(kind: Kind, features: pl.DataFrame) -> pl.DataFrame:
    return features.select("phone", "sound", "birth") if kind == "resident" else features.select(KEY[0])


def find_changed(kind: Kind, versions: Versions) -> Changed:
    """The faces to compare anew, and all those they may have to be compared with."""
    fresh = _fresh(kind, versions)
    beside = pl.concat([versions.old, versions.new, versions.unchanged.join(fresh, on=KEY, how="semi")])
    near = in_touched_blocks(kind, versions.unchanged, beside)
    now = build_faces(kind, pl.concat([near, versions.new]), versions.named_now, is_told=True)
    before = build_faces(kind, pl.concat([near, versions.old]), versions.named_before, is_told=True)
    shifted = shifted_faces(kind, now.table, before.table)
    if len(shifted):
        of_shifted = now.members.filter(pl.col("face").is_in(shifted.implode())).select(KEY)
        fresh = pl.concat([fresh, of_shifted]).unique()
        beside = pl.concat([beside, near.join(of_shifted, on=KEY, how="semi")])
        near = in_touched_blocks(kind, versions.unchanged, beside)
        now = build_faces(kind, pl.concat([near, versions.new]), versions.named_now, is_told=True)
    of_fresh = now.members.join(fresh, on=KEY, how="semi").select("face").unique()
    table = now.table.with_columns(is_fresh=pl.col("face").is_in(of_fresh.get_column("face").implode()))
    return Changed(Faces(table, now.members), fresh.sort(KEY))


def _fresh(kind: Kind, versions: Versions) -> pl.DataFrame:
    """`KEY` of the records whose faces came, went, or gained or lost a record."""
    sides = pl.concat([versions.old, versions.new])
    said = _said(kind, sides).get_column(_SAID).unique()
    same = versions.said.filter(pl.col(_SAID).is_in(said.implode()))
    return pl.concat([sides.select(KEY), same.select(KEY)]).unique()


def _said(kind: Kind, features: pl.DataFrame) -> pl.DataFrame:
    """`KEY` and one number for what a record says; rows of a register are faces of their own."""
    others = features.filter(~is_register(kind))
    return others.select(*KEY, pl.struct(FEATURES[kind]).hash(0).alias(_SAID))


def companions(kind: Kind, versions: Versions) -> pl.DataFrame:
    """`KEY` and `face` of every record that shares its face with another one: `face` is one number per face."""
    said = pl.concat([versions.said, _said(kind, versions.new)]).join(versions.named_now, on=KEY, how="anti")
    return said.rename({_SAID: "face"}).filter(pl.len().over("face") > 1)
