"""Streets and towns: tile map, ranking with intervals, the trend of one town and its cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from markupsafe import Markup

from streamlit_app import charts, data, formats
from streamlit_app.components import (
    EMPTY,
    Column,
    Content,
    box,
    facts,
    heading,
    interval,
    join,
    link,
    show,
    span,
    status_chip,
    table,
)
from streamlit_app.data import Row
from streamlit_app.screens.overview import closed_month
from streamlit_app.shell import Page, begin, page_head, page_offset, pager, subject_address
from streamlit_app.status import JUDGED, STATUSES, known, line_value, printed_value
from streamlit_app.theme import TINTS

INDEX = "index"
# An indicator scores at most 1.25, so the index does too.
INDEX_MOST = 1.25
MONTHS_SHOWN = 24
CASES_PER_PAGE = 20
CASE_FILTERS = ("all", "open", "overdue", "closed")


@dataclass(frozen=True)
class Choice:
    """What the reader looks at: the index or one indicator, a month, a town."""

    measure: Row | None
    month: str
    town: str


def render() -> None:
    page = begin("towns")
    page_head(page.t("towns.title"), page.t("towns.note"))
    towns = {row["town_code"]: row for row in data.towns(page.release)}
    months = _months(page)
    if not towns or not months:
        show(box("table-empty", page.t("towns.nothing")))
        return
    choice = _choose(page, towns, months)
    values = _values(page, choice, towns)
    left, right = st.columns([7, 5], gap="medium")
    with left:
        _map(page, choice, towns, values)
    with right:
        _one_town(page, choice, towns, values)
    _ranking(page, choice, towns, values)
    _cases(page, choice, towns)


def _months(page: Page) -> list[str]:
    """Months with a district figure, newest first."""
    return sorted({row["period"] for row in data.scorecards(page.release, "district")}, reverse=True)


def _choose(page: Page, towns: dict[str, Row], months: Sequence[str]) -> Choice:
    t = page.t
    measures = {row["indicator_code"]: row for row in data.indicators(page.release)}
    codes = [INDEX, *sorted(measures, key=lambda code: (-measures[code]["weight"], code))]
    newest = closed_month(data.scorecards(page.release, "district")) or months[0]
    first, second, third = st.columns(3)
    measure = first.selectbox(
        t("towns.measure"),
        codes,
        format_func=lambda code: t("towns.index") if code == INDEX else t.pick(measures[code], "name"),
        key="towns_measure",
    )
    month = second.selectbox(
        t("towns.month"),
        months,
        index=list(months).index(newest),
        format_func=lambda period: formats.month(t, period),
        key="towns_month",
    )
    if "towns_town" not in st.session_state:
        st.session_state["towns_town"] = _first_judged(page, month, list(towns))
    town = third.selectbox(
        t("towns.town"), list(towns), format_func=lambda code: t.pick(towns[code], "name"), key="towns_town"
    )
    return Choice(measures.get(measure), month, town)


def _first_judged(page: Page, month: str, codes: list[str]) -> str:
    """The best-founded town of the month, so that the page does not open on one without a figure."""
    cards = [row for row in data.scorecards(page.release, "town") if row["period"] == month]
    judged = [row for row in cards if row["status"] in JUDGED and row["dimension_code"] in codes]
    judged.sort(key=lambda row: (-row["weight_available_share"], row["dimension_code"]))
    return str(judged[0]["dimension_code"]) if judged else codes[0]


def _values(page: Page, choice: Choice, towns: dict[str, Row]) -> dict[str, Row]:
    """One row per town in the form of an indicator value, whatever the measure."""
    if choice.measure is not None:
        rows = data.town_values(page.release, choice.measure["indicator_code"], choice.month)
    else:
        rows = [_from_scorecard(row) for row in data.scorecards(page.release, "town") if row["period"] == choice.month]
    return {row["dimension_code"]: row for row in rows if row["dimension_code"] in towns}


def _from_scorecard(row: Row) -> Row:
    return {**row, "value": row["index_value"], "target": 1.0, "wilson_low": None, "wilson_high": None}


def _figure(page: Page, choice: Choice, row: Row | None) -> str:
    """The value as text, or the word that stands in its place."""
    if row is None:
        return page.t("towns.no_row")
    value = printed_value(row["status"], row["value"])
    if value is None:
        return page.t.code("indicator_status", known(row["status"]))
    return formats.index(value) if choice.measure is None else formats.measure(page.t, value, choice.measure["unit"])


def _receipt(page: Page, choice: Choice, row: Row | None) -> str:
    t = page.t
    if row is None:
        return formats.NONE
    if choice.measure is None:
        weight = formats.share(row["weight_available_share"], 0)
        return t("towns.index_receipt", available=row["available_count"], all=row["indicator_count"], share=weight)
    if not row["denominator"]:
        return t("overview.no_denominator")
    return f"{formats.quantity(row['numerator'])} / {formats.quantity(row['denominator'])}"


def _map(page: Page, choice: Choice, towns: dict[str, Row], values: dict[str, Row]) -> None:
    t = page.t
    tiles: list[dict[str, Any]] = []
    for code, town in towns.items():
        row = values.get(code)
        status = known(row["status"]) if row else "not_applicable"
        has_value = row is not None and printed_value(status, row["value"]) is not None
        tiles.append(
            {
                "town_code": code,
                "name": t.pick(town, "name"),
                "short_name": _short(page, t.pick(town, "name")),
                "x": town["tile_x"],
                "y": town["tile_y"],
                "fill": TINTS[status],
                "figure": _figure(page, choice, row) if has_value else formats.NONE,
                "status_text": t.code("indicator_status", status),
                "detail": _receipt(page, choice, row),
            }
        )
    show(heading(t("towns.map"), t("towns.map_note")))
    shown = [status for status in STATUSES if any(known(row["status"]) == status for row in values.values())]
    show(box("legend", *(status_chip(t, status) for status in shown)))

    def take() -> None:
        picked = st.session_state["towns_map"]["selection"].get(charts.TOWN_PICK, [])
        if picked and picked[0].get("town_code") in towns:
            st.session_state["towns_town"] = picked[0]["town_code"]

    st.altair_chart(
        charts.tile_map(t, tiles, choice.town),
        key="towns_map",
        on_select=take,
        selection_mode=charts.TOWN_PICK,
        theme=None,
    )


def _short(page: Page, name: str) -> str:
    """A town's name without its kind, as far as two characters remain: a tile is 50 pixels wide on a phone."""
    for suffix in page.t("format.town_suffixes").split("|"):
        if name.endswith(suffix) and len(name) - len(suffix) >= 2:
            return name.removesuffix(suffix)
    return name


