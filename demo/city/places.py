"""The places on the map of urban management: compounds, villages, waste producers, shops, stations and plants.

Proportions among the kinds are those of the district (2,662 : 337 : 2,441 : 43,627 : 91 : 12 : 4); a small city is
denser than the real one so that every town has some of each common kind.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.city.draw import Array, Rng, counted, joined, pick, stream
from demo.city.firms import TRADES
from demo.city.geography import Geography

COMPOUNDS, PRODUCERS, SHOPS, COMPRESSION, TRANSFER, DISPOSAL = 2662, 2441, 43_627, 91, 12, 4
PRODUCER_TRADES = ["catering", "food_retail", "hotel", "manufacturing", "care_home"]


def build_sites(seed: int, geography: Geography, firms: pl.DataFrame) -> pl.DataFrame:
    """Sites: site_no, kind, name, address, town, committee_code, manager (property firm), firm (who works there)."""
    rng = stream(seed, "sites")
    compounds = geography.estates.filter(pl.col("kind") == "compound").height
    estates = _estates(rng, geography, firms)
    shop_firms = firms.filter(pl.col("trade").is_in([name for name, trade in TRADES.items() if trade.is_shop]))
    producers = firms.filter(pl.col("trade").is_in(PRODUCER_TRADES))
    frames = [
        estates,
        _occupied(rng, "producer", producers, max(36, compounds * PRODUCERS // COMPOUNDS), geography),
        _occupied(rng, "shop", shop_firms, compounds * SHOPS // COMPOUNDS, geography),
        _works(rng, "compression_station", "小型压缩站", max(3, compounds * COMPRESSION // COMPOUNDS), geography),
        _works(rng, "transfer_station", "垃圾中转站", max(1, compounds * TRANSFER // COMPOUNDS), geography),
        _works(rng, "disposal_plant", "生活垃圾末端处置厂", max(1, compounds * DISPOSAL // COMPOUNDS), geography),
    ]
    sites = pl.concat(frames, how="diagonal")
    return sites.with_columns(site_no=counted("CS", np.arange(1, sites.height + 1), 7))


def _estates(rng: Rng, geography: Geography, firms: pl.DataFrame) -> pl.DataFrame:
    estates = geography.estates
    managers = firms.filter(pl.col("trade") == "property")["true_id"]
    manager = managers.gather(pl.Series(pick(rng, np.arange(len(managers)), estates.height)))
    return estates.select(
        "kind",
        "name",
        address=joined(pl.lit("上海市浦东新区"), pl.col("road"), pl.col("lane").cast(pl.String), "弄"),
        town=pl.col("town"),
        committee_code=pl.col("committee_code"),
        manager=pl.when(pl.col("kind") == "compound").then(pl.lit(manager)),
    )


def _occupied(rng: Rng, kind: str, firms: pl.DataFrame, count: int, geography: Geography) -> pl.DataFrame:
    """Premises, as many as the firms can fill occupied by one of them each, the rest without a known firm."""
    known = min(count, firms.height)
    chosen = firms[np.sort(rng.permutation(firms.height)[:known])]
    occupied = chosen.select(
        name="name", address="address", town="town", committee_code="committee_code", firm="true_id"
    )
    rest = _somewhere(rng, count - known, geography)
    numbers = pl.Series(np.arange(1, rest.height + 1)).cast(pl.String)
    label = "沿街商铺" if kind == "shop" else "产废单位"
    return pl.concat([occupied, rest.with_columns(name=joined(pl.lit(label), pl.lit(numbers)))], how="diagonal").select(
        pl.lit(kind).alias("kind"), "name", "address", "town", "committee_code", "firm"
    )


def _works(rng: Rng, kind: str, label: str, count: int, geography: Geography) -> pl.DataFrame:
    places = _somewhere(rng, count, geography)
    towns = geography.towns["name"].gather(places["town"])
    numbers = pl.Series(np.arange(1, count + 1)).cast(pl.String)
    return places.with_columns(kind=pl.lit(kind), name=joined(pl.lit(towns), label, pl.lit(numbers), "号"))


def _somewhere(rng: Rng, count: int, geography: Geography) -> pl.DataFrame:
    weight = geography.towns["weight"].to_numpy()[geography.estates["town"].to_numpy()]
    estate: Array = pick(rng, np.arange(geography.estates.height), count, weight)
    number = pl.Series(rng.integers(1, 3000, count)).cast(pl.String)
    return geography.estates[estate].select(
        "town", "committee_code", address=joined(pl.lit("上海市浦东新区"), pl.col("road"), pl.lit(number), "号")
    )
