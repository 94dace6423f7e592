"""Faces: all records that say exactly the same are compared as one.

A property company stands in hundreds of cases under one name and one code; comparing each with each would cost the
square of it and tell nothing new. A face is one combination of features; its first record (by key) stands for it in
every pair, the others hang on that one. Rows of a register are faces of their own (each is one entry), and so is a
record that a decision names. A caller with one name and one telephone is one face whatever he calls about: his
neighbourhood is that which he calls about most.

Hot values are taken out here: a telephone that many names share and a birthday that too many records share are filled
in, not told, so they neither find nor support a link.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from identity.features.records import FIRM_FEATURES, KEY, PERSON_FEATURES, with_implied
from identity.model import Kind

# Registers: at most one entry per subject, unless certified identifiers say otherwise.
REGISTERS: dict[Kind, tuple[tuple[str, str], ...]] = {
    "resident": (("civil_affairs", "residents"),),
    "enterprise": (("market_supervision", "enterprises"),),
}
# What records say, and what others with the same telephone make of it (`told`).
FEATURES: dict[Kind, tuple[str, ...]] = {
    "resident": (*PERSON_FEATURES, "is_family_phone", "home"),
    "enterprise": FIRM_FEATURES,
}
# A telephone with more names than this is a switchboard or a default; large families stay below.
PHONE_NAMES = 20
# A birthday is hot from 25 times the usual number of records, and never below 200. People are spread over about 30,000
# days; where records name few, they are not people's birthdays, and their number says nothing of what is usual.
BIRTH_FACTOR, BIRTH_LEAST, BIRTH_DAYS = 25, 200, 20_000


@dataclass(frozen=True)
class Faces:
    """Faces and their records.

    Attributes:
        table: `face` (position in the order of first records), `KEY` of the first record, features and what they
            imply, `is_register`, `size`.
        members: `face` and `KEY` of every record.
    """

    table: pl.DataFrame
    members: pl.DataFrame


@dataclass(frozen=True)
class Hot:
    """Telephones and birthdays that are filled in, not told."""

    phones: pl.Series
    births: pl.Series

    def differs_from(self, other: Hot) -> pl.Expr | None:
        """Which records hold a value that is hot here and not there, or there and not here; None when nobody can."""
        phones = _either(self.phones, other.phones)
        births = _either(self.births, other.births)
        if not len(phones) and not len(births):
            return None
        held = pl.col("phone").is_in(phones.implode()) | pl.col("birth").is_in(births.implode())
        return held.fill_null(False)


def _either(one: pl.Series, other: pl.Series) -> pl.Series:
    both = pl.concat([one.unique(), other.unique()])
    return both.filter(both.is_unique())


def is_register(kind: Kind) -> pl.Expr:
    """Whether a record is an entry of a register."""
    return pl.any_horizontal(
        pl.lit(False),
        *((pl.col("system") == system) & (pl.col("table_name") == table) for system, table in REGISTERS[kind]),
    )


def build_faces(
    kind: Kind, features: pl.DataFrame, named: pl.DataFrame | None = None, *, is_told: bool = False
) -> Faces:
    """Faces of these records, the same whatever order they come in.

    Args:
        features: `KEY` and the kind's features.
        named: `KEY` of records that decisions name; each is a face of its own.
        is_told: they come from `told`.
    """
    columns = list(FEATURES[kind])
    said = features if is_told else told(kind, features, hot_values(kind, features))
    frame = said.with_columns(is_register=is_register(kind))
    apart = pl.col("is_register")
    if named is not None and named.height:
        frame = frame.join(named.select(*KEY, is_named=pl.lit(True)), on=KEY, how="left")
        apart = apart | pl.col("is_named").fill_null(False)
    kept = [*KEY, *columns, "is_register", "size"]
    # Whoever has let go of the features has a city's worth of memory less in use from here on.
    del features, said
    alone = frame.filter(apart).with_columns(size=pl.lit(1, pl.UInt32)).select(kept)
    # Of equal records the first by key stands for all.
    others = frame.filter(~apart).sort(KEY)
    del frame
    groups = others.group_by(columns, maintain_order=True).agg(
        *(pl.col(name).first() for name in (*KEY, "is_register")), size=pl.len(), records=pl.struct(KEY)
    )
    del others
    table = pl.concat([alone, groups.select(kept)])
    del alone
    table = table.sort(KEY).with_row_index("face").with_columns(pl.col("face").cast(pl.Int64))
    crowded = groups.select("records", *KEY).join(table.select("face", *KEY), on=KEY, how="left")
    members = pl.concat(
        [
            table.select("face", *KEY).join(groups.select(KEY), on=KEY, how="anti"),
            crowded.select("face", "records").explode("records").unnest("records"),
        ]
    )
    return Faces(with_implied(kind, table), members)


def hot_values(kind: Kind, features: pl.DataFrame) -> Hot:
    """The hot values among these features (`phone`, `sound`, `birth`)."""
    if kind != "resident":
        return Hot(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String))
    phones = features.filter(pl.col("phone").is_not_null()).select("phone", "sound")
    # Names are told apart only where there are enough records to have so many, which is counted by hash.
    hashes = phones.get_column("phone").hash(0)
    often = hashes.value_counts().filter(pl.col("count") > PHONE_NAMES).get_column("phone")
    names = phones.filter(hashes.is_in(often.implode())).group_by("phone").agg(pl.col("sound").n_unique())
    births = features.filter(pl.col("birth").is_not_null()).group_by("birth").len()
    usual = births.get_column("len").sum() / max(births.height, BIRTH_DAYS)
    limit = max(BIRTH_LEAST, BIRTH_FACTOR * usual)
    return Hot(
        names.filter(pl.col("sound") > PHONE_NAMES).get_column("phone").sort(),
        births.filter(pl.col("len") > limit).get_column("birth").sort(),
    )


def cooled(features: pl.DataFrame, hot: Hot) -> pl.DataFrame:
    """The features with hot values set to null."""
    for name, values in (("phone", hot.phones), ("birth", hot.births)):
        if len(values):
            kept = pl.when(~pl.col(name).is_in(values.implode())).then(name).alias(name)
            features = features.with_columns(kept)
    return features


def told(kind: Kind, features: pl.DataFrame, hot: Hot) -> pl.DataFrame:
    """The features that are compared: hot values null, and what records with one telephone say of each other.

    For each record everybody with its telephone has to be among `features`.
    """
    cool = cooled(features, hot)
    if kind != "resident":
        return cool
    shared = _has_shared_phone(cool)
    return _with_usual_committee(_with_homes(_with_family_phones(cool, shared), shared))


def _has_shared_phone(features: pl.DataFrame) -> pl.Series:
    """Whether another record has the same telephone: few have, and only of those others have something to say.

    By hash, three times as fast: two telephones in one would only be looked at for nothing.
    """
    phone = features.get_column("phone")
    return phone.hash(0).is_duplicated() & phone.is_not_null()


def _with_family_phones(features: pl.DataFrame, shared: pl.Series) -> pl.DataFrame:
    """`is_family_phone`: the telephone stands under two full names or more."""
    full = features.select("phone", "sound", "is_surname_only").filter(shared & ~pl.col("is_surname_only"))
    names = full.group_by("phone").agg(pl.col("sound").n_unique())
    several = names.filter(pl.col("sound") > 1).get_column("phone")
    return features.with_columns(is_family_phone=pl.col("phone").is_in(several.implode()).fill_null(False))


def _with_homes(features: pl.DataFrame, shared: pl.Series) -> pl.DataFrame:
    """`home`: the room a record lives in, or that its telephone is registered in; null where that is several."""
    rows = features.select("phone", own=pl.concat_str("place", "room", separator="/")).with_row_index("at")
    registered = rows.filter(shared & pl.col("own").is_not_null())
    homes = registered.group_by("phone").agg(told=pl.col("own").min(), count=pl.col("own").n_unique())
    one = homes.filter(pl.col("count") == 1).drop("count")
    found = rows.filter(shared & pl.col("own").is_null()).join(one, on="phone").select("at", "told")
    joined = rows.select("at", "own").join(found, on="at", how="left", maintain_order="left")
    return features.with_columns(joined.select(home=pl.coalesce("own", "told")).to_series())


def _with_usual_committee(features: pl.DataFrame) -> pl.DataFrame:
    """Records that say the same and name a telephone, all with the committee that most of them are about.

    Without a telephone nothing holds them together: namesakes of two neighbourhoods stay two faces. Who is in a
    register lives where it says.
    """
    said = [name for name in PERSON_FEATURES if name != "committee"]
    rows = features.select("committee").with_row_index("at")
    is_caller = pl.col("phone").is_not_null() & ~is_register("resident")
    callers = features.with_row_index("at").filter(is_caller)
    # Who called once is about what he called about.
    callers = callers.filter(_has_shared_phone(callers))
    about = callers.filter(pl.col("committee").is_not_null())
    counts = about.group_by(*said, "committee").len().sort("len", "committee", descending=[True, False])
    usual = counts.unique(said, keep="first", maintain_order=True).select(*said, usual="committee")
    found = callers.join(usual, on=said, how="left", nulls_equal=True).select("at", "usual", is_caller=pl.lit(True))
    joined = rows.join(found, on="at", how="left", maintain_order="left")
    committee = pl.when("is_caller").then("usual").otherwise("committee").alias("committee")
    return features.with_columns(joined.select(committee).to_series())


def without_hot_values(kind: Kind, features: pl.DataFrame) -> pl.DataFrame:
    """The features with the values that are hot among them set to null."""
    return cooled(features, hot_values(kind, features))
