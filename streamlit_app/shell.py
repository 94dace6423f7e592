"""What every page shares: language, title, the message before the first release, and errors told in four lines."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

from streamlit_app import formats
from streamlit_app.components import Content, box, element, facts, notice, show
from streamlit_app.data import Release, current_release
from streamlit_app.i18n import Language, Texts, language_of
from warehouse.errors import CityhubError
from warehouse.settings import get_settings

LANGUAGE = "reader_language"
DEMO_COMMAND = "cityhub demo"
RUN_COMMAND = "cityhub run"


@dataclass(frozen=True)
class Page:
    """The frame a page is drawn in."""

    t: Texts
    release: Release


def language() -> Language:
    """The reader's language: chosen here, named in the address, or the deployment's."""
    if LANGUAGE not in st.session_state:
        asked = st.query_params.get("lang")
        st.session_state[LANGUAGE] = language_of(asked, get_settings().language)
    return language_of(str(st.session_state[LANGUAGE]), "zh")


def language_switch(t: Texts) -> None:
    """The button in the header that turns the pages into the other language."""
    other: Language = "en" if t.language == "zh" else "zh"

    def turn() -> None:
        st.session_state[LANGUAGE] = other

    with st.container(key="language"):
        st.button(t("app.other_language"), key="language_switch", on_click=turn, help=None)


def begin(title: str) -> Page:
    """Draw the title; without a release say so and end the page here."""
    t = Texts(language())
    release = current_release()
    if release is None:
        page_head(t(f"{title}.title"))
        show(_no_release(t))
        st.stop()
    return Page(t, release)


def page_head(title: str, *notes: Content) -> None:
    """The page's title and what it is about."""
    show(box("page-head", element("h1", "title", title), *(element("span", "page-note", note) for note in notes)))


def subject_address(t: Texts, kind: str, subject_id: str) -> str:
    """The address of a subject's page; it holds the hub's own id and no personal value."""
    return "subject?" + urlencode({"kind": kind, "id": subject_id, "lang": t.language})


def question_address(t: Texts, kind: str, record: str) -> str:
    """The address of the form that asks whether a record (`system.table:key`) belongs to its subject."""
    return "review?" + urlencode({"raise": record, "kind": kind, "lang": t.language})


def page_offset(key: str, size: int) -> int:
    """How many rows lie before the page chosen in the pager `key`, which stands below the table it turns."""
    return (int(st.session_state.get(key, 1)) - 1) * size


def pager(t: Texts, key: str, size: int, shown: int, total: int) -> None:
    """Which rows are shown of how many, and the number of the page where there are several."""
    offset = page_offset(key, size)
    if not total:
        return
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        show(box("footnote", t("table.shown", first=offset + 1, last=offset + shown, total=formats.number(total))))
    if total > size:
        right.number_input(t("table.page"), 1, -(-total // size), step=1, key=key, label_visibility="collapsed")


def problem(t: Texts, error: CityhubError) -> None:
    """An error with its cause and what to do."""
    labelled = [(t(f"problem.{label}"), text) for label, text in error.lines() if label != "what"]
    show(notice("problem", t("problem.title"), error.what), facts(labelled, "panel facts-wide"))


def _no_release(t: Texts) -> Markup:
    return box(
        "empty",
        element("h2", "empty-title", t("no_release.title")),
        element("p", "empty-text", t("no_release.text")),
        element("p", "empty-text", t("no_release.first")),
        element("code", "command", DEMO_COMMAND),
        element("p", "empty-text", t("no_release.again")),
        element("code", "command", RUN_COMMAND),
        element("p", "footnote", t("no_release.note")),
    )
