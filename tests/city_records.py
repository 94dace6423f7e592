"""Records of whole demo cities as dbt would gather them, for tests and benchmarks of identity."""

from __future__ import annotations

import polars as pl

from connectors.identifiers import identify_citizen_nos, identify_usccs
from demo.city.state import City
from identity.features.records import FIRM_INPUT, PERSON_INPUT

SEXES = {"男": "male", "女": "female", "M": "male", "F": "female"}
# Table → key, name, number, birthday, sex, telephone, address, town, committee.
PERSONS = {
    "civil_affairs.residents": (
        "person_no",
        "name",
        "id_no",
        "birth_on",
        "sex",
        "phone",
        "home_address",
        "town_code",
        "committee_code",
    ),
    "care_homes.stays": ("stay_no", "name", "id_no", "birth_on", "sex", *[None] * 4),
    "care_homes.staff": ("staff_no", "name", "id_no", *[None] * 6),
    "market_supervision.enterprises": ("uscc", "legal_rep_name", "legal_rep_id_no", *[None] * 6),
    "urban_management.cases": ("case_no", "reporter_name", *[None] * 3, "reporter_phone", None, None, "committee_code"),
}
# Table → key, code, name, address, town, representative and his number, day of establishment.
FIRMS = {
    "market_supervision.enterprises": (
        "uscc",
        "uscc",
        "name",
        "address",
        "town_code",
        "legal_rep_name",
        "legal_rep_id_no",
        "established_on",
    ),
    "care_homes.institutions": ("home_no", "uscc", "name", "address", "town_code", *[None] * 3),
    "urban_management.sites": ("site_no", "property_uscc", *[None] * 6),
    "urban_management.cases": ("case_no", "party_uscc", "party_name", *[None] * 5),
}


def city_persons(city: City) -> pl.DataFrame:
    """The records of persons as dbt would gather them (`PERSON_INPUT`); a token is the number itself."""
    names = (
        "record_key",
        "name",
        "number",
        "birth",
        "sex",
        "phone",
        "home_address",
        "town_code",
        "near_committee_code",
    )
    frame = pl.concat(_rows(city, table, names, columns) for table, columns in PERSONS.items())
    frame = frame.filter(pl.col("name").is_not_null() | pl.col("number").is_not_null())
    certified = identify_citizen_nos(frame.get_column("number")).get_column("key")
    return frame.with_columns(
        citizen_no=certified,
        citizen_no_key=certified,
        citizen_no_written=pl.when(certified.is_null()).then("number"),
        birth_on=pl.col("birth").str.to_date(strict=False),
        sex_code=pl.col("sex").replace_strict(SEXES, default=None, return_dtype=pl.String),
    ).select(PERSON_INPUT)


def city_firms(city: City) -> pl.DataFrame:
    """The records of firms as dbt would gather them (`FIRM_INPUT`)."""
    names = (
        "record_key",
        "code",
        "name",
        "address",
        "town_code",
        "legal_rep_name",
        "legal_rep_id_no",
        "established_on",
    )
    frame = pl.concat(_rows(city, table, names, columns) for table, columns in FIRMS.items())
    frame = frame.filter(pl.col("name").is_not_null() | pl.col("code").is_not_null())
    judged = identify_usccs(frame.get_column("code"))
    return frame.with_columns(
        enterprise_key=judged.get_column("key"),
        code_written=pl.when(judged.get_column("grade") != "certified").then("code"),
        legal_rep_key=identify_citizen_nos(frame.get_column("legal_rep_id_no")).get_column("key"),
        established_on=pl.col("established_on").str.to_date(strict=False),
    ).select(FIRM_INPUT)


def _rows(city: City, table: str, names: tuple[str, ...], columns: tuple[str | None, ...]) -> pl.DataFrame:
    system, name = table.split(".")
    held = {
        new: pl.lit(None, pl.String) if old is None else pl.col(old).cast(pl.String)
        for new, old in zip(names, columns, strict=True)
    }
    return city.shown[table].select(system=pl.lit(system), table_name=pl.lit(name), **held)
