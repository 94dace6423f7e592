"""Who works at the review page: the person whom the identity provider names, or, on trust, who somebody says he is.

Streamlit's login is in force as soon as its secrets hold a section `[auth]`; then nobody can type a name, whatever else
is set. It says who somebody is, not what he may do: who may log in here is for the identity provider to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAuthError

from streamlit_app.components import notice, show
from streamlit_app.i18n import Texts
from warehouse.settings import get_settings

CLERK = "review_clerk"
# Claims that hold a name people know, best first; every provider tells the last one.
NAMES = ("name", "preferred_username", "email", "sub")
ACCOUNTS = ("preferred_username", "email", "sub")
MOST_CHARACTERS = 60


@dataclass(frozen=True)
class Clerk:
    """Somebody who may look at records.

    Attributes:
        login: issuer and subject of his login, which he cannot change as he can his name; None where it is on trust.
    """

    name: str
    login: str | None = None


def has_login() -> bool:
    """Whether an identity provider is configured: Streamlit tells who is logged in only then."""
    return "is_logged_in" in st.user.to_dict()


def on_trust() -> bool:
    """Whether whoever is here may type a name."""
    return not has_login() and get_settings().review == "trust"


def at_work(t: Texts) -> Clerk | None:
    """Draw who works here, and ask where nobody is known yet; None until somebody is."""
    if has_login():
        return _logged_in(t)
    if not on_trust():
        show(notice("problem", t("review.no_login"), t("review.no_login_note")))
        return None
    show(notice("warning", t("review.on_trust"), t("review.on_trust_note")))
    first, _ = st.columns([2, 3])
    name = first.text_input(t("review.your_name"), key=CLERK, max_chars=MOST_CHARACTERS).strip()
    return Clerk(name) if name else None


def _logged_in(t: Texts) -> Clerk | None:
    claims = st.user.to_dict()
    if not claims.get("is_logged_in"):
        show(notice("info", t("review.log_in_first"), t("review.log_in_note")))
        if st.button(t("review.log_in"), key="log_in", type="primary"):
            _ask_provider(t)
        return None
    left, right = st.columns([4, 1], vertical_alignment="center")
    right.button(t("review.log_out"), key="log_out", on_click=st.logout, width="stretch")
    clerk = of_claims(claims)
    with left:
        if clerk is None:
            show(notice("problem", t("review.nameless"), t("review.nameless_note")))
        else:
            account = next(str(claims[name]) for name in ACCOUNTS if claims.get(name))
            show(notice("info", t("review.logged_in", name=clerk.name, account=account)))
    return clerk


def of_claims(claims: dict[str, Any]) -> Clerk | None:
    """The clerk whom an identity token names; None where it does not say whose it is (OpenID Connect requires it)."""
    if not claims.get("iss") or not claims.get("sub"):
        return None
    name = next(str(claims[name]).strip() for name in NAMES if str(claims.get(name) or "").strip())
    return Clerk(name[:MOST_CHARACTERS], f"{claims['iss']} {claims['sub']}")


def _ask_provider(t: Texts) -> None:
    try:
        st.login()
    except StreamlitAuthError:
        # Its text may quote the section, which holds secrets.
        show(notice("problem", t("review.login_incomplete"), t("review.login_incomplete_note")))
