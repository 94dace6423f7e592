"""Enterprises in truth: codes, names, trades, representatives and where they are; care homes and property companies
are enterprises too. What market supervision knows about them over time is in `supervision`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.city import identifiers
from demo.city.draw import Array, Rng, chance, counted, day, days, pick, stream, weighted
from demo.city.geography import TOWNS, Geography

SHARE_OF_RESIDENTS = 0.08


@dataclass(frozen=True)
class Trade:
    """A line of business: code by GB/T 4754, its words in a name, and the licences it needs."""

    code: str
    words: tuple[str, ...]
    weight: float
    licences: tuple[str, ...] = ()
    is_shop: bool = True


TRADES: dict[str, Trade] = {
    "catering": Trade("6210", ("餐饮", "小吃", "饭店", "面馆", "火锅"), 17, ("food", "health")),
    "food_retail": Trade("5211", ("食品", "便利", "超市", "水果", "烟酒"), 15, ("food",)),
    "clothing": Trade("5232", ("服饰", "鞋帽"), 7),
    "hairdressing": Trade("8051", ("美容", "美发", "养生"), 8, ("health",)),
    "pharmacy": Trade("5251", ("大药房", "医药"), 3, ("medical",)),
    "clinic": Trade("8425", ("门诊部", "口腔"), 2, ("medical",)),
    "hotel": Trade("6121", ("宾馆", "酒店"), 3, ("fire", "health")),
    "printing": Trade("2319", ("图文", "印务"), 2, ("publication",)),
    "repair": Trade("8111", ("汽车维修", "车行"), 4),
    "trading": Trade("5199", ("贸易", "商贸"), 12, (), False),
    "technology": Trade("7519", ("科技", "信息技术", "网络科技"), 12, (), False),
    "construction": Trade("4710", ("建筑工程", "装饰"), 5, (), False),
    "logistics": Trade("5821", ("物流", "供应链"), 4, (), False),
    "manufacturing": Trade("3499", ("机械", "电子", "五金"), 5, (), False),
    "property": Trade("7020", ("物业管理", "物业服务"), 0, (), False),
    "care_home": Trade("8514", ("养老院", "护理院", "敬老院"), 0, ("food", "fire"), False),
}
STEMS = list("鑫瑞达恒泰盛华诚信德丰源宏嘉佳宇捷顺通联创新博雅悦康乐福美优品味香鼎尚锦逸景晟凯迈")
FORMS = {"company": "有限公司", "branch": "分公司", "cooperative": "专业合作社", "non_profit": ""}
REGISTRARS = {"company": "91", "branch": "91", "individual": "92", "cooperative": "93", "non_profit": "52"}
SINCE = dt.date(1996, 1, 1)


def enterprises(
    seed: int, count: int, homes: int, clock: dt.date, geography: Geography, people: pl.DataFrame
) -> pl.DataFrame:
    """About `count` enterprises; the first `homes` run care homes, the next ones manage property.

    Columns: true_id, uscc, registration_no, name, former_name, kind, trade, industry_code, representative (true_id of a
    person), registered_capital_cny, established_on, status, town, estate, committee_code, address.
    """
    rng = stream(seed, "firms")
    managers = max(2, geography.estates.height // 9)
    trade, kind = _lines_of_business(rng, count, homes, managers)
    established = _established(rng, count, clock)
    # Homes have been there for years: their elders' stays reach back two years and more.
    established[:homes] = day(clock) - days(rng.integers(5 * 365, 18 * 365, homes))
    return make(rng, trade, kind, established, geography, people, first_number=1)


def make(
    rng: Rng,
    trade: Array,
    kind: Array,
    established: Array,
    geography: Geography,
    people: pl.DataFrame,
    first_number: int,
) -> pl.DataFrame:
    """Enterprises of these trades and kinds; `first_number` continues the numbering of those that exist."""
    count = len(trade)
    estate = pick(rng, np.arange(geography.estates.height), count, _business_weights(geography))
    town = geography.estates["town"].to_numpy()[estate]
    serial = first_number + np.arange(count)
    year = established.astype("datetime64[Y]").astype(int) + 1970
    organisation = np.char.add(
        np.where(kind == "non_profit", "MJ", np.where(year < 2015, "63", "MA")),
        identifiers.base31(serial * 7919 + 31**3, 6),
    )
    registrar = np.array([REGISTRARS[k] for k in kind.tolist()], dtype="<U2")
    division = np.full(count, "310115")
    frame = pl.DataFrame(
        {
            "true_id": counted("E", serial, 6),
            "uscc": identifiers.credit_codes(registrar, division, organisation),
            "registration_no": pl.Series(identifiers.registration_numbers(division, serial * 37 % 10**8)),
            "kind": kind.astype(str),
            "trade": trade.astype(str),
            "industry_code": [TRADES[t].code for t in trade.tolist()],
            "representative": _representatives(rng, count, people),
            "registered_capital_cny": _capital(rng, kind),
            "established_on": established,
            "status": weighted(rng, {"active": 0.9, "abnormal": 0.045, "revoked": 0.02, "cancelled": 0.035}, count),
            "town": town,
            "estate": estate,
            "committee_code": geography.estates["committee_code"].gather(pl.Series(estate)),
            "address": _addresses(rng, geography, estate, trade),
        }
    )
    # The credit code replaced the registration number in October 2015; younger firms never had one.
    frame = frame.with_columns(
        registration_no=pl.when(pl.col("established_on") < dt.date(2015, 10, 1)).then("registration_no"),
        status=pl.when(pl.col("trade").is_in(["care_home", "property"])).then(pl.lit("active")).otherwise("status"),
    )
    return _named(rng, frame, geography)


def _lines_of_business(rng: Rng, count: int, homes: int, managers: int) -> tuple[Array, Array]:
    trades = weighted(rng, {name: trade.weight for name, trade in TRADES.items() if trade.weight}, count)
    trade = np.concatenate([np.full(homes, "care_home"), np.full(managers, "property"), trades])[:count]
    is_shop = np.array([TRADES[t].is_shop for t in trade.tolist()])
    shop_kinds = weighted(rng, {"individual": 0.66, "company": 0.26, "branch": 0.08}, count)
    other_kinds = weighted(rng, {"company": 0.88, "branch": 0.06, "cooperative": 0.03, "individual": 0.03}, count)
    kind = np.where(is_shop, shop_kinds, other_kinds)
    kind = np.where(trade == "care_home", weighted(rng, {"non_profit": 0.62, "company": 0.38}, count), kind)
    return trade, np.where(trade == "property", "company", kind)


def _established(rng: Rng, count: int, clock: dt.date) -> Array:
    # Most firms are young: half of them under six years.
    age = np.minimum(rng.exponential(8.5 * 365, count) + 40, (clock - SINCE).days)
    return np.asarray(day(clock) - days(age))


def _business_weights(geography: Geography) -> Array:
    town = geography.estates["town"].to_numpy()
    return np.asarray(geography.towns["weight"].to_numpy()[town] / np.bincount(town)[town])


def _representatives(rng: Rng, count: int, people: pl.DataFrame) -> pl.Series:
    able = people.filter(
        pl.col("died_on").is_null() & pl.col("birth_on").dt.year().is_between(1950, 2003) & pl.col("is_local")
    )["true_id"]
    outside = people.filter(pl.col("true_id").str.starts_with("XR"))["true_id"]
    local = pl.Series(pick(rng, np.arange(len(able)), count))
    other = pl.Series(pick(rng, np.arange(len(outside)), count))
    from_outside = pl.Series(chance(rng, 0.16, count))
    return (
        pl.DataFrame({"l": able.gather(local), "o": outside.gather(other), "f": from_outside})
        .select(pl.when("f").then("o").otherwise("l"))
        .to_series()
    )


def _capital(rng: Rng, kind: Array) -> Array:
    steps = (
        pick(rng, np.array([10, 30, 50, 100, 200, 500, 1000, 3000, 10000]), len(kind), [10, 9, 14, 26, 15, 14, 8, 3, 1])
        * 10_000.0
    )
    small = np.round(rng.uniform(1, 15, len(kind))) * 10_000.0
    return np.where(kind == "individual", small, np.where(kind == "branch", 0.0, steps))


def _addresses(rng: Rng, geography: Geography, estate: Array, trade: Array) -> pl.Series:
    rows = geography.estates.select("road")[estate]
    number = pl.Series(rng.integers(1, 3200, len(estate))).cast(pl.String)
    upstairs = pl.Series(rng.integers(2, 30, len(estate)) * 100 + rng.integers(1, 30, len(estate))).cast(pl.String)
    in_office = pl.Series([not TRADES[t].is_shop and t != "care_home" for t in trade.tolist()])
    return rows.select(
        pl.concat_str(
            pl.lit("上海市浦东新区"),
            pl.col("road"),
            pl.lit(number),
            pl.lit("号"),
            pl.when(in_office).then(pl.concat_str(pl.lit(upstairs), pl.lit("室"))).otherwise(pl.lit("")),
        ).alias("address")
    ).to_series()


def _named(rng: Rng, frame: pl.DataFrame, geography: Geography) -> pl.DataFrame:
    count = frame.height
    word = pl.Series([str(pick(rng, TRADES[t].words, 1)[0]) for t in frame["trade"]])
    stem = pl.Series(np.char.add(pick(rng, STEMS, count), pick(rng, STEMS, count)))
    former = pl.Series(np.char.add(pick(rng, STEMS, count), pick(rng, STEMS, count)))
    third = pl.Series(pick(rng, STEMS, count))
    town = pl.Series([name for _, name, *_ in TOWNS]).gather(frame["town"])
    renamed = pl.Series(chance(rng, 0.02, count)) & (frame["kind"] == "company")

    def name(of: pl.Series) -> pl.Expr:
        company = pl.concat_str(pl.lit("上海"), pl.lit(of), pl.lit(third), pl.lit(word), pl.lit("有限公司"))
        return (
            pl.when(pl.col("trade") == "care_home")
            .then(pl.concat_str(pl.lit("上海浦东新区"), pl.lit(of), pl.lit(third), pl.lit(word)))
            .when(pl.col("kind") == "individual")
            .then(
                pl.concat_str(
                    pl.lit("上海市浦东新区"), pl.lit(town), pl.lit(of), pl.lit(third), pl.lit(word), pl.lit("店")
                )
            )
            .when(pl.col("kind") == "branch")
            .then(pl.concat_str(company, pl.lit("浦东"), pl.lit(town), pl.lit("分公司")))
            .when(pl.col("kind") == "cooperative")
            .then(pl.concat_str(pl.lit("上海"), pl.lit(of), pl.lit(third), pl.lit("农产品专业合作社")))
            .otherwise(company)
        )

    frame = frame.with_columns(name=name(stem), former_name=pl.when(renamed).then(name(former)))
    # The register refuses a name that is taken; whoever comes second adds a character of his own.
    return frame.with_columns(
        pl.when(pl.col("name").is_duplicated())
        .then(
            pl.concat_str(
                pl.lit("上海"),
                pl.lit(pl.Series(identifiers.base31(np.arange(count), 4))).str.replace_many(
                    list(identifiers.USCC_ALPHABET), STEMS[:31]
                ),
                pl.col("name").str.slice(2),
            )
        )
        .otherwise("name")
        .alias("name")
    )
