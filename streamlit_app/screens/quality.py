"""Data quality: where every source table stands, what the gates found, what lies in quarantine, what was released."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from streamlit_app import data, formats
from streamlit_app.components import (
    EMPTY,
    Column,
    Content,
    batch_chip,
    box,
    check_chip,
    element,
    facts,
    heading,
    join,
    notice,
    show,
    span,
    state_chip,
    table,
    tag,
)
from streamlit_app.data import Row
from streamlit_app.shell import RUN_COMMAND, Page, begin, page_head, page_offset, pager
from streamlit_app.status import TABLE_STATES, worst_state

SECTIONS = ("systems", "checks", "quarantine", "batches", "releases")
CHECK_FILTERS = ("trouble", "all")
BATCHES_PER_PAGE = 25
BATCHES_PAGER = "quality_batches"
CHECKS_SHOWN = 300
RELEASES_SHOWN = 30
COUNTS = ("read", "inserted", "updated", "unchanged", "deleted", "quarantined")
# On a narrow screen only what was read and what was set aside.
ALWAYS_SHOWN = ("read", "quarantined")
GATES = ("admission", "dbt", "release")


def render() -> None:
    page = begin("quality")
    t = page.t
    page_head(t("quality.title"), t("quality.note"))
    states = data.system_states()
    runs = data.latest_runs()
    show(_summary(page, states))
    section = st.segmented_control(
        t("quality.section"),
        SECTIONS,
        default=SECTIONS[0],
        format_func=lambda code: t(f"quality.section_{code}"),
        key="quality_section",
        label_visibility="collapsed",
    )
    if section == "checks":
        _checks(page, runs)
    elif section == "quarantine":
        _quarantine(page)
    elif section == "batches":
        _batches(page)
    elif section == "releases":
        _releases(page)
    else:
        _systems(page, states)


def _summary(page: Page, states: Sequence[Row]) -> Markup:
    t = page.t
    admitted = sum(row["state"] == "admitted" for row in states)
    checks: Counter[str] = Counter()
    for row in data.check_counts([page.release.run_id]):
        checks[row["status"]] += row["checks"]
    waiting = sum(row["rows"] for row in data.quarantine_summary() if row["status"] == "open")
    return facts(
        [
            (t("quality.tables_admitted"), f"{admitted} / {len(states)}"),
            (t("quality.checks_passed"), formats.number(checks["passed"])),
            (t("quality.checks_warned"), formats.number(checks["warned"])),
            (t("quality.checks_failed"), formats.number(checks["failed"])),
            (t("quality.rows_waiting"), formats.number(waiting)),
            (t("quality.release"), f"{page.release.release_id}"),
        ],
        "panel facts-row",
    )


def _systems(page: Page, states: Sequence[Row]) -> None:
    t = page.t
    show(heading(t("quality.systems"), t("quality.systems_note")))
    by_system: dict[str, list[Row]] = defaultdict(list)
    for row in states:
        by_system[row["system"]].append(row)
    worst = {system: worst_state([row["state"] for row in rows]) for system, rows in by_system.items()}
    with st.container(key="system_states"):
        for system in sorted(by_system, key=lambda name: (TABLE_STATES.index(worst[name]), name)):
            title = element("h3", "system-title", t.code("system", system))
            show(box("subject-head", title, state_chip(t, worst[system])))
            for row in by_system[system]:
                if row["state"] in ("held", "stale"):
                    show(_trouble(page, row))
            body = [_state(page, row) for row in by_system[system]]
            show(table(_state_columns(page), body, t("quality.nothing")))


def _trouble(page: Page, row: Row) -> Markup:
    """A held or stale table: since when, why, and what to do."""
    t = page.t
    name = t.code("source_table", f"{row['system']}.{row['table_name']}")
    title = t(f"quality.{row['state']}_title", table=name, since=formats.moment(row["state_since"]))
    command = element("code", "command", f"cityhub quarantine list --system {row['system']}")
    again = element("code", "command", RUN_COMMAND)
    lines: list[Content] = [t("quality.reason", reason=row["last_error"])] if row["last_error"] else []
    lines.append(join([t(f"quality.{row['state']}_do"), " ", command, " ", again]))
    return notice("warning", title, *lines)


def _state_columns(page: Page) -> list[Column]:
    t = page.t
    return [
        Column(t("quality.table")),
        Column(t("quality.state")),
        *(Column(t(f"quality.count_{name}"), is_number=True, is_minor=name not in ALWAYS_SHOWN) for name in COUNTS),
        Column(t("quality.as_of"), is_minor=True),
    ]


def _state(page: Page, row: Row) -> list[Content]:
    name = page.t.code("source_table", f"{row['system']}.{row['table_name']}")
    return [
        name,
        state_chip(page.t, row["state"]),
        *(_count(row, name) for name in COUNTS),
        formats.moment(row["as_of"]),
    ]


def _count(row: Row, name: str) -> Content:
    """A count of the last batch; zeros stay quiet so that what moved stands out."""
    value = row[f"{name}_count"]
    return span("quiet", formats.number(value)) if not value else formats.number(value)


def _checks(page: Page, runs: Sequence[Row]) -> None:
    t = page.t
    show(heading(t("quality.checks"), t("quality.checks_note")))
    ids = list(dict.fromkeys(row["run_id"] for row in runs))
    if not ids:
        show(box("table-empty", t("quality.no_checks")))
        return
    at = {row["run_id"]: row["checked_at"] for row in reversed(runs)}
    left, right = st.columns([3, 2])
    run = left.selectbox(
        t("quality.run"), ids, format_func=lambda run_id: f"{formats.moment(at[run_id])}  {run_id}", key="quality_run"
    )
    wanted = right.segmented_control(
        t("quality.show"),
        CHECK_FILTERS,
        default=CHECK_FILTERS[0],
        format_func=lambda code: t(f"quality.filter_{code}"),
        key="quality_filter",
    )
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in data.check_counts([run]):
        counts[row["gate"]][row["status"]] = row["checks"]
    gate_rows = [
        [
            t.code("gate", gate),
            *(formats.number(counts[gate].get(status, 0)) for status in ("passed", "warned", "failed")),
        ]
        for gate in GATES
        if gate in counts
    ]
    columns = [
        Column(t("quality.gate")),
        *(Column(t.code("check", status), is_number=True) for status in ("passed", "warned", "failed")),
    ]
    show(table(columns, gate_rows, t("quality.no_checks")))
    rows = data.checks([run], only_trouble=wanted != "all", limit=CHECKS_SHOWN)
    show(table(_check_columns(page), [_check(page, row) for row in rows], t("quality.all_passed")))
    if rows and rows[0]["total"] > len(rows):
        show(box("footnote", t("quality.first_of", n=len(rows), total=formats.number(rows[0]["total"]))))


def _check_columns(page: Page) -> list[Column]:
    t = page.t
    return [
        Column(t("quality.result")),
        Column(t("quality.gate"), is_minor=True),
        Column(t("quality.table")),
        Column(t("quality.check")),
        Column(t("quality.severity"), is_minor=True),
        Column(t("quality.observed"), is_number=True),
        Column(t("quality.expected"), is_minor=True),
    ]


def _check(page: Page, row: Row) -> list[Content]:
    t = page.t
    where = [t.code("system", row["system"])] if row["system"] else []
    if row["table_name"]:
        where.append(
            t.code("source_table", f"{row['system']}.{row['table_name']}") if row["system"] else row["table_name"]
        )
    observed = row["observed"]
    return [
        check_chip(t, row["status"]),
        t.code("gate", row["gate"]),
        t("format.dot").join(where) or formats.NONE,
        box("wrap", row["check_name"]),
        t.code("severity", row["severity"]),
        formats.NONE if observed is None else f"{observed:,.6g}",
        box("wrap", row["expected"] or formats.NONE),
    ]


def _quarantine(page: Page) -> None:
    t = page.t
    show(heading(t("quality.quarantine"), t("quality.quarantine_note")))
    columns = [
        Column(t("quality.system")),
        Column(t("quality.table")),
        Column(t("quality.rule")),
        Column(t("quality.severity"), is_minor=True),
        Column(t("quality.row_status")),
        Column(t("quality.rows"), is_number=True),
        Column(t("quality.first_seen"), is_minor=True),
        Column(t("quality.last_seen"), is_minor=True),
    ]
    body = [
        [
            t.code("system", row["system"]),
            t.code("source_table", f"{row['system']}.{row['table_name']}"),
            t.code("rule", row["rule"] or formats.NONE),
            t.code("severity", row["severity"]),
            t.code("row_status", row["status"]),
            formats.number(row["rows"]),
            formats.moment(row["first_seen_at"]),
            formats.moment(row["last_seen_at"]),
        ]
        for row in data.quarantine_summary()
    ]
    show(table(columns, body, t("quality.no_quarantine")))
    show(box("footnote", t("quality.quarantine_do"), " ", element("code", "command", "cityhub quarantine list")))


def _batches(page: Page) -> None:
    t = page.t
    show(heading(t("quality.batches"), t("quality.batches_note")))
    rows = data.batches(BATCHES_PER_PAGE, page_offset(BATCHES_PAGER, BATCHES_PER_PAGE))
    columns = [
        Column(t("quality.batch"), is_number=True),
        Column(t("quality.table")),
        Column(t("quality.state")),
        Column(t("quality.mode"), is_minor=True),
        *(Column(t(f"quality.count_{name}"), is_number=True, is_minor=name not in ALWAYS_SHOWN) for name in COUNTS),
        Column(t("quality.finished"), is_minor=True),
        Column(t("quality.why"), is_minor=True),
    ]
    body = [
        [
            str(row["batch_id"]),
            t("format.dot").join(
                [t.code("system", row["system"]), t.code("source_table", f"{row['system']}.{row['table_name']}")]
            ),
            batch_chip(t, row["state"]),
            t.code("load_mode", row["load_mode"]),
            *(_count(row, name) for name in COUNTS),
            formats.moment(row["finished_at"]),
            box("wrap", row["reason"]) if row["reason"] else EMPTY,
        ]
        for row in rows
    ]
    show(table(columns, body, t("quality.no_batches")))
    pager(t, BATCHES_PAGER, BATCHES_PER_PAGE, len(rows), rows[0]["total"] if rows else 0)


def _releases(page: Page) -> None:
    t = page.t
    show(heading(t("quality.releases"), t("quality.releases_note")))
    columns = [
        Column(t("quality.release"), is_number=True),
        Column(t("quality.published")),
        Column(t("quality.business_date")),
        Column(t("quality.changed"), is_number=True),
        Column(t("quality.rows"), is_number=True),
        Column(t("quality.run"), is_minor=True),
    ]
    body = []
    for row in data.releases(RELEASES_SHOWN):
        tables = row["tables"].values()
        number: Content = str(row["release_id"])
        if row["is_current"]:
            number = join([tag(t("quality.current")), " ", number])
        body.append(
            [
                number,
                formats.moment(row["published_at"]),
                formats.day(row["business_date"]),
                formats.number(
                    sum(found.get(name, 0) for found in tables for name in ("inserted", "updated", "deleted"))
                ),
                formats.number(sum(found.get("rows", 0) for found in tables)),
                element("span", "mono", row["run_id"]),
            ]
        )
    show(table(columns, body, t("quality.nothing")))


if __name__ == "__main__":
    render()
