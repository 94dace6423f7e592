"""Names of people: bare, simplified, split into surname and given name, with their sound.

`王女士` and `王某` hold a surname and a form of address, no name: they are kept as such (`is_surname_only`).
"""

from __future__ import annotations

import polars as pl

from identity.features.text import DOTS, folded_values, simplified, sounds

# fmt: off
COMPOUND_SURNAMES = (
    "欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯",
    "诸葛", "尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政", "濮阳", "公冶", "太叔", "申屠",
    "公孙", "慕容", "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于", "司空", "闾丘", "子车",
    "亓官", "司寇", "巫马", "公西", "颛孙", "壤驷", "公良", "漆雕", "乐正", "宰父", "谷梁",
    "拓跋", "夹谷", "轩辕", "令狐", "段干", "百里", "呼延", "东郭", "南门", "羊舌", "微生",
    "梁丘", "左丘", "西门", "第五", "南荣", "东里", "东宫", "即墨", "达奚", "褚师", "纳兰",
)
# fmt: on
_TITLES = {
    "male": "先生|叔叔|大伯|老伯|大爷|爷叔|师傅",
    "female": "女士|小姐|太太|阿姨|大妈|奶奶|夫人",
    "": "某某|某|老师|同志|经理|医生|老板|X+|\\*+",
}
# Words that stand where nobody is named.
PLACEHOLDERS = ("无名氏", "无名", "匿名", "不详", "未知", "无", "暂无", "佚名", "NULL", "NONE", "N/A", "测试")
COLUMNS = ("name", "surname", "given", "is_surname_only", "title_sex", "sound")
_COMPOUND = f"^({'|'.join(COMPOUND_SURNAMES)})"


def name_features(values: pl.Series) -> pl.DataFrame:
    """One row per name, in order: columns `COLUMNS`.

    `given` is null where only a surname is known; a name with a middle dot has its first part as surname.
    """
    distinct = values.unique().alias("written").to_frame()
    name = folded_values(distinct.get_column("written"))
    frame = distinct.with_columns(name=name.str.replace_all(_masks(), "*"))
    frame = frame.with_columns(simplified(frame.get_column("name")))
    frame = frame.with_columns(name=pl.when(~pl.col("name").is_in(PLACEHOLDERS)).then("name"))
    frame = frame.with_columns(title=pl.col("name").str.extract(_title_pattern(), 2))
    frame = frame.with_columns(
        dotted=pl.col("name").str.extract(rf"^(.+?){DOTS}", 1),
        titled=pl.col("title").is_not_null(),
        name=pl.col("name").str.replace(_title_pattern(), "$1").str.replace_all(DOTS, ""),
    )
    surname = (
        pl.when("titled")
        .then("name")
        .when(pl.col("dotted").is_not_null())
        .then("dotted")
        .when(pl.col("name").str.len_chars() > 2)
        .then(pl.coalesce(pl.col("name").str.extract(_COMPOUND, 1), pl.col("name").str.slice(0, 1)))
        .otherwise(pl.col("name").str.slice(0, 1))
    )
    frame = frame.with_columns(surname=surname)
    alone = pl.col("titled") | (pl.col("name") == pl.col("surname"))
    given = pl.col("name").str.slice(pl.col("surname").str.len_chars())
    frame = frame.with_columns(
        is_surname_only=pl.when(pl.col("name").is_not_null()).then(alone),
        given=pl.when(~alone & (given != "")).then(given),
        title_sex=_title_sex(),
        sound=sounds(frame.get_column("name"), tones=False),
    ).select("written", *COLUMNS)
    place = values.alias("written").to_frame()
    return place.join(frame, on="written", how="left", nulls_equal=True, maintain_order="left").select(COLUMNS)


def _masks() -> str:
    """Characters that hide others."""
    return r"[*＊×○●□■]+"


def _title_pattern() -> str:
    words = "|".join(_TITLES.values())
    return rf"^({'|'.join(COMPOUND_SURNAMES)}|\p{{Han}})({words})$"


def _title_sex() -> pl.Expr:
    title = pl.col("title")
    return (
        pl.when(title.str.contains(f"^({_TITLES['male']})$"))
        .then(pl.lit("male"))
        .when(title.str.contains(f"^({_TITLES['female']})$"))
        .then(pl.lit("female"))
    )
