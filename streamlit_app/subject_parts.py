"""Sections of a subject's page beside its attributes: findings, contradictions, household, supervision, history."""

from __future__ import annotations

from itertools import groupby

from markupsafe import Markup

from streamlit_app import data, formats, subject_data
from streamlit_app.components import (
    EMPTY,
    Column,
    Content,
    box,
    chip,
    facts,
    heading,
    join,
    link,
    show,
    span,
    table,
    tag,
)
from streamlit_app.data import Row
from streamlit_app.shell import Page, subject_address
from streamlit_app.subject_words import source_note, table_label, value_text

DOUBLES = ("notice", "feedback", "tracking", "random", "assessment", "publication")
DOUBLE_CHIPS = {"done": "good", "late": "watch", "pending": "too_early", "overdue": "poor"}
EVIDENCE_SHOWN = 6


def findings(page: Page, kind: str, subject_id: str, row: Row) -> None:
    """What only the joined view sees about the subject; nothing where there is nothing."""
    if not row["finding_count"]:
        return
    t = page.t
    found = subject_data.findings(page.release, kind, subject_id)
    show(heading(t("subject.findings"), t("subject.findings_note")))
    show(box("panel", *(_finding(page, finding, subject_id) for finding in found)))


def _finding(page: Page, finding: Row, subject_id: str) -> Markup:
    t = page.t
    tone = "poor" if finding["severity"] == "act" else "watch"
    severity = chip(tone, t.code("finding_severity", finding["severity"]))
    words: list[Content] = [t("subject.owner", department=t.code("department", finding["owner_department"]))]
    if finding["since_on"]:
        words.append(t("subject.since_day", day=formats.day(finding["since_on"])))
    if finding["other_id"]:
        words.append(_other(page, finding, subject_id))
    records = finding["evidence"].split(",")
    evidence = [f"{table_label(page, source)} {key}" for source, _, key in (r.partition(":") for r in records)]
    shown = t("format.list").join(evidence[:EVIDENCE_SHOWN])
    if len(evidence) > EVIDENCE_SHOWN:
        shown = t("subject.evidence_more", shown=shown, total=len(evidence))
    stop = Markup("{}").format(t("format.stop"))
    return box(
        "finding",
        box("subject-head", severity, span("strong", t.pick(finding, "label"))),
        box("section-note", stop.join(words)),
        box("section-note", t("subject.evidence", records=shown)),
    )


def _other(page: Page, finding: Row, subject_id: str) -> Content:
    name = finding["other_name"] or finding["other_id"]
    enterprise = finding["other_id"] if finding["other_kind"] == "enterprise" else finding["operator_id"]
    if enterprise is None or enterprise == subject_id:
        return str(name)
    return link(subject_address(page.t, "enterprise", enterprise), name)


def disagreements(page: Page, kind: str, subject_id: str, row: Row) -> None:
    """Where records contradict each other: every value, who says it, and which is shown."""
    if not row["disagreement_count"]:
        return
    t = page.t
    columns = [
        Column(t("subject.attribute"), css="label"),
        Column(t("subject.value"), css="wide"),
        Column(t("subject.said_by_whom"), css="wide"),
        Column(t("subject.since"), is_minor=True),
    ]
    said = subject_data.disagreements(page.release, kind, subject_id)
    body: list[list[Content]] = []
    for (attribute, number), sayers in groupby(said, key=lambda word: (word["attribute"], word["value_no"])):
        body.append([attribute_name(page, kind, attribute) if number == 1 else "", *_value(page, list(sayers))])
    show(heading(t("subject.disagreements"), t("subject.disagreements_note", n=row["disagreement_count"])))
    show(table(columns, body, t("subject.none")))