def _one_town(page: Page, choice: Choice, towns: dict[str, Row], values: dict[str, Row]) -> None:
    t, row = page.t, values.get(choice.town)
    show(heading(t.pick(towns[choice.town], "name"), formats.month(t, choice.month)))
    status = known(row["status"]) if row else "not_applicable"
    pairs: list[tuple[str, Content]] = [
        (t("towns.value"), Markup("<b>{}</b>").format(_figure(page, choice, row))),
        (t("towns.status"), status_chip(t, status)),
        (t("towns.available" if choice.measure is None else "towns.receipt"), _receipt(page, choice, row)),
        *([] if choice.measure is None else [(t("towns.interval"), _interval_text(row))]),
    ]
    show(facts(pairs, "facts panel"))
    if choice.measure is None:
        history = [_from_scorecard(found) for found in data.scorecards(page.release, "town", choice.town)]
    else:
        history = data.town_history(page.release, choice.measure["indicator_code"], choice.town)
    recent = [found for found in history if found["period"] <= choice.month][-MONTHS_SHOWN:]
    is_share = choice.measure is not None and choice.measure["unit"] in formats.SHARE_UNITS
    scale = 100 if choice.measure is None else 1
    months = [
        {
            "period": found["period"],
            "line": _scaled(line_value(found["status"], found["value"]), scale),
            "dot": _scaled(found["value"] if found["status"] == "too_few" else None, scale),
            "figure": _figure(page, choice, found),
            "status_text": t.code("indicator_status", known(found["status"])),
            "receipt": _receipt(page, choice, found),
        }
        for found in recent
    ]
    if months:
        target = recent[-1]["target"]
        st.altair_chart(charts.trend(t, months, _scaled(target, scale), is_share=is_share), theme=None)
        show(box("footnote", t("towns.trend_note")))


def _scaled(value: float | None, scale: int) -> float | None:
    return None if value is None else value * scale


def _interval_text(row: Row | None) -> str:
    if row is None or row["wilson_low"] is None:
        return formats.NONE
    return f"{formats.share(row['wilson_low'])} – {formats.share(row['wilson_high'])}"


