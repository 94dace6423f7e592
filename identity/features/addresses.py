"""Addresses taken apart: road, lane, number, room. Spellings of one address share the parts they all name."""

from __future__ import annotations

import polars as pl

from identity.features.text import folded_values, simplified

COLUMNS = ("road", "lane", "house", "room")
_REGION = r"^(?:上海市?)?(?:浦东新区|浦东)?(?:.{2,8}?(?:街道|镇))?"
_ROAD = r"^(.*?(?:公路|大道|路|街|村|镇|湾|苑))"


def address_features(values: pl.Series) -> pl.DataFrame:
    """One row per address, in order: columns `COLUMNS`, each null where the address does not name it."""
    distinct = values.unique().alias("written").to_frame()
    frame = distinct.with_columns(text=folded_values(distinct.get_column("written")))
    frame = frame.with_columns(simplified(frame.get_column("text")))
    text = pl.col("text").str.replace(_REGION, "").str.replace_all(r"[()（）]", "")
    frame = frame.with_columns(text=text)
    # 100弄3-201 is 100弄3号201室.
    text = pl.col("text").str.replace(r"(弄|号)(\d+)-(\d+)室?$", "${1}${2}号${3}室")
    frame = frame.with_columns(text=text)
    frame = frame.select(
        "written",
        road=pl.col("text").str.extract(_ROAD, 1),
        lane=pl.col("text").str.extract(r"(\d+)弄", 1),
        house=pl.col("text").str.extract(r"(\d+)(?:号|幢|栋)", 1),
        room=pl.coalesce(
            pl.col("text").str.extract(r"(\d+)室", 1), pl.col("text").str.extract(r"(?:号|幢|栋|楼)(\d+)$", 1)
        ),
    )
    place = values.alias("written").to_frame()
    return place.join(frame, on="written", how="left", nulls_equal=True, maintain_order="left").select(COLUMNS)
