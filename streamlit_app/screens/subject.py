"""One resident or enterprise, seen whole: search, golden attributes with their source, relations, cases, timeline.

What is typed into the search never reaches an address, a cache key or a log: it goes to the search and is dropped.
Names, numbers, phones and addresses come masked from the views.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from sharing.search import MAX_ROWS, Found, SubjectKind
from streamlit_app import data, formats, subject_data, subject_parts
from streamlit_app.components import (
    EMPTY,
    Column,
    Content,
    box,
    element,
    facts,
    heading,
    join,
    link,
    notice,
    show,
    span,
    table,
    tag,
)
from streamlit_app.data import Row
from streamlit_app.shell import Page, begin, page_head, page_offset, pager, question_address, subject_address
from streamlit_app.subject_words import BY_YEAR, source_note, table_label, town_name, value_text
from warehouse.settings import get_settings

KINDS: tuple[SubjectKind, ...] = ("resident", "enterprise")
MATCHES = "subject_matches"
# Characters that a button's label would read as formatting; masked names are full of stars.
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!~|<>$:&])")
DEATH = "died"
EVENTS_AT_FIRST = 20
EVENTS_MORE = 100
CASES_PER_PAGE = 10
RECORDS_PER_PAGE = 12
# Attributes in reading order; those with a `<name>_source` column say which system they came from.
RESIDENT_FACTS = (
    "citizen_no",
    "sex_code",
    "birth_on",
    "phone",
    "home_address",
    "hukou_address",
    "town_code",
    "committee_code",
    "marital_status",
    "died_on",
)
ENTERPRISE_FACTS = (
    "uscc",
    "registration_no",
    "kind",
    "status",
    "legal_rep_name",
    "registered_capital_cny",
    "established_on",
    "industry_code",
    "address",
    "town_code",
)
# Attributes that are only worth a line when they are known.
OPTIONAL_FACTS = frozenset({"died_on", "registration_no", "hukou_address", "committee_code", "industry_code"})


def render() -> None:
    page = begin("subject")
    page_head(page.t("subject.title"), page.t("subject.note"))
    _search(page)
    kind, subject_id = _asked_kind(), st.query_params.get("id")
    if subject_id:
        _subject(page, kind, subject_id)
    elif MATCHES not in st.session_state:
        show(box("table-empty", page.t("subject.start")))


def _search(page: Page) -> None:
    t = page.t
    with st.form("subject_search", border=False, enter_to_submit=True):
        first, second, third = st.columns([2, 5, 1.2], vertical_alignment="bottom")
        kind = first.segmented_control(
            t("subject.kind"), KINDS, default=_asked_kind(), format_func=lambda code: t.code("subject_kind", code)
        )
        wanted = second.text_input(t("subject.query"), placeholder=t("subject.placeholder"), max_chars=100)
        sent = third.form_submit_button(t("subject.search"), type="primary", width="stretch")
    if sent and wanted.strip():
        chosen = kind or KINDS[0]
        st.session_state[MATCHES] = (chosen, data.find_subjects(chosen, wanted.strip()))
        st.query_params.clear()
    if MATCHES in st.session_state and "id" not in st.query_params:
        _matches(page, *st.session_state[MATCHES])


def _asked_kind() -> SubjectKind:
    return KINDS[1] if st.query_params.get("kind") == KINDS[1] else KINDS[0]


def _matches(page: Page, kind: SubjectKind, found: Sequence[Found]) -> None:
    t = page.t
    show(heading(t("subject.matches"), t("subject.matches_note", n=len(found), most=MAX_ROWS)))
    if not found:
        show(box("table-empty", t("subject.no_match")))
    with st.container(key="matches", gap="small"):
        for match in found:
            st.button(
                _label(page, kind, match),
                key=f"match_{match.subject_id}",
                on_click=_open,
                args=(kind, match.subject_id),
                width="stretch",
            )


def _label(page: Page, kind: SubjectKind, match: Found) -> str:
    """What tells one match from another: name, number, town, how much is known."""
    t = page.t
    words = [
        match.identifier,
        town_name(page, match.town_code) if match.town_code else None,
        t.code("enterprise_status", match.status) if match.status and kind == "enterprise" else None,
        t("subject.joined", records=match.record_count, systems=match.system_count),
    ]
    name = MARKDOWN.sub(r"\\\1", match.name or t("subject.nameless"))
    rest = MARKDOWN.sub(r"\\\1", t("format.gap").join(word for word in words if word))
    return f"**{name}**{t('format.gap')}{rest}"


def _open(kind: str, subject_id: str) -> None:
    st.query_params.update({"kind": kind, "id": subject_id})


def _subject(page: Page, kind: str, subject_id: str) -> None:
    t = page.t
    find = data.resident if kind == "resident" else data.enterprise
    row = find(page.release, subject_id)
    if row is None:
        show(notice("warning", t("subject.unknown_title"), t("subject.unknown_text")))
        return
    if MATCHES in st.session_state:
        st.button(t("subject.back"), on_click=st.query_params.clear, type="tertiary", icon=":material/arrow_back:")
    show(_head(page, kind, subject_id, row))
    subject_parts.findings(page, kind, subject_id, row)
    left, right = st.columns([7, 5], gap="large")
    with left:
        show(heading(t("subject.attributes"), t("subject.attributes_note")))
        names = RESIDENT_FACTS if kind == "resident" else ENTERPRISE_FACTS
        pairs = [_fact(page, kind, name, row) for name in names if name not in OPTIONAL_FACTS or row[name] is not None]
        show(facts(pairs, "panel facts-wide"))
        subject_parts.disagreements(page, kind, subject_id, row)
        subject_parts.standing(page, kind, row)
        if kind == "resident":
            subject_parts.household(page, subject_id, row)
        _relations(page, kind, subject_id)
        _cases(page, kind, subject_id)
    with right:
        _timeline(page, kind, subject_id, row)
    subject_parts.history(page, kind, subject_id)
    _records(page, kind, subject_id)


def _head(page: Page, kind: str, subject_id: str, row: Row) -> Markup:
    t = page.t
    certified = t("subject.certified") if row["is_certified"] else t("subject.uncertified")
    joined = t("subject.joined", records=row["record_count"], systems=row["system_count"])
    return box(
        "panel",
        box(
            "subject-head",
            span("subject-name", row["name"] or t("subject.nameless")),
            tag(t.code("subject_kind", kind)),
            tag(certified),
            *([tag(t("subject.deceased"))] if row.get("is_deceased") else []),
            subject_parts.link_tag(page, row),
        ),
        box(
            "section-note",
            span("mono", subject_id),
            t("format.stop"),
            joined,
            source_note(page, row.get("name_source"), row.get("name_stated_on")),
        ),
    )


def _fact(page: Page, kind: str, name: str, row: Row) -> tuple[str, Content]:
    t, value = page.t, row[name]
    shown: Content = value_text(page, name, value)
    if name == "legal_rep_name" and value is not None and row.get("legal_rep_resident_id"):
        shown = link(subject_address(t, "resident", row["legal_rep_resident_id"]), str(value))
    source = source_note(page, row.get(f"{name}_source"), row.get(f"{name}_stated_on"))
    return t(f"attribute.{kind}.{name}"), join([shown, source if value is not None else EMPTY])


def _relations(page: Page, kind: str, subject_id: str) -> None:
    t = page.t
    rows = data.relations(page.release, kind, subject_id)
    show(heading(t("subject.relations"), t("subject.relations_note")))
    columns = [
        Column(t("subject.relation"), css="wide"),
        Column(t("subject.other"), css="wide"),
        Column(t("subject.since"), is_minor=True),
        Column(t("subject.current")),
    ]
    body = []
    for row in rows:
        other: Content = row["other_name"] or row["other_id"]
        target = (row["other_kind"], row["other_id"])
        if row["other_kind"] == "care_home":
            target = ("enterprise", row["operator_id"])
        if target[1] and target != (kind, subject_id):
            other = link(subject_address(t, *target), other)
        labels = "relation_kind" if row["is_from"] else "relation_to"
        until = formats.day(row["until_on"]) if row["until_on"] else ""
        body.append(
            [
                join([t.code(labels, row["kind"]), source_note(page, f"{row['source_system']}.{row['source_table']}")]),
                other,
                formats.day(row["since_on"]) + (t("subject.until", day=until) if until else ""),
                t("subject.yes") if row["is_current"] else t("subject.past"),
            ]
        )
    show(table(columns, body, t("subject.no_relations")))


def _cases(page: Page, kind: str, subject_id: str) -> None:
    t = page.t
    show(heading(t("subject.cases"), t(f"subject.cases_{kind}")))
    key = f"subject_cases_{subject_id}"
    offset = page_offset(key, CASES_PER_PAGE)
    rows = data.subject_cases(page.release, kind, subject_id, limit=CASES_PER_PAGE, offset=offset)
    columns = [
        Column(t("case.case")),
        Column(t("case.found_at")),
        Column(t("case.status")),
    ]
    body: list[list[Content]] = []
    for row in rows:
        late = span("chip chip-poor", t("case.overdue")) if row["is_overdue"] else EMPTY
        state = box("legend", tag(t.code("case_status", row["status"])), late)
        case = join([t.code("scenario", row["scenario_code"]), span("fact-source", row["case_no"])])
        body.append([case, formats.moment(row["found_at"]), state])
    show(table(columns, body, t("subject.no_cases")))
    pager(t, key, CASES_PER_PAGE, len(rows), rows[0]["total"] if rows else 0)


def _timeline(page: Page, kind: str, subject_id: str, subject: Row) -> None:
    t = page.t
    key = f"subject_events_{subject_id}"
    most = int(st.session_state.get(key, EVENTS_AT_FIRST))
    show(heading(t("subject.timeline"), t("subject.timeline_note")))
    # A home's devices call many times a day, which would hide everything else that its firm lives through.
    alarms = (
        subject_data.alarm_count(page.release, subject_id) if kind == "enterprise" and subject["care_home_no"] else 0
    )
    asked = bool(alarms) and st.toggle(t("subject.with_alarms", n=formats.number(alarms)), key=f"{key}_alarms")
    # One row more than shown tells whether there are earlier ones.
    found = subject_data.timeline(page.release, kind, subject_id, with_alarms=asked, limit=most + 1)
    rows = found[:most]
    if not rows:
        show(box("table-empty", t("subject.no_events")))
        return
    events = [
        box(
            "event",
            box("event-day", _event_day(page, row)),
            box("event-text", _event_text(page, row)),
            box("event-source", table_label(page, f"{row['system']}.{row['table_name']}")),
        )
        for row in rows
    ]
    show(box("panel", box("timeline", *events)))
    if len(found) > most:
        st.button(t("subject.more_events"), on_click=_remember, args=(key, most + EVENTS_MORE), width="stretch")


def _event_day(page: Page, row: Row) -> str:
    """The day of an event; of a death readers are given the year."""
    return value_text(page, BY_YEAR[1], row["on_date"]) if row["event_kind"] == DEATH else formats.day(row["on_date"])


def _event_text(page: Page, row: Row) -> str:
    """What happened, and how often on that day where it was more than once."""
    label = page.t.pick(row, "label")
    if row["times"] == 1:
        return label
    return page.t("format.dot").join([label, page.t("subject.times", n=formats.number(row["times"]))])


def _remember(key: str, value: int) -> None:
    st.session_state[key] = value


def _records(page: Page, kind: str, subject_id: str) -> None:
    t = page.t
    key = f"subject_records_{subject_id}"
    offset = page_offset(key, RECORDS_PER_PAGE)
    rows = data.subject_records(page.release, kind, subject_id, limit=RECORDS_PER_PAGE, offset=offset)
    show(heading(t("subject.records"), t("subject.records_note")))
    columns = [
        Column(t("subject.system")),
        Column(t("subject.table")),
        Column(t("subject.record_key")),
        Column(t("subject.role"), is_minor=True),
        Column(t("subject.method")),
    ]
    body = [
        [
            t.code("system", row["system"]),
            t.code("source_table", f"{row['system']}.{row['table_name']}"),
            _reference(page, kind, row),
            t.code("role", row["role"]),
            t.code("method", row["method"]),
        ]
        for row in rows
    ]
    show(table(columns, body, t("subject.no_records")))
    pager(t, key, RECORDS_PER_PAGE, len(rows), rows[0]["total"] if rows else 0)


def _reference(page: Page, kind: str, row: Row) -> Content:
    """A record as commands take it, and where people review: the way to say that it is somebody else's."""
    written = f"{row['system']}.{row['table_name']}:{row['record_key']}"
    shown = element("span", "mono", written)
    if get_settings().review == "off":
        return shown
    ask = link(question_address(page.t, kind, written), page.t("subject.not_theirs"))
    return join([shown, span("fact-source", ask)])


if __name__ == "__main__":
    render()
