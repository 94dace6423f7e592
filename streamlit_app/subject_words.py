"""How a subject's page words a value: attributes by their kind, sources by their labels, what is hidden as hidden."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from markupsafe import Markup

from streamlit_app import data, formats
from streamlit_app.components import EMPTY, span
from streamlit_app.shell import Page

# What the views show where there is a value that readers are not given.
HIDDEN = "***"
# Readers are given the year; its first of January is no day anybody was born or died on.
BY_YEAR = ("birth_on", "died_on")
CODED = {
    "sex_code": "sex",
    "marital_status": "marital_status",
    "care_level": "care_band",
    "kind": "enterprise_kind",
    "status": "enterprise_status",
}


def value_text(page: Page, attribute: str, value: Any) -> str:
    """A value of an attribute in words; it comes typed from a row, or as text from history and disagreements."""
    t = page.t
    if value is None:
        return formats.NONE
    if value == HIDDEN:
        return t("subject.hidden")
    if attribute in BY_YEAR:
        return t("subject.in_year", year=value.year if isinstance(value, date) else str(value)[:4])
    if isinstance(value, (date, datetime)):
        return formats.day(value)
    if attribute == "town_code":
        return town_name(page, str(value))
    if attribute == "registered_capital_cny":
        return t("format.cny", amount=formats.number(float(value)))
    if attribute in CODED:
        return t.code(CODED[attribute], value)
    return str(value)


def town_name(page: Page, code: str) -> str:
    """A town's name, or its code where it is not one of the 36."""
    for row in data.towns(page.release):
        if row["town_code"] == code:
            return page.t.pick(row, "name")
    return code


def table_label(page: Page, source: str) -> str:
    """`system.table` in words."""
    t = page.t
    system = source.partition(".")[0]
    return t("subject.table_of", system=t.code("system", system), table=t.code("source_table", source))


def source_note(page: Page, source: str | None, stated_on: date | None = None) -> Markup:
    """Which system said it, and when it last did."""
    if not source:
        return EMPTY
    said = page.t("subject.said_by", source=table_label(page, source))
    return span("fact-source", said, *([" ", span("nowrap", formats.day(stated_on))] if stated_on else []))
