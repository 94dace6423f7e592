"""The charts that need a chart library: the tile map of the towns, the trend of one town, the waterfall of a pair.

A month without a judged value breaks the line; what kind of silence it was stands in the tooltip of a grey bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt

from streamlit_app import theme
from streamlit_app.i18n import Texts

TILE_HEIGHT = 56
TREND_HEIGHT = 240
WATERFALL_ROW = 26
# Vega evaluates these in the browser, so one chart fits both a phone and a desk.
NARROW = "width < 460"
TOWN_PICK = "town_pick"
# What Altair says it returns from `layer`; without facets it is always the first.
Chart = alt.LayerChart | alt.FacetChart


def tile_map(t: Texts, tiles: Sequence[dict[str, Any]], chosen: str | None) -> Chart:
    """One tile per town; `tiles` hold town_code, name, short_name, x, y, fill, figure, status_text, detail.

    A click selects the town under the name `town_pick`.
    """
    rows = 1 + max(tile["y"] for tile in tiles) - min(tile["y"] for tile in tiles)
    pick = alt.selection_point(name=TOWN_PICK, fields=["town_code"], on="click", clear=False)
    base = alt.Chart(
        alt.InlineData(values=[{**tile, "is_chosen": tile["town_code"] == chosen} for tile in tiles])
    ).encode(
        x=alt.X("x:O", axis=None, scale=alt.Scale(paddingInner=0.06, paddingOuter=0.02)),
        y=alt.Y("y:O", axis=None, scale=alt.Scale(paddingInner=0.08, paddingOuter=0.02)),
        tooltip=[
            alt.Tooltip("name:N", title=t("towns.town")),
            alt.Tooltip("figure:N", title=t("towns.value")),
            alt.Tooltip("status_text:N", title=t("towns.status")),
            alt.Tooltip("detail:N", title=t("towns.receipt")),
        ],
    )
    square = base.mark_rect(cornerRadius=4, cursor="pointer").encode(
        color=alt.Color("fill:N", scale=None, legend=None),
        stroke=alt.condition(alt.datum.is_chosen, alt.value(theme.PRIMARY), alt.value("#FFFFFF")),
        strokeWidth=alt.condition(alt.datum.is_chosen, alt.value(2.5), alt.value(0)),
    )
    name = base.mark_text(
        dy=-9, fontSize=alt.ExprRef(f"{NARROW} ? 9 : 12"), color=theme.INK, limit=alt.ExprRef("bandwidth('x') - 2")
    ).encode(text="short_name:N")
    figure = base.mark_text(dy=9, fontSize=alt.ExprRef(f"{NARROW} ? 9.5 : 13"), fontWeight=600, color=theme.INK).encode(
        text="figure:N"
    )
    layers = alt.layer(square.add_params(pick), name, figure)
    return _finish(layers, rows * TILE_HEIGHT)


def trend(t: Texts, months: Sequence[dict[str, Any]], target: float | None, *, is_share: bool) -> Chart:
    """The months of one town; `months` hold period, line, dot, figure, status_text, receipt.

    `line` is None where the line has a gap, `dot` is set for values measured on too few cases.
    """
    data = alt.InlineData(values=list(months))
    axis_format = "%" if is_share else ",.0f"
    known = [value for row in months for value in (row["line"], row["dot"]) if value is not None]
    known += [] if target is None else [target]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = max(high - low, 0.05 if is_share else 5) * 0.15
    x = alt.X(
        "period:O",
        title=None,
        axis=alt.Axis(labelAngle=0, labelOverlap="parity", labelExpr="slice(datum.value, 2)", tickSize=3),
    )
    scale = alt.Scale(domain=[low - room, high + room], nice=False, zero=False)
    y = alt.Y(
        "line:Q",
        title=None,
        scale=scale,
        axis=alt.Axis(format=axis_format, tickCount=5),
    )
    tips = [
        alt.Tooltip("period:O", title=t("towns.month")),
        alt.Tooltip("figure:N", title=t("towns.value")),
        alt.Tooltip("status_text:N", title=t("towns.status")),
        alt.Tooltip("receipt:N", title=t("towns.receipt")),
    ]
    base = alt.Chart(data).encode(x=x, tooltip=tips)
    silent = base.transform_filter("datum.line === null && datum.dot === null").mark_rect(color="#B9C4CE")
    silent = silent.encode(y=alt.value(alt.ExprRef("height - 5")), y2=alt.value(alt.ExprRef("height")))
    line = base.mark_line(color=theme.PRIMARY, strokeWidth=2, invalid="break-paths-show-domains").encode(y=y)
    point = (
        base.transform_filter("datum.line !== null")
        .mark_point(color=theme.PRIMARY, filled=True, size=32, opacity=1)
        .encode(y=y)
    )
    few = (
        base.transform_filter("datum.dot !== null")
        .mark_point(color=theme.UNKNOWN, filled=False, size=36, strokeWidth=1.5, opacity=1)
        .encode(y=alt.Y("dot:Q", scale=scale))
    )
    layers = [silent, line, point, few]
    if target is not None:
        rule = alt.Chart(alt.InlineData(values=[{"target": target}])).mark_rule(color=theme.MUTED, strokeDash=[4, 4])
        layers.append(rule.encode(y=alt.Y("target:Q", scale=scale)))
    return _finish(alt.layer(*layers), TREND_HEIGHT)


def waterfall(t: Texts, bars: Sequence[dict[str, Any]]) -> Chart:
    """How a match weight is built up; `bars` hold label, before, after, figure, is_for, is_total, in order."""
    data = alt.InlineData(values=list(bars))
    ends = [float(bar[end]) for bar in bars for end in ("before", "after")]
    room = max(max(ends) - min(ends), 1.0) * 0.14
    scale = alt.Scale(domain=[min(0.0, *ends) - room, max(0.0, *ends) + room], nice=False)
    y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=190, ticks=False, domain=False))
    base = alt.Chart(data).encode(
        y=y,
        tooltip=[
            alt.Tooltip("label:N", title=t("review.step_head")),
            alt.Tooltip("figure:N", title=t("review.weight")),
        ],
    )
    colour = alt.condition(alt.datum.is_for, alt.value(theme.GOOD), alt.value(theme.POOR))
    bar = base.mark_bar(height=14, cornerRadius=2).encode(
        x=alt.X("before:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5)),
        x2="after:Q",
        color=colour,
        opacity=alt.condition(alt.datum.is_total, alt.value(1.0), alt.value(0.75)),
    )
    # On the outer side of its bar, where no other bar stands in the row.
    sides: tuple[tuple[str, Literal["left", "right"], int], ...] = (
        ("datum.is_for", "left", 5),
        ("!datum.is_for", "right", -5),
    )
    figures = [
        base.transform_filter(condition)
        .mark_text(align=align, dx=offset, fontSize=11, color=theme.INK)
        .encode(x=alt.X("after:Q", scale=scale), text="figure:N")
        for condition, align, offset in sides
    ]
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(color=theme.MUTED)
        .encode(x=alt.X("zero:Q", scale=scale))
    )
    return _finish(alt.layer(zero, bar, *figures), len(bars) * WATERFALL_ROW + 30)


def _finish(chart: Chart, height: int) -> Chart:
    chart.width, chart.height = "container", height
    chart.background = "transparent"
    chart.config = alt.Config(
        font=theme.FONT,
        padding={"left": 2, "right": 2, "top": 4, "bottom": 2},
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=theme.MUTED,
            gridColor="#E8EDF1",
            domainColor=theme.HAIRLINE,
            tickColor=theme.HAIRLINE,
            labelFontSize=11,
        ),
    )
    return chart
