"""A spine of any size for the benchmark of identity: a register that certifies everybody, and records that do not.

Made by column, so that six million records take seconds. Names are drawn by the frequencies of the linkage model,
residents live in households of one address, and whoever calls or moves into a home says what such people say: a name
and a telephone (not always the registered one) about a place mostly near, or a name and a birthday with a number that
is missing, masked or mistyped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from identity.features.records import PERSON_INPUT
from identity.model import load_model

Rng = np.random.Generator
HOUSEHOLD = 2.6
CALLERS, ONLY_SURNAME, OTHER_PHONE, NO_PHONE, OWN_COMMITTEE = 0.6, 0.1, 0.15, 0.15, 0.75
# Residents of one committee, as in the district.
COMMITTEE = 4000
# Digits 1 to 6 of every number: the district. The last one only has to look like one, nothing here checks it again.
DISTRICT = "310115"


def spine(residents: int, uncertified: int, seed: int) -> pl.DataFrame:
    """Columns `PERSON_INPUT`: one certified row of the register per resident, and the uncertified records."""
    rng = np.random.default_rng(seed)
    register = _register(rng, residents)
    others = _others(rng, register, uncertified)
    return pl.concat([register, others], how="diagonal").select(PERSON_INPUT)


def changed(frame: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """A share of the rows with another telephone."""
    rng = np.random.default_rng(seed)
    rows = frame.sample(fraction=share, seed=seed)
    return rows.with_columns(phone=_phones(rng, rows.height))


def _register(rng: Rng, count: int) -> pl.DataFrame:
    place = pl.int_range(count, eager=True)
    born = pl.Series(np.datetime64("1930-01-01") + rng.integers(0, 34_000, count).astype("timedelta64[D]"))
    is_male = rng.random(count) < 0.5
    order = 2 * pl.Series(rng.integers(0, 500, count)) + pl.Series(is_male.astype(np.int64))
    frame = pl.DataFrame(
        {
            "place": place,
            "name": _names(rng, count),
            "birth_on": born.cast(pl.Date),
            "order": order,
            "phone": pl.Series(np.where(rng.random(count) < NO_PHONE, None, _phones(rng, count).to_numpy())),
            "home_address": _addresses(rng, count),
            "is_male": is_male,
        },
        schema_overrides={"phone": pl.String},
    )
    digits = pl.col("order").cast(pl.String).str.zfill(3)
    number = pl.concat_str(
        pl.lit(DISTRICT), pl.col("birth_on").dt.strftime("%Y%m%d"), digits, (pl.col("place") % 10).cast(pl.String)
    )
    return frame.select(
        "name",
        "birth_on",
        "phone",
        "home_address",
        system=pl.lit("civil_affairs"),
        table_name=pl.lit("residents"),
        record_key=pl.concat_str(pl.lit("CA"), pl.col("place").cast(pl.String).str.zfill(9)),
        citizen_no=number,
        citizen_no_key=pl.lit(_tokens(rng, count)),
        sex_code=pl.when("is_male").then(pl.lit("male")).otherwise(pl.lit("female")),
        town_code=pl.lit("310115004"),
        # Whoever lives at one address belongs to one committee.
        near_committee_code=_committees(pl.col("home_address").hash(1) % (1 + count // COMMITTEE)),
    )


def _others(rng: Rng, register: pl.DataFrame, count: int) -> pl.DataFrame:
    chosen = register[rng.integers(0, register.height, count)]
    is_caller = rng.random(count) < CALLERS
    number = pl.col("citizen_no")
    at = pl.lit(pl.Series(rng.integers(6, 17, count)))
    mistyped = pl.concat_str(number.str.slice(0, at), pl.lit("7"), number.str.slice(at + 1))
    masked = pl.concat_str(number.str.slice(0, 6), pl.lit("********"), number.str.slice(14))
    how = pl.lit(pl.Series(rng.integers(0, 10, count)))
    title = pl.when(pl.col("sex_code") == "male").then(pl.lit("先生")).otherwise(pl.lit("女士"))
    frame = chosen.with_columns(
        is_caller=pl.lit(pl.Series(is_caller)),
        other_phone=_phones(rng, count),
        is_other=pl.lit(pl.Series(rng.random(count) < OTHER_PHONE)),
        is_short=pl.lit(pl.Series(rng.random(count) < ONLY_SURNAME)),
        is_near=pl.lit(pl.Series(rng.random(count) < OWN_COMMITTEE)),
        elsewhere=_committees(pl.lit(pl.Series(rng.integers(0, 1 + register.height // COMMITTEE, count)))),
        written=pl.when(how < 3).then(mistyped).when(how < 6).then(masked),
    )
    called = pl.when("is_short").then(pl.concat_str(pl.col("name").str.slice(0, 1), title)).otherwise("name")
    return frame.select(
        system=pl.when("is_caller").then(pl.lit("urban_management")).otherwise(pl.lit("care_homes")),
        table_name=pl.when("is_caller").then(pl.lit("cases")).otherwise(pl.lit("stays")),
        record_key=pl.concat_str(pl.lit("U"), pl.int_range(pl.len()).cast(pl.String).str.zfill(9)),
        name=pl.when("is_caller").then(called).otherwise("name"),
        citizen_no_written=pl.when(~pl.col("is_caller")).then("written"),
        birth_on=pl.when(~pl.col("is_caller")).then("birth_on"),
        sex_code=pl.when(~pl.col("is_caller")).then("sex_code"),
        phone=pl.when("is_caller").then(pl.when("is_other").then("other_phone").otherwise("phone")),
        near_committee_code=pl.when("is_caller").then(
            pl.when("is_near").then("near_committee_code").otherwise("elsewhere")
        ),
    )


def _committees(number: pl.Expr) -> pl.Expr:
    """Twelve digits: 40 committees to a town."""
    town, own = (number // 40 + 1).cast(pl.String).str.zfill(3), (number % 40 + 1).cast(pl.String).str.zfill(3)
    return pl.concat_str(pl.lit(DISTRICT), town, own)


def _tokens(rng: Rng, count: int) -> pl.Series:
    """64 hexadecimal digits in no order, as keyed tokens are: numbers in a row would be sorted for free."""
    # From a stream of its own: all else stays as it is.
    digits = rng.spawn(1)[0].bytes(32 * count).hex().encode()
    return pl.Series(np.frombuffer(digits, dtype="S64")).cast(pl.String)


def _names(rng: Rng, count: int) -> pl.Series:
    frequencies = load_model("resident").frequencies
    surname = _drawn(rng, frequencies["surname"], count)
    letters = [_drawn(rng, frequencies["given"], count) for _ in range(2)]
    is_long = pl.Series(rng.random(count) < 0.8)
    frame = pl.DataFrame({"surname": surname, "one": letters[0], "two": letters[1], "is_long": is_long})
    two = pl.when("is_long").then("two").otherwise(pl.lit(""))
    return frame.select(pl.concat_str("surname", "one", two)).to_series()


def _drawn(rng: Rng, shares: dict[str, float], count: int) -> pl.Series:
    weights: npt.NDArray[np.float64] = np.array(list(shares.values()))
    return pl.Series(list(shares)).gather(rng.choice(len(weights), count, p=weights / weights.sum()))


def _phones(rng: Rng, count: int) -> pl.Series:
    return ("13" + pl.Series(rng.integers(0, 10**9, count)).cast(pl.String).str.zfill(9)).alias("phone")


def _addresses(rng: Rng, count: int) -> pl.Series:
    """One address per household: 1,500 roads, lanes of 40 houses."""
    households = max(1, round(count / HOUSEHOLD))
    letters = "东西南北春夏秋冬金银桃李杨柳江海川山云雨星月日光华荣昌盛和平"
    roads = [f"{one}{other}路" for one in letters for other in letters]
    parts = pl.DataFrame(
        {
            "road": pl.Series(roads).gather(rng.integers(0, len(roads), households)),
            "lane": pl.Series(rng.integers(1, 1200, households)).cast(pl.String),
            "house": pl.Series(rng.integers(1, 40, households)).cast(pl.String),
            "room": pl.Series(101 + 100 * rng.integers(0, 18, households) + rng.integers(0, 4, households)),
        }
    )
    text = parts.select(
        pl.concat_str(
            pl.lit("上海市浦东新区"), "road", "lane", pl.lit("弄"), "house", pl.lit("号"), "room", pl.lit("室")
        )
    )
    return text.to_series().gather(rng.integers(0, households, count))
