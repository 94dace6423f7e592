"""The form with which somebody raises a question about one record, or about two; part of the review page."""

from __future__ import annotations

import streamlit as st

from sharing import review
from sharing.review import Question, Record, ReviewRefused, SubjectKind
from streamlit_app import data
from streamlit_app.clerks import Clerk
from streamlit_app.components import heading, notice, show
from streamlit_app.i18n import Texts

# What the address holds while the form is open: the record in question (none yet: a dash), and its kind of subject.
ABOUT, KIND = "raise", "kind"
NONE_YET = "-"
KINDS: tuple[SubjectKind, ...] = ("resident", "enterprise")


def is_asked() -> bool:
    """Whether the address asks for the form."""
    return ABOUT in st.query_params


def begin() -> None:
    """Open the form, empty."""
    st.query_params[ABOUT] = NONE_YET


def form(t: Texts, clerk: Clerk) -> Question | None:
    """Draw the form; the question once it is raised."""
    asked = str(st.query_params[ABOUT])
    show(heading(t("review.raise"), t("review.raise_note")))
    with st.form("review_raise", border=False, enter_to_submit=False):
        first, second = st.columns(2)
        about = first.text_input(
            t("review.raise_about"),
            "" if asked == NONE_YET else asked,
            placeholder=t("review.raise_form"),
            max_chars=200,
        )
        against = second.text_input(
            t("review.raise_against"), placeholder=t("review.raise_against_note"), max_chars=200
        )
        kind = st.segmented_control(
            t("review.raise_kind"), KINDS, default=_kind(), format_func=lambda code: t.code("subject_kind", code)
        )
        why = st.text_input(t("review.why_note"), max_chars=500)
        sent = st.form_submit_button(t("review.raise_button"), type="primary")
    return _raise(t, clerk, (about, against), kind, why) if sent else None


def _kind() -> SubjectKind | None:
    asked = st.query_params.get(KIND)
    return next((kind for kind in KINDS if kind == asked), None)


def _raise(t: Texts, clerk: Clerk, records: tuple[str, str], kind: SubjectKind | None, why: str) -> Question | None:
    about, against = records
    try:
        return review.raise_question(
            data.warehouse(),
            Record.of(about),
            Record.of(against) if against.strip() else None,
            clerk=clerk.name,
            login=clerk.login,
            why=why,
            via="page",
            kind=kind,
        )
    except ReviewRefused as error:
        words = [t.code("review_refusal", error.code)]
        if error.item_id is not None:
            words.append(t("review.see_item", id=error.item_id))
        show(notice("warning", t("review.raise_refused"), *words))
        return None
