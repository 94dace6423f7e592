"""Names of enterprises: region, stem with trade, legal form. Offices drop and add regions; the stem they keep."""

from __future__ import annotations

import polars as pl

from identity.features.text import bare, simplified, sounds

COLUMNS = ("firm_name", "core", "core_sound", "form", "branch")
# The city and district, once or repeated, in or out of brackets (bare text has none).
_REGION = r"^(?:(?:上海市?|浦东新区|浦东|市浦东新区)+)(.{2,})$"
_FORMS = (
    ("branch", r"(?:第?[一二三四五六七八九十\d]*分公司|分店|营业部|办事处|门市部)$"),
    ("company", r"(?:股份有限公司|有限责任公司|有限公司|股份公司|公司)$"),
    ("partnership", r"(?:\(?有限合伙\)?|普通合伙|合伙企业)$"),
    ("cooperative", r"专业合作社$"),
)
# Signs that name a trade and no firm.
GENERIC = (
    "便利店",
    "小吃店",
    "饭店",
    "餐饮店",
    "面馆",
    "早餐店",
    "水果店",
    "超市",
    "理发店",
    "美发店",
    "五金店",
    "杂货店",
    "烟酒店",
    "药店",
    "大药房",
    "快递站",
    "菜鸟驿站",
    "沙县小吃",
    "兰州拉面",
    "工地",
    "门店",
    "店铺",
    "商铺",
    "物业",
    "物业公司",
    "居委会",
)
PLACEHOLDERS = ("无", "不详", "未知", "暂无", "某公司", "某店", "个人", "NULL", "NONE", "测试")


def firm_features(values: pl.Series) -> pl.DataFrame:
    """One row per name, in order: columns `COLUMNS`.

    `core` is the name without region and legal form (a branch keeps its parent's core and its own place in `branch`);
    null where nothing but a region or a form is written.
    """
    distinct = values.unique().alias("written").to_frame()
    frame = distinct.with_columns(firm_name=bare(pl.col("written")))
    frame = frame.with_columns(simplified(frame.get_column("firm_name")))
    frame = frame.with_columns(firm_name=pl.when(~pl.col("firm_name").is_in(PLACEHOLDERS)).then("firm_name"))
    form = pl.lit("other")
    for name, pattern in reversed(_FORMS):
        form = pl.when(pl.col("firm_name").str.contains(pattern)).then(pl.lit(name)).otherwise(form)
    local = pl.col("firm_name").str.replace(_REGION, "$1")
    frame = frame.with_columns(form=pl.when(pl.col("firm_name").is_not_null()).then(form), local=local)
    # A branch: parent company, its form, then the place of the branch.
    is_branch = pl.col("form") == "branch"
    parent = pl.col("local").str.extract(r"^(.+?)(?:股份有限公司|有限责任公司|有限公司|公司).+$", 1)
    place = pl.col("local").str.extract(r"^.+?(?:股份有限公司|有限责任公司|有限公司|公司)(.*?)分公司$", 1)
    ended = pl.col("local")
    for _, pattern in _FORMS[1:]:
        ended = ended.str.replace(pattern, "")
    core = pl.when(is_branch & parent.is_not_null()).then(parent).otherwise(ended)
    core = pl.when(~core.is_in(GENERIC)).then(core)
    frame = frame.with_columns(core=pl.when(core.str.len_chars() > 1).then(core), branch=pl.when(is_branch).then(place))
    frame = frame.with_columns(branch=pl.col("branch").str.replace(r"^(?:上海市?|浦东新区|浦东)+", ""))
    frame = frame.with_columns(core_sound=sounds(frame.get_column("core"), tones=False))
    place_of = values.alias("written").to_frame()
    return place_of.join(frame, on="written", how="left", nulls_equal=True, maintain_order="left").select(COLUMNS)