def _value(page: Page, sayers: list[Row]) -> list[Content]:
    """One value: in words, who says it, and since when."""
    t = page.t
    first = sayers[0]
    value = value_text(page, first["attribute"], first["value_shown"])
    if not first["is_golden"]:
        # Two values may look alike behind their masks.
        value = t("subject.other_value", value=value, n=first["value_no"])
    shown = tag(t("subject.shown_value")) if first["is_golden"] else EMPTY
    sources = [
        box("sayer", t("subject.of_records", source=table_label(page, source), n=word["record_count"]))
        for word in sayers
        for source in [f"{word['system']}.{word['table_name']}"]
    ]
    days = [word["since_on"] for word in sayers if word["since_on"]]
    return [box("legend", span("wrap", value), shown), join(sources), formats.day(min(days, default=None))]


def attribute_name(page: Page, kind: str, attribute: str) -> str:
    """What an attribute is called on the page."""
    if attribute in ("name", "care_home_no", "care_level"):
        return page.t(f"subject.{attribute}")
    return page.t(f"attribute.{kind}.{attribute}")


def household(page: Page, subject_id: str, row: Row) -> None:
    """Who else lives at the same address."""
    if (row["household_size"] or 0) < 2:
        return
    t = page.t
    others = subject_data.household(page.release, row["household_id"], subject_id)
    body = [
        [
            link(subject_address(t, "resident", other["resident_id"]), other["name"] or t("subject.nameless")),
            value_text(page, "sex_code", other["sex_code"]),
            value_text(page, "birth_on", other["birth_on"]),
            _count_chip(page, other["finding_count"]),
        ]
        for other in others
    ]
    columns = [
        Column(t("subject.name")),
        Column(t("attribute.resident.sex_code")),
        Column(t("attribute.resident.birth_on")),
        Column(t("subject.findings")),
    ]
    show(heading(t("subject.household"), t("subject.household_note", n=row["household_size"])))
    show(table(columns, body, t("subject.none")))


def _count_chip(page: Page, count: int) -> Content:
    return chip("watch", formats.number(count)) if count else page.t("subject.none")


def standing(page: Page, kind: str, row: Row) -> None:
    """Benefits, care and posts of a resident; licences, inspections, penalties, equipment and signals of a firm."""
    t = page.t
    pairs = _resident_standing(page, row) if kind == "resident" else _enterprise_standing(page, row)
    pairs.append((t("subject.open_cases"), formats.number(row["open_case_count"])))
    home = data.care_home(page.release, row["care_home_no"]) if row["care_home_no"] else None
    if home is not None:
        pairs += _home(page, kind, home, row)
    title = "subject.standing_resident" if kind == "resident" else "subject.standing_enterprise"
    show(heading(t(title), t("subject.standing_note", day=formats.day(page.release.business_date))))
    signals = [code for code in (row.get("risk_signals") or "").split(",") if code]
    chips = (chip("watch", t.code("risk_signal", code)) for code in signals)
    if signals:
        show(box("legend", *chips))
    show(facts(pairs, "panel facts-wide"))
    if kind == "enterprise":
        _doubles(page, row)


def _resident_standing(page: Page, row: Row) -> list[tuple[str, Content]]:
    t = page.t
    level: Content = t("subject.none")
    if row["care_level"] is not None:
        level = join([t.code("care_band", row["care_level"]), source_note(page, row["care_level_source"])])
    pairs: list[tuple[str, Content]] = [
        (t("subject.benefits"), t("subject.some_hidden") if row["benefit_kinds"] else t("subject.none")),
        (t("subject.care_level"), level),
        (t("subject.firms_led"), formats.number(row["legal_rep_count"])),
    ]
    if row["works_at_home_no"]:
        home = data.care_home(page.release, row["works_at_home_no"])
        pairs.append((t("subject.works_at"), home["name"] if home else row["works_at_home_no"]))
    return pairs


