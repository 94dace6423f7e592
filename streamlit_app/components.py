"""The building blocks of the pages as HTML: panels, chips, facts, tables. Values are escaped, texts come from outside.

Every function returns `Markup`; `show` puts it on the page. Nothing here knows where a value came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st
from markupsafe import Markup

from streamlit_app.i18n import Texts
from streamlit_app.status import known
from streamlit_app.theme import data_uri

Content = str | Markup
EMPTY = Markup("")


def show(*parts: Markup) -> None:
    """Put HTML on the page; nothing is put there for nothing."""
    if parts:
        st.html(join(parts))


def join(parts: Iterable[Content]) -> Markup:
    """Parts one after another, each escaped unless it is markup already."""
    return EMPTY.join(parts)


def element(name: str, css: str, *children: Content, title: str = "") -> Markup:
    """One element with a class and its children."""
    tip = Markup(' title="{}"').format(title) if title else EMPTY
    return Markup("<{name} class='{css}'{tip}>{body}</{name}>").format(name=name, css=css, tip=tip, body=join(children))


def box(css: str, *children: Content, title: str = "") -> Markup:
    """A block element."""
    return element("div", css, *children, title=title)


def span(css: str, *children: Content, title: str = "") -> Markup:
    """An inline element."""
    return element("span", css, *children, title=title)


def heading(title: str, note: Content = "") -> Markup:
    """The heading of a section with an explaining note."""
    return box("section-head", element("h2", "section-title", title), span("section-note", note) if note else EMPTY)


def status_chip(t: Texts, status: str) -> Markup:
    """Status of a figure by colour, sign and word."""
    code = known(status)
    return span(
        f"chip chip-{code}", span(f"sign sign-{code}"), t.code("indicator_status", code), title=t(f"hint.{code}")
    )


def state_chip(t: Texts, state: str) -> Markup:
    """State of a source table by colour, sign and word."""
    return span(f"chip state-{state}", span(f"sign sign-{state}"), t.code("source_state", state))


def batch_chip(t: Texts, state: str) -> Markup:
    """State of a batch by colour, sign and word."""
    return span(f"chip state-{state}", span(f"sign sign-{state}"), t.code("batch_state", state))


def check_chip(t: Texts, status: str) -> Markup:
    """Outcome of a check by colour, sign and word."""
    return span(f"chip check-{status}", span(f"sign sign-{status}"), t.code("check", status))


def chip(look: str, text: str, title: str = "") -> Markup:
    """Any state by colour, sign and word; `look` is the status whose colour and sign it takes."""
    return span(f"chip chip-{look}", span(f"sign sign-{look}"), text, title=title)


def tag(text: str) -> Markup:
    """A quiet label."""
    return span("tag", text)


def image(svg: str, description: str, css: str) -> Markup:
    """An SVG as an image with its description in words."""
    return Markup('<img class="{}" src="{}" alt="{}" title="{}">').format(css, data_uri(svg), description, description)


def link(address: str, *children: Content) -> Markup:
    """A link inside the application."""
    return Markup('<a class="inner" href="{}" target="_self">{}</a>').format(address, join(children))


def facts(pairs: Iterable[tuple[str, Content]], css: str = "facts") -> Markup:
    """Label and value pairs."""
    return box(css, *(box("fact", span("fact-label", label), span("fact-value", value)) for label, value in pairs))


def notice(tone: str, title: str, *lines: Content) -> Markup:
    """A message panel: `info`, `warning` or `problem`."""
    return box(f"notice notice-{tone}", box("notice-title", title), *(box("notice-line", line) for line in lines))


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading, whether it holds numbers, and whether narrow screens leave it out."""

    title: str
    is_number: bool = False
    is_minor: bool = False
    css: str = ""

    @property
    def classes(self) -> str:
        return (
            " ".join(
                name for name, used in (("num", self.is_number), ("minor", self.is_minor), (self.css, self.css)) if used
            )
            or "plain"
        )


def table(columns: Sequence[Column], rows: Iterable[Sequence[Content]], empty: str) -> Markup:
    """A table that scrolls sideways inside its panel when the screen is narrow; `empty` stands for no rows."""
    body = [
        element("tr", "row", *(element("td", column.classes, cell) for column, cell in zip(columns, row, strict=True)))
        for row in rows
    ]
    if not body:
        return box("table-empty", empty)
    head = element("tr", "head", *(element("th", column.classes, column.title) for column in columns))
    return box("table-wrap", element("table", "grid", element("thead", "head", head), element("tbody", "body", *body)))


def share_bar(parts: Sequence[tuple[str, int]], description: str) -> Markup:
    """A thin bar divided by counts; each part is (status, count)."""
    total = sum(count for _, count in parts) or 1
    pieces = [
        Markup('<span class="bar-{}" style="width:{}%"></span>').format(known(status), round(100 * count / total, 2))
        for status, count in parts
        if count
    ]
    return box("bar", *pieces, title=description)


def interval(low: float | None, high: float | None, value: float | None, target: float | None, css: str) -> Markup:
    """An interval between 0 and 1 on one line: its extent, the value and the target."""
    if low is None or high is None or value is None:
        return span("interval-none")
    parts = [
        Markup('<span class="interval-extent" style="left:{}%;width:{}%"></span>').format(
            round(low * 100, 1), max(round((high - low) * 100, 1), 0.6)
        ),
        Markup('<span class="interval-point" style="left:{}%"></span>').format(round(min(value, 1) * 100, 1)),
    ]
    if target is not None and 0 <= target <= 1:
        parts.append(Markup('<span class="interval-target" style="left:{}%"></span>').format(round(target * 100, 1)))
    return box(f"interval interval-{css}", *parts)
