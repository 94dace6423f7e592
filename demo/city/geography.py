"""Where things are: the 36 real towns, their committees, and the estates (compounds and villages) people live in.

Town names and codes are public; population weights follow the 2020 census in their order of size only; how well a town
works (`*_skill`) is drawn by seed and says nothing about the real towns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.city.draw import Array, pick, stream

DISTRICT = "310115"
# code, name, kind, weight
TOWNS: tuple[tuple[str, str, str, float], ...] = (
    ("004", "潍坊新村", "street", 10),
    ("005", "陆家嘴", "street", 11),
    ("007", "周家渡", "street", 13),
    ("008", "塘桥", "street", 7),
    ("009", "上钢新村", "street", 10),
    ("010", "南码头路", "street", 10),
    ("011", "沪东新村", "street", 10),
    ("012", "金杨新村", "street", 20),
    ("013", "洋泾", "street", 15),
    ("014", "浦兴路", "street", 17),
    ("015", "东明路", "street", 12),
    ("016", "花木", "street", 24),
    ("103", "川沙新", "town", 42),
    ("104", "高桥", "town", 19),
    ("105", "北蔡", "town", 29),
    ("110", "合庆", "town", 13),
    ("114", "唐", "town", 14),
    ("117", "曹路", "town", 21),
    ("120", "金桥", "town", 9),
    ("121", "高行", "town", 15),
    ("123", "高东", "town", 11),
    ("125", "张江", "town", 22),
    ("130", "三林", "town", 40),
    ("131", "惠南", "town", 28),
    ("132", "周浦", "town", 22),
    ("133", "新场", "town", 11),
    ("134", "大团", "town", 7),
    ("136", "康桥", "town", 24),
    ("137", "航头", "town", 14),
    ("139", "祝桥", "town", 20),
    ("140", "泥城", "town", 9),
    ("141", "宣桥", "town", 8),
    ("142", "书院", "town", 6),
    ("143", "万祥", "town", 3),
    ("144", "老港", "town", 3.5),
    ("145", "南汇新城", "town", 16),
)
ROADS = [
    "张杨路",
    "世纪大道",
    "浦东大道",
    "杨高中路",
    "龙阳路",
    "锦绣路",
    "芳甸路",
    "成山路",
    "上南路",
    "云台路",
    "东方路",
    "源深路",
    "民生路",
    "罗山路",
    "博山东路",
    "利津路",
    "五莲路",
    "高科西路",
    "川沙路",
    "新川路",
    "华夏东路",
    "曹路东街",
    "上川路",
    "三林路",
    "永泰路",
    "御桥路",
    "沪南公路",
    "康桥路",
    "秀沿路",
    "周东路",
    "川周公路",
    "航头路",
    "东门大街",
    "拱极路",
    "南六公路",
    "申港大道",
    "环湖西一路",
    "灵山路",
    "羽山路",
    "浦三路",
    "齐河路",
    "德州路",
    "昌里路",
    "耀华路",
    "微山路",
    "塘桥新路",
    "峨山路",
    "浦建路",
    "北艾路",
    "莲溪路",
    "华东路",
    "祝潘公路",
    "人民东路",
    "听潮路",
    "牡丹路",
    "梅花路",
    "花木路",
    "金桥路",
    "张江路",
    "祖冲之路",
    "巨峰路",
    "高行路",
]
ESTATE_STEMS = list("锦绣金阳明华东方康桥绿地海洲香梅仁恒御景龙泉和泰安兴")
ESTATE_FORMS = ["苑", "花园", "公寓", "新村", "家园", "小区", "名邸", "里"]
VILLAGES = [
    "新桥",
    "长征",
    "连民",
    "界浜",
    "大洪",
    "塘东",
    "外灶",
    "中港",
    "桃园",
    "洋溢",
    "果园",
    "三灶",
    "星火",
    "双桥",
]

RESIDENTS_PER_COMPOUND = 160
SHARE_IN_VILLAGES = 0.11


@dataclass(frozen=True)
class Geography:
    """Towns (36 rows), committees, and estates; rows are referred to by position.

    towns: town_code, name, kind, weight, smart, smart_trend, speed, speed_trend, quality, publication,
        publication_trend, elder_care
    estates: kind (compound|village), name, town (position), committee_code, road, lane
    """

    towns: pl.DataFrame
    estates: pl.DataFrame


def build(seed: int, residents: int) -> Geography:
    """The district for about that many residents."""
    return Geography(_towns(seed), _estates(seed, residents))


def _towns(seed: int) -> pl.DataFrame:
    rng = stream(seed, "towns")
    count = len(TOWNS)
    weight = np.array([town[3] for town in TOWNS])
    return pl.DataFrame(
        {
            "town_code": [DISTRICT + town[0] for town in TOWNS],
            "name": [town[1] for town in TOWNS],
            "kind": [town[2] for town in TOWNS],
            "weight": weight / weight.sum(),
            # Share of finds that need no caller, and its change over two years.
            "smart": np.clip(rng.normal(0.52, 0.12, count), 0.22, 0.78),
            "smart_trend": rng.normal(0.08, 0.06, count),
            # Speed 0 is the district's pace; +1 closes in about 60 % of the time, -1 in 165 %.
            "speed": np.clip(rng.normal(0.15, 0.55, count), -1.1, 1.2),
            "speed_trend": rng.normal(0.15, 0.25, count),
            # Share of disposals accepted at the first check.
            "quality": np.clip(rng.normal(0.93, 0.04, count), 0.78, 0.99),
            # Share of supervision results published in time.
            "publication": np.clip(rng.normal(0.9, 0.08, count), 0.62, 0.995),
            "publication_trend": rng.normal(0.02, 0.03, count),
            "elder_care": rng.normal(0, 1, count),
        }
    )


def _estates(seed: int, residents: int) -> pl.DataFrame:
    rng = stream(seed, "estates")
    weights = np.array([town[3] for town in TOWNS])
    compounds = max(len(TOWNS), residents // RESIDENTS_PER_COMPOUND)
    # Every town has a compound; the rest go by weight. Real proportion of villages: 337 to 2,662 compounds.
    extra = pick(rng, np.arange(len(TOWNS)), compounds - len(TOWNS), weights)
    compound_towns = np.sort(np.concatenate([np.arange(len(TOWNS)), extra]))
    rural = np.flatnonzero([town[2] == "town" for town in TOWNS])
    village_towns = np.sort(pick(rng, rural, max(4, compounds * 337 // 2662), weights[rural]))
    town = np.concatenate([compound_towns, village_towns])
    is_village = np.arange(len(town)) >= len(compound_towns)
    names = np.where(
        is_village,
        np.char.add(pick(rng, VILLAGES, len(town)), "村"),
        np.char.add(
            np.char.add(pick(rng, ESTATE_STEMS, len(town)), pick(rng, ESTATE_STEMS, len(town))),
            pick(rng, ESTATE_FORMS, len(town)),
        ),
    )
    # Roads belong to towns: each town uses its own few.
    road = (town * 5 + rng.integers(0, 7, len(town))) % len(ROADS)
    return pl.DataFrame(
        {
            "kind": np.where(is_village, "village", "compound"),
            "name": names,
            "town": town,
            "committee_code": _committees(town, is_village),
            "road": np.array(ROADS)[road],
            "lane": rng.permutation(np.arange(len(town))) * 7 % 2400 + rng.integers(10, 17, len(town)),
        }
    )


def _committees(town: Array, is_village: Array) -> pl.Series:
    """Twelve digits: town plus 001… for neighbourhood and 201… for village committees; two compounds share one."""
    frame = pl.DataFrame({"town": town, "village": is_village})
    number = pl.int_range(pl.len()).over("town", "village")
    codes = pl.Series([DISTRICT + code for code, *_ in TOWNS])
    return frame.select(
        pl.lit(codes).gather(pl.col("town"))
        + pl.when("village").then(201 + number).otherwise(1 + number // 2).cast(pl.String).str.zfill(3)
    ).to_series()


def home_address(estates: pl.DataFrame, estate: Array, building: Array, room: Array) -> pl.Series:
    """Full addresses as the register writes them."""
    rows = estates.select("kind", "name", "road", "lane", "town")[estate]
    towns = pl.Series([_town_text(name, kind) for _, name, kind, _ in TOWNS])
    number = pl.Series(building).cast(pl.String)
    unit = pl.Series(room).cast(pl.String)
    return rows.select(
        pl.when(pl.col("kind") == "village")
        .then(
            pl.concat_str(
                pl.lit("上海市浦东新区"),
                pl.lit(towns).gather(pl.col("town")),
                pl.col("name"),
                pl.lit(number),
                pl.lit("组"),
                pl.lit(unit),
                pl.lit("号"),
            )
        )
        .otherwise(
            pl.concat_str(
                pl.lit("上海市浦东新区"),
                pl.col("road"),
                pl.col("lane").cast(pl.String),
                pl.lit("弄"),
                pl.lit(number),
                pl.lit("号"),
                pl.lit(unit),
                pl.lit("室"),
            )
        )
        .alias("address")
    ).to_series()


def _town_text(name: str, kind: str) -> str:
    return name + ("街道" if kind == "street" else "镇")