def _enterprise_standing(page: Page, row: Row) -> list[tuple[str, Content]]:
    t = page.t
    licences: list[Content] = [formats.number(row["licence_count"])]
    if row["days_to_licence_expiry"] is not None:
        licences.append(span("fact-source", t("subject.days_left", n=row["days_to_licence_expiry"])))
    elif row["next_licence_until_on"]:
        licences.append(span("fact-source", t("subject.next_expiry", day=formats.day(row["next_licence_until_on"]))))
    inspections: list[Content] = [formats.number(row["inspection_count"])]
    if row["last_inspected_on"]:
        result = t.code("inspection_result", row["last_inspection_result"])
        day = formats.day(row["last_inspected_on"])
        inspections.append(span("fact-source", t("subject.last_inspection", day=day, result=result)))
    penalties: list[Content] = [formats.number(row["penalty_count"])]
    if row["penalty_count"]:
        amount = t("format.cny", amount=formats.number(float(row["penalty_amount_cny"])))
        penalties.append(span("fact-source", amount))
    equipment: list[Content] = [formats.number(row["equipment_count"])]
    if row["equipment_overdue_count"]:
        equipment.append(span("fact-source", t("subject.overdue", n=row["equipment_overdue_count"])))
    return [
        (t("subject.licences"), join(licences)),
        (t("subject.expired_licences"), formats.number(row["expired_licence_count"])),
        (t("subject.inspections"), join(inspections)),
        (t("subject.penalties"), join(penalties)),
        (t("subject.equipment"), join(equipment)),
        (t("subject.cases_year"), formats.number(row["case_count"])),
    ]


def _home(page: Page, kind: str, home: Row, row: Row) -> list[tuple[str, Content]]:
    t = page.t
    name: Content = home["name"] or home["home_no"]
    if kind == "resident" and home["enterprise_id"]:
        name = link(subject_address(t, "enterprise", home["enterprise_id"]), name)
    if kind == "resident" and row["stay_since_on"]:
        since = t("subject.since_day", day=formats.day(row["stay_since_on"]))
        basic = [tag(t("subject.basic_bed"))] if row["is_in_basic_bed"] else []
        return [(t("subject.care_home"), join([name, span("fact-source", since), *basic]))]
    pairs: list[tuple[str, Content]] = [(t("subject.care_home"), name)]
    if kind == "enterprise":
        beds = t("subject.beds_of", used=home["in_residence_count"], licensed=home["licensed_beds"])
        food = t("subject.yes") if home["has_valid_food_licence"] else t("subject.no")
        pairs += [(t("subject.beds"), beds), (t("subject.food_licence"), food)]
    return pairs


def _doubles(page: Page, row: Row) -> None:
    """The state of the six doubles, one fact each."""
    t = page.t
    pairs: list[tuple[str, Content]] = []
    for double in DOUBLES:
        state = row[f"double_{double}_state"]
        shown: Content = t("subject.no_item")
        if state:
            shown = chip(DOUBLE_CHIPS[state], t.code("double_state", state))
        pairs.append((t.code("double", double), shown))
    show(heading(t("subject.doubles"), t("subject.doubles_note")))
    show(facts(pairs, "panel facts-wide"))


def history(page: Page, kind: str, subject_id: str) -> None:
    """What the golden record said before, and from when to when."""
    t = page.t
    rows = subject_data.history(page.release, kind, subject_id)
    columns = [
        Column(t("subject.attribute"), css="label"),
        Column(t("subject.value"), css="wide"),
        Column(t("subject.from_to")),
        Column(t("subject.said_by_whom"), is_minor=True),
    ]
    body: list[list[Content]] = []
    for row in rows:
        until = t("subject.until", day=formats.day(row["to_on"])) if row["to_on"] else ""
        now = tag(t("subject.now")) if row["is_current"] else EMPTY
        source = table_label(page, row["source"]) if row["source"] else formats.NONE
        body.append(
            [
                attribute_name(page, kind, row["attribute"]),
                box("legend", span("wrap", value_text(page, row["attribute"], row["value_shown"])), now),
                formats.day(row["from_on"]) + until,
                source,
            ]
        )
    show(heading(t("subject.history"), t("subject.history_note")))
    show(table(columns, body, t("subject.no_history")))


def link_tag(page: Page, row: Row) -> Markup:
    """How sure the joining of the records is."""
    level = row["link_level"]
    look = {"strict": "good", "normal": "watch"}.get(level, "poor")
    probability = formats.share(row["link_probability"], 2)
    title = page.t("subject.link_hint", probability=probability)
    return chip(look, page.t("subject.link", level=page.t.code("link_level", level)), title)
