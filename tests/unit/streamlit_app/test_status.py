"""Zero is not unknown: what becomes a number, a word, a point or a gap."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest

from streamlit_app import formats
from streamlit_app.components import box, share_bar, table
from streamlit_app.i18n import Texts
from streamlit_app.sparkline import Frame, runs, sparkline
from streamlit_app.status import STATUSES, UNJUDGED, known, line_value, printed_value, worst_state
from streamlit_app.theme import STATUS_COLOURS, TINTS


@pytest.mark.parametrize("status", STATUSES)
def test_a_number_is_printed_only_where_one_was_measured(status: str) -> None:
    is_number = status in ("good", "watch", "poor", "too_few")
    assert printed_value(status, 0.0) == (0.0 if is_number else None)
    assert line_value(status, 0.0) == (0.0 if status in ("good", "watch", "poor") else None)


def test_a_status_from_a_later_version_is_no_number() -> None:
    assert known("judged_by_committee") == "not_applicable"
    assert printed_value("judged_by_committee", 0.4) is None


def test_nothing_is_a_dash_and_zero_is_zero() -> None:
    t = Texts("zh")
    assert [formats.number(None), formats.share(None), formats.index(None)] == ["—"] * 3
    assert [formats.number(0), formats.share(0), formats.index(0)] == ["0", "0.0%", "0.0"]
    assert formats.measure(t, None, "share") == "—"
    assert formats.measure(t, 0.0, "share") == "0.0%"
    assert formats.measure(t, 36.5, "hours") == "36.5 小时"


def test_a_gap_breaks_the_line_and_is_never_a_point() -> None:
    values = [0.9, 0.92, None, 0.91, None, 0.95]
    assert [[position for position, _ in run] for run in runs(values)] == [[0, 1], [3], [5]]
    svg = sparkline(values, 0.9, Frame())
    drawn = [float(y) for points in re.findall(r'points="([^"]+)"', svg) for y in re.findall(r",([\d.]+)", points)]
    assert len(drawn) == 2
    # The two silent months are ticks on the base line; none of the drawn points lies there.
    assert svg.count('y1="54.5"') == 2
    assert max(drawn) < 54


def test_a_series_without_any_value_still_draws() -> None:
    assert "<polyline" not in sparkline([None, None], None, Frame())


@pytest.mark.parametrize("palette", [TINTS, STATUS_COLOURS])
def test_every_status_has_its_colour_and_word(palette: dict[str, str]) -> None:
    assert set(palette) == set(STATUSES)
    for language in ("zh", "en"):
        words = [Texts(language).code("indicator_status", status) for status in STATUSES]
        assert len(set(words)) == len(words)


def test_unjudged_towns_are_not_drawn_as_judged_ones() -> None:
    html = share_bar([("good", 1), *((status, 1) for status in UNJUDGED)], "")
    assert [html.count(f"bar-{status}") for status in ("good", *UNJUDGED)] == [1] * 5


def test_a_system_is_as_well_as_its_worst_table() -> None:
    assert worst_state(["admitted", "held", "admitted"]) == "held"
    assert worst_state(["admitted", "stale"]) == "stale"
    assert worst_state([]) == "never"


def test_times_are_shown_in_shanghai() -> None:
    moment = datetime(2026, 6, 30, 18, 5, tzinfo=UTC)
    assert formats.moment(moment) == "2026-07-01 02:05"
    assert formats.day(moment) == "2026-07-01"
    assert formats.day(date(2026, 6, 30)) == "2026-06-30"
    assert [formats.month(Texts("zh"), "2026-05"), formats.month(Texts("en"), "2026-05")] == ["2026年5月", "May 2026"]


def test_values_from_the_data_cannot_become_markup() -> None:
    planted = "<img src=x onerror=alert(1)>"
    assert "<img" not in box("panel", planted)
    assert "<img" not in table([], [], planted)
