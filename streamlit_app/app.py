"""The entry point that Streamlit runs: navigation, language, style; the pages do the rest."""

from __future__ import annotations

import streamlit as st

from streamlit_app.data import ReleaseMovedError
from streamlit_app.i18n import Texts
from streamlit_app.shell import language, language_switch, problem
from streamlit_app.theme import STYLE_FILE, wordmark
from warehouse.errors import CityhubError
from warehouse.settings import get_settings

PAGES = ("overview", "towns", "subject", "quality")
# Clerks' own page, where the deployment opens it; readers' pages have no login.
REVIEW = "review"


def main() -> None:
    """Draw one page."""
    t = Texts(language())
    st.set_page_config(page_title=t("app.name"), layout="wide", initial_sidebar_state="collapsed")
    st.html(STYLE_FILE)
    st.logo(wordmark(t("app.name")), size="large")
    names = (*PAGES, REVIEW) if get_settings().review != "off" else PAGES
    pages = [
        st.Page(f"screens/{name}.py", title=t(f"{name}.nav"), url_path=name, default=name == PAGES[0]) for name in names
    ]
    page = st.navigation(pages, position="top")
    language_switch(t)
    with st.container(key="page_links", horizontal=True, gap="small"):
        # Shown on narrow screens only, where Streamlit folds its own navigation away.
        for link in pages:
            st.page_link(link)
    try:
        page.run()
    except ReleaseMovedError:
        st.rerun()
    except CityhubError as error:
        problem(t, error)


main()
