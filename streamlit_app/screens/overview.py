"""District overview: the index, its six indicators, and the release they come from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from streamlit_app import data, formats
from streamlit_app.components import (
    EMPTY,
    Content,
    box,
    element,
    facts,
    heading,
    image,
    join,
    link,
    notice,
    share_bar,
    show,
    span,
    state_chip,
    status_chip,
)
from streamlit_app.data import Row
from streamlit_app.shell import Page, begin, page_head
from streamlit_app.sparkline import Frame, sparkline
from streamlit_app.status import JUDGED, STATUSES, known, line_value, printed_value, worst_state

MONTHS_SHOWN = 24
HERO_FRAME = Frame(width=560, height=72, line="#FFFFFF", target="#8FB0CC")
CARD_FRAME = Frame(width=320, height=48)


def render() -> None:
    page = begin("overview")
    cards = data.scorecards(page.release, "district")
    month = closed_month(cards)
    states = data.system_states()
    if month is None:
        page_head(page.t("overview.title"))
        show(notice("info", page.t("overview.no_month"), page.t("overview.no_month_text")))
        return
    page_head(page.t("overview.title"), page.t("overview.note", month=formats.month(page.t, month)))
    show(*_warnings(page, states))
    show(_hero(page, [row for row in cards if row["period"] <= month], states))
    show(heading(page.t("overview.indicators"), page.t("overview.indicators_note", months=MONTHS_SHOWN)))
    show(_cards(page, month))
    show(box("footnote", page.t("overview.receipt_note")))


def closed_month(rows: Sequence[Row]) -> str | None:
    """The newest month whose period is over (an open one is `too_early`)."""
    closed = [str(row["period"]) for row in rows if row["status"] != "too_early"]
    return max(closed, default=None)


def _warnings(page: Page, states: Sequence[Row]) -> list[Markup]:
    """What a reader must know before trusting the newest figures."""
    t = page.t
    found = []
    troubled: dict[str, list[Row]] = defaultdict(list)
    for row in states:
        if row["state"] in ("held", "stale"):
            troubled[row["system"]].append(row)
    if troubled:
        lines = [
            t(
                "overview.held_line",
                system=t.code("system", system),
                state=t.code("source_state", worst_state([row["state"] for row in rows])),
                tables=t("format.list").join(t.code("source_table", f"{system}.{row['table_name']}") for row in rows),
                as_of=formats.moment(min((row["as_of"] for row in rows if row["as_of"]), default=None)),
            )
            for system, rows in troubled.items()
        ]
        lines.append(link("quality", t("overview.to_quality")))
        found.append(notice("warning", t("overview.held_title"), *lines))
    refused = _refused_run(page)
    if refused:
        found.append(notice("problem", t("overview.refused_title"), t("overview.refused_line", run=refused)))
    return found


def _refused_run(page: Page) -> str | None:
    """A run after the shown release that its gate refused."""
    for row in data.latest_runs():
        if row["gate"] == "release" and row["run_id"] != page.release.run_id:
            if row["checked_at"] <= page.release.published_at:
                return None
            counts = data.check_counts([row["run_id"]])
            if any(count["status"] == "failed" for count in counts if count["gate"] == "release"):
                return str(row["run_id"])
    return None


def _hero(page: Page, rows: Sequence[Row], states: Sequence[Row]) -> Markup:
    t = page.t
    now, recent = rows[-1], rows[-MONTHS_SHOWN:]
    value = printed_value(now["status"], now["index_value"])
    figure = (
        box("hero-value figure", formats.index(value))
        if value is not None
        else box("hero-value is-word", t.code("indicator_status", known(now["status"])))
    )
    series = [line_value(row["status"], row["index_value"]) for row in recent]
    description = t("overview.index_trend", first=recent[0]["period"], last=recent[-1]["period"])
    main = box(
        "hero-main",
        box("hero-label", t("overview.index")),
        box("hero-row", figure, status_chip(t, now["status"])),
        box("hero-note", _index_note(page, rows)),
        image(sparkline(series, 1.0, HERO_FRAME), description, "hero-spark"),
        box(
            "hero-axis",
            span("axis", formats.month(t, recent[0]["period"])),
            span("axis", t("overview.index_line")),
            span("axis", formats.month(t, recent[-1]["period"])),
        ),
    )
    return box("hero", main, _receipt(page, states))


def _index_note(page: Page, rows: Sequence[Row]) -> str:
    t, now = page.t, rows[-1]
    parts = [
        t(
            "overview.index_weight",
            available=now["available_count"],
            all=now["indicator_count"],
            share=formats.share(now["weight_available_share"], 0),
        )
    ]
    before = rows[-2] if len(rows) > 1 else None
    if before and line_value(before["status"], before["index_value"]) is not None and now["index_value"] is not None:
        if before["weight_available_share"] == now["weight_available_share"]:
            change = formats.change(now["index_value"] - before["index_value"])
            parts.append(t("overview.index_change", change=change))
        else:
            # An indicator that came or went moves the index without anything having changed in the city.
            parts.append(t("overview.index_not_comparable"))
    return t("format.stop").join(parts)


def _receipt(page: Page, states: Sequence[Row]) -> Markup:
    """Which release this is and what it rests on."""
    t, release = page.t, page.release
    counts: Counter[str] = Counter()
    warned = 0
    for row in data.check_counts([release.run_id]):
        counts[row["status"]] += row["checks"]
        warned += row["checks"] if (row["gate"], row["status"]) == ("release", "warned") else 0
    by_system: dict[str, list[str]] = defaultdict(list)
    for row in states:
        by_system[row["system"]].append(row["state"])
    systems = [
        box("system", span("system-name", t.code("system", system)), state_chip(t, worst_state(found)))
        for system, found in by_system.items()
    ]
    gate = t("overview.gate_warned", n=warned) if warned else t("overview.gate_passed")
    return box(
        "hero-side",
        box("hero-side-title", t("overview.release", id=release.release_id)),
        facts(
            [
                (t("overview.published"), formats.moment(release.published_at)),
                (t("overview.business_date"), formats.day(release.business_date)),
                (t("overview.gate"), gate),
                (t("overview.checks"), _checks(page, counts)),
            ]
        ),
        box("divider"),
        box("systems", *systems),
    )


def _checks(page: Page, counts: Mapping[str, int]) -> str:
    t = page.t
    parts = [
        t(f"overview.checks_{status}", n=formats.number(counts[status]))
        for status in ("passed", "warned", "failed")
        if counts.get(status)
    ]
    return t("format.list").join(parts) if parts else formats.NONE


def _cards(page: Page, month: str) -> Markup:
    history: dict[str, list[Row]] = defaultdict(list)
    for row in data.district_values(page.release):
        if row["period"] <= month:
            history[row["indicator_code"]].append(row)
    by_indicator: dict[str, dict[str, int]] = defaultdict(dict)
    for row in data.town_status_counts(page.release, month):
        by_indicator[row["indicator_code"]][row["status"]] = row["towns"]
    shown = sorted(data.indicators(page.release), key=lambda row: (-row["weight"], row["indicator_code"]))
    return box(
        "cards",
        *(
            _card(page, indicator, history[indicator["indicator_code"]], by_indicator[indicator["indicator_code"]])
            for indicator in shown
            if history[indicator["indicator_code"]]
        ),
    )


def _card(page: Page, indicator: Row, history: Sequence[Row], towns: dict[str, int]) -> Markup:
    t, now, recent = page.t, history[-1], history[-MONTHS_SHOWN:]
    name, unit = t.pick(indicator, "name"), indicator["unit"]
    value = printed_value(now["status"], now["value"])
    figure = (
        span("figure", formats.measure(t, value, unit))
        if value is not None
        else span("figure is-word", t.code("indicator_status", known(now["status"])))
    )
    series = [line_value(row["status"], row["value"]) for row in recent]
    trend = image(
        sparkline(series, now["target"], CARD_FRAME),
        t("overview.trend_of", name=name, first=recent[0]["period"], last=recent[-1]["period"]),
        "card-spark",
    )
    return box(
        "card",
        box("card-head", span("card-name", name), status_chip(t, now["status"])),
        box(
            "card-row",
            figure,
            span("card-target", t(f"overview.target_{indicator['direction']}", target=_target(page, indicator, now))),
        ),
        box(
            "card-receipt",
            page.t("format.dot").join(filter(None, [_fraction(page, now), _change(page, history, unit)])),
        ),
        trend,
        _town_bar(page, towns),
        _definition(page, indicator, now),
    )


def _target(page: Page, indicator: Row, row: Row) -> str:
    digits = 0 if round(row["target"] * 100, 6).is_integer() else 1
    return formats.measure(page.t, row["target"], indicator["unit"], digits)


def _change(page: Page, history: Sequence[Row], unit: str) -> str:
    """The change against the month before, where both months have a judged value."""
    if len(history) < 2 or unit not in formats.SHARE_UNITS:
        return ""
    now, before = (line_value(row["status"], row["value"]) for row in (history[-1], history[-2]))
    if now is None or before is None:
        return ""
    return page.t("overview.change", change=formats.change(now - before))


def _fraction(page: Page, row: Row) -> str:
    """The receipt of a figure: numerator over denominator, and the interval where the cases are few."""
    t = page.t
    if not row["denominator"]:
        return t("overview.no_denominator")
    is_final = row["status"] in JUDGED or row["status"] == "too_few"
    text = t(
        "overview.fraction" if is_final else "overview.fraction_so_far",
        numerator=formats.quantity(row["numerator"]),
        denominator=formats.quantity(row["denominator"]),
    )
    if row["status"] == "too_few" and row["wilson_low"] is not None:
        text += t("overview.wilson", low=formats.share(row["wilson_low"]), high=formats.share(row["wilson_high"]))
    return text


def _town_bar(page: Page, towns: dict[str, int]) -> Markup:
    if not towns:
        return EMPTY
    t = page.t
    counts = [(status, towns.get(status, 0)) for status in STATUSES]
    words = t("format.list").join(
        t("overview.town_count", status=t.code("indicator_status", status), n=count)
        for status, count in counts
        if count
    )
    return box("card-towns", share_bar(counts, words), span("card-towns-note", t("overview.town_bar", counts=words)))


def _definition(page: Page, indicator: Row, now: Row) -> Markup:
    t = page.t
    lines: list[Content] = [
        t.pick(indicator, "formula"),
        t("overview.target_origin", origin=t.code("target_origin", indicator["target_origin"])),
        t("overview.owner", owner=t.code("department", indicator["owner_department"])),
        t("overview.weight", weight=f"{indicator['weight']:g}", version=now["indicator_version"]),
    ]
    body = join(box("line", line) for line in lines)
    return element("details", "definition", element("summary", "more", t("overview.definition")), body)


if __name__ == "__main__":
    render()
