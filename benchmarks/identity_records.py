"""Records for the benchmark of identity: those of a demo city, and a plain spine of any size."""

from __future__ import annotations

import numpy as np
import polars as pl

from connectors.identifiers import identify_citizen_nos, identify_usccs
from demo.city.state import City
from identity.features.records import FIRM_INPUT, PERSON_INPUT

SEXES = {"男": "male", "女": "female", "M": "male", "F": "female"}
# Table → key, name, number, birthday, sex, telephone, address, town.
PERSONS = {
    "civil_affairs.residents": ("person_no", "name", "id_no", "birth_on", "sex", "phone", "home_address", "town_code"),
    "care_homes.stays": ("stay_no", "name", "id_no", "birth_on", "sex", None, None, None),
    "care_homes.staff": ("staff_no", "name", "id_no", None, None, None, None, None),
    "market_supervision.enterprises": ("uscc", "legal_rep_name", "legal_rep_id_no", None, None, None, None, None),
    "urban_management.cases": ("case_no", "reporter_name", None, None, None, "reporter_phone", None, None),
}
# Table → key, code, name, address, town, representative.
FIRMS = {
    "market_supervision.enterprises": ("uscc", "uscc", "name", "address", "town_code", "legal_rep_name"),
    "care_homes.institutions": ("home_no", "uscc", "name", "address", "town_code", None),
    "urban_management.sites": ("site_no", "property_uscc", None, None, None, None),
    "urban_management.cases": ("case_no", "party_uscc", "party_name", None, None, None),
}
SURNAMES = np.array(list("王张陈李徐朱杨周吴沈陆黄顾刘赵孙金唐倪龚蔡曹胡潘施瞿马姚何林高严许钱乔方汪叶郭丁"))
GIVEN = np.array(
    list("国建明华德福根金林祥荣生军伟勇强斌辉杰涛英珍秀兰凤娣妹宝丽敏静燕艳红霞雨涵欣怡梓萱诗思浩宇轩睿博泽晨")
)


def city_persons(city: City) -> pl.DataFrame:
    """The records of persons as dbt would gather them (`PERSON_INPUT`); a token is the number itself."""
    names = ("record_key", "name", "number", "birth", "sex", "phone", "home_address", "town_code")
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
    names = ("record_key", "code", "name", "address", "town_code", "legal_rep_name")
    frame = pl.concat(_rows(city, table, names, columns) for table, columns in FIRMS.items())
    frame = frame.filter(pl.col("name").is_not_null() | pl.col("code").is_not_null())
    judged = identify_usccs(frame.get_column("code"))
    return frame.with_columns(
        enterprise_key=judged.get_column("key"),
        code_written=pl.when(judged.get_column("grade") != "certified").then("code"),
    ).select(FIRM_INPUT)


def _rows(city: City, table: str, names: tuple[str, ...], columns: tuple[str | None, ...]) -> pl.DataFrame:
    system, name = table.split(".")
    held = {
        new: pl.lit(None, pl.String) if old is None else pl.col(old).cast(pl.String)
        for new, old in zip(names, columns, strict=True)
    }
    return city.shown[table].select(system=pl.lit(system), table_name=pl.lit(name), **held)


def spine(residents: int, uncertified: int, seed: int) -> pl.DataFrame:
    """A register that certifies everybody, and callers and elders who do not; columns of `int_person_records`."""
    rng = np.random.default_rng(seed)
    born = np.datetime64("1930-01-01") + rng.integers(0, 34_000, residents).astype("timedelta64[D]")
    given = np.char.add(GIVEN[rng.integers(0, len(GIVEN), residents)], GIVEN[rng.integers(0, len(GIVEN), residents)])
    place = pl.int_range(residents, eager=True).cast(pl.String)
    register = pl.DataFrame(
        {
            "record_key": "CA" + place.str.zfill(9),
            "name": np.char.add(SURNAMES[rng.integers(0, len(SURNAMES), residents)], given),
            "birth_on": born,
            "phone": "13" + pl.Series(rng.integers(0, 10**9, residents)).cast(pl.String).str.zfill(9),
            "sex_code": np.where(rng.random(residents) < 0.5, "male", "female"),
        }
    )
    # Digits 7 to 14 are the birthday; the rest only has to differ, because nothing here checks it again.
    number = "310115" + register.get_column("birth_on").dt.strftime("%Y%m%d") + place.str.zfill(9).str.slice(-4)
    register = register.with_columns(
        system=pl.lit("civil_affairs"),
        table_name=pl.lit("residents"),
        citizen_no=number,
        citizen_no_key="t" + place,
        town_code=pl.lit("310115004"),
    )
    chosen = register[rng.integers(0, residents, uncertified)]
    is_elder = pl.Series(rng.random(uncertified) < 0.3)
    others = chosen.select(
        system=pl.when(is_elder).then(pl.lit("care_homes")).otherwise(pl.lit("urban_management")),
        table_name=pl.when(is_elder).then(pl.lit("stays")).otherwise(pl.lit("cases")),
        record_key="U" + pl.int_range(uncertified, eager=True).cast(pl.String).str.zfill(9),
        name="name",
        citizen_no=pl.lit(None, pl.String),
        citizen_no_key=pl.lit(None, pl.String),
        birth_on=pl.when(is_elder).then("birth_on"),
        sex_code=pl.when(is_elder).then("sex_code"),
        phone=pl.when(~is_elder).then("phone"),
    )
    frame = pl.concat([register, others], how="diagonal")
    return frame.with_columns(pl.lit(None, pl.String).alias("citizen_no_written"), home_address=pl.lit(None, pl.String))


def changed(frame: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """A share of the rows with another telephone."""
    rng = np.random.default_rng(seed)
    rows = frame.sample(fraction=share, seed=seed)
    return rows.with_columns(phone="13" + pl.Series(rng.integers(0, 10**9, rows.height)).cast(pl.String).str.zfill(9))
