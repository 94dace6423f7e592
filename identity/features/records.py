"""Records of persons and of firms as rows of features: what linkage reads, and the columns it needs of them.

A certified number says more than the record around it: its date of birth and sex go before the written ones.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import polars as pl

from identity.features.addresses import address_features
from identity.features.firms import firm_features
from identity.features.names import name_features
from identity.features.numbers import code_features, number_features, number_letters
from identity.features.phones import phone_features
from identity.features.text import sounds

KEY = ("system", "table_name", "record_key")
# Columns of the dbt models; a labelled file has the same ones (docs/reference/labelled-records.md).
PERSON_INPUT = (
    *KEY,
    "name",
    "citizen_no",
    "citizen_no_written",
    "citizen_no_key",
    "birth_on",
    "sex_code",
    "phone",
    "home_address",
    "town_code",
    "near_committee_code",
)
FIRM_INPUT = (
    *KEY,
    "name",
    "enterprise_key",
    "code_written",
    "address",
    "town_code",
    "legal_rep_name",
    "legal_rep_key",
    "established_on",
)
# Those that are no text.
DATES = ("birth_on", "established_on")
# What two persons are compared by. `identifier` is the certified one; the rest may be null.
PERSON_FEATURES = (
    "identifier",
    "name",
    "surname",
    "is_surname_only",
    "sound",
    "number",
    "number_head",
    "number_tail",
    "birth",
    "sex",
    "phone",
    "place",
    "room",
    "committee",
)
FIRM_FEATURES = (
    "identifier",
    "name",
    "core",
    "core_sound",
    "form",
    "code",
    "code_letters",
    "organisation",
    "registration",
    "place",
    "room",
    "town",
    "representative",
    "established",
    "founding",
)
# From this day on firms are registered under a credit code; until then they had a registration number.
CODES_SINCE = date(2015, 10, 1)
# A date that forms fill in when nobody knows it.
_NO_BIRTH = ("19000101", "19010101", "18991230", "99991231", "11111111")


def features_of(kind: Literal["resident", "enterprise"], records: pl.DataFrame) -> pl.DataFrame:
    """The features of one kind's records."""
    return person_features(records) if kind == "resident" else firm_features_of(records)


def person_features(records: pl.DataFrame) -> pl.DataFrame:
    """Columns `KEY` and `PERSON_FEATURES`, one row per record, in order."""
    names = name_features(records.get_column("name"))
    written = records.select(pl.coalesce("citizen_no", "citizen_no_written")).to_series()
    numbers = number_features(written)
    certified = pl.col("citizen_no")
    born = pl.coalesce(certified.str.slice(6, 8), pl.col("birth_on").dt.strftime("%Y%m%d"))
    is_male = certified.str.slice(16, 1).cast(pl.Int8, strict=False) % 2 == 1
    sex = pl.when(is_male).then(pl.lit("male")).when(~is_male).then(pl.lit("female"))
    frame = pl.concat([records, names.rename({"name": "plain_name"}), numbers], how="horizontal")
    frame = pl.concat([frame, _places(records.get_column("home_address"))], how="horizontal")
    return frame.select(
        *KEY,
        pl.col("citizen_no_key").alias("identifier"),
        pl.when(~pl.col("is_surname_only")).then("plain_name").alias("name"),
        "surname",
        "is_surname_only",
        "sound",
        "number",
        "number_head",
        "number_tail",
        birth=pl.when(~born.is_in(_NO_BIRTH)).then(born),
        sex=pl.coalesce(sex, "sex_code", "title_sex"),
        phone=phone_features(records.get_column("phone")),
        place="place",
        room="room",
        committee=pl.col("near_committee_code").str.extract(r"^(\d{12})$", 1),
    )


def with_implied(kind: Literal["resident", "enterprise"], features: pl.DataFrame) -> pl.DataFrame:
    """The features with `toned_sound` and `number_letters`, which follow from the others and only pairs look at."""
    if kind == "enterprise":
        return features
    toned = sounds(features.select(pl.coalesce("name", "surname")).to_series(), tones=True)
    return features.with_columns(toned_sound=toned, number_letters=number_letters(pl.col("number")))


def firm_features_of(records: pl.DataFrame) -> pl.DataFrame:
    """Columns `KEY` and `FIRM_FEATURES`, one row per record, in order.

    `name` is the name that only its own spellings share: stem, trade, kind of form and, for a branch, its place.
    """
    names = firm_features(records.get_column("name"))
    written = records.select(pl.coalesce("code_written", "enterprise_key")).to_series()
    frame = pl.concat([records.drop("name"), names, code_features(written)], how="horizontal")
    frame = pl.concat([frame, _places(records.get_column("address"))], how="horizontal")
    representative = name_features(records.get_column("legal_rep_name"))
    frame = frame.with_columns(representative=representative.get_column("name"), founding=_founding())
    return frame.select(
        *KEY,
        # A registration number is no credit code: a firm may hold one of each.
        identifier=pl.when(~pl.col("enterprise_key").str.starts_with("REG")).then("enterprise_key"),
        name=pl.concat_str("core", "form", pl.col("branch").fill_null(""), separator="|"),
        core="core",
        core_sound="core_sound",
        form="form",
        code="code",
        code_letters="code_letters",
        organisation="organisation",
        registration="registration",
        place="place",
        room="room",
        town="town_code",
        representative="representative",
        established=pl.col("established_on").cast(pl.String),
        founding="founding",
    )


def _founding() -> pl.Expr:
    """What one firm alone can say of how it began: registered name, day, and the certified number of who leads it.

    None of them changes when a registration number is replaced by a credit code. The register gives a company's name to
    one firm only; a shop's or a branch's may be there twice, which stand in two places.
    """
    is_unique = pl.col("form").is_in(["company", "partnership", "cooperative"])
    at = pl.concat_str("place", pl.col("room").fill_null(""), separator="/")
    parts = ("firm_name", pl.col("established_on").cast(pl.String), "legal_rep_key")
    founding = pl.concat_str(*parts, pl.when(is_unique).then(pl.lit("")).otherwise(at), separator="|")
    return pl.when((pl.col("established_on") < CODES_SINCE) & pl.col("core").is_not_null()).then(founding)


def _places(addresses: pl.Series) -> pl.DataFrame:
    """`place`: road, lane and house as one text, null without a house; `room` beside it."""
    parts = address_features(addresses)
    has_place = pl.col("road").is_not_null() & pl.col("house").is_not_null()
    place = pl.concat_str("road", pl.col("lane").fill_null("-"), "house", separator="/")
    return parts.select(place=pl.when(has_place).then(place), room=pl.when(has_place).then("room"))