def _ranking(page: Page, choice: Choice, towns: dict[str, Row], values: dict[str, Row]) -> None:
    t = page.t
    is_index = choice.measure is None
    show(heading(t("towns.ranking"), t("towns.ranking_index_note") if is_index else t("towns.ranking_note")))
    is_down = choice.measure is not None and choice.measure["direction"] == "down"

    def order(row: Row) -> tuple[int, float, float]:
        """Judged towns first, then those with too few cases, then those without a value."""
        value, rank = printed_value(row["status"], row["value"]), row.get("rank")
        if value is None:
            return (2, 0.0, 0.0)
        group = 0 if row["status"] in JUDGED else 1
        return (group, float("inf") if rank is None else rank, value if is_down else -value)

    columns = [
        *([Column(t("towns.rank"), is_number=True)] if is_index else []),
        Column(t("towns.town")),
        Column(t("towns.value"), is_number=True),
        Column(t("towns.index_bar") if is_index else t("towns.interval_chart"), css="chart"),
        Column(t("towns.available") if is_index else t("towns.receipt"), is_number=True, is_minor=True),
        Column(t("towns.status")),
    ]
    rows = [
        [
            *([formats.NONE if row.get("rank") is None else str(row["rank"])] if is_index else []),
            span("strong" if code == choice.town else "plain", t.pick(towns[code], "name")),
            _figure(page, choice, row),
            _bar(row, is_index=is_index),
            _receipt(page, choice, row),
            status_chip(t, row["status"]),
        ]
        for row in sorted(values.values(), key=order)
        for code in (row["dimension_code"],)
    ]
    with st.container(height=460, border=False):
        show(table(columns, rows, t("towns.nothing")))


def _bar(row: Row, *, is_index: bool) -> Markup:
    """The interval of an indicator, or the index as a bar over its range of 0 to 125."""
    value, status = printed_value(row["status"], row["value"]), known(row["status"])
    if not is_index:
        return interval(row["wilson_low"], row["wilson_high"], value, row["target"], status)
    reach = None if value is None else value / INDEX_MOST
    return interval(0.0, reach, reach, 1 / INDEX_MOST, status)


def _cases(page: Page, choice: Choice, towns: dict[str, Row]) -> None:
    t = page.t
    show(heading(t("towns.cases", town=t.pick(towns[choice.town], "name")), t("towns.cases_note")))
    status = st.segmented_control(
        t("towns.case_filter"),
        CASE_FILTERS,
        default=CASE_FILTERS[0],
        format_func=lambda code: t.code("case_filter", code),
        key="towns_case_filter",
        label_visibility="collapsed",
    )
    wanted = None if status in (None, "all") else status
    key = f"cases_{choice.town}_{wanted}"
    offset = page_offset(key, CASES_PER_PAGE)
    rows = data.town_cases(page.release, choice.town, wanted, limit=CASES_PER_PAGE, offset=offset)
    columns = [
        Column(t("case.case")),
        Column(t("case.channel"), is_minor=True),
        Column(t("case.site"), is_minor=True),
        Column(t("case.found_at")),
        Column(t("case.due_at"), is_minor=True),
        Column(t("case.closed_at"), is_minor=True),
        Column(t("case.loop_level"), is_minor=True),
        Column(t("case.status")),
    ]
    show(table(columns, [_case(page, row) for row in rows], t("towns.no_cases")))
    pager(t, key, CASES_PER_PAGE, len(rows), rows[0]["total"] if rows else 0)


def _case(page: Page, row: Row) -> list[Content]:
    t = page.t
    site: Content = row["site_name"] or formats.NONE
    if row["party_enterprise_id"] and row["site_name"]:
        site = link(subject_address(t, "enterprise", row["party_enterprise_id"]), site)
    late = span("chip chip-poor", t("case.overdue")) if row["is_overdue"] else EMPTY
    return [
        join([t.code("scenario", row["scenario_code"]), span("fact-source", row["case_no"])]),
        t.code("channel", row["channel"]),
        box("wrap", site),
        formats.moment(row["found_at"]),
        formats.moment(row["effective_due_at"]),
        formats.moment(row["closed_at"]),
        t.code("loop_level", row["loop_level"]) if row["loop_level"] else formats.NONE,
        box("legend", span("tag", t.code("case_status", row["status"])), late),
    ]


if __name__ == "__main__":
    render()
