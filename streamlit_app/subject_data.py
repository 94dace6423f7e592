"""What the subject's page reads beyond its row: findings, contradictions, household, events, and what was said before.

As in `data`: the views' own rows of one release under the reader's role, nothing computed that belongs in dbt.
"""

from __future__ import annotations

from streamlit_app.data import Release, Row, released

HOUSEHOLD_MOST = 12
HISTORY_MOST = 40
_ALARM = "(system = 'care_homes' and table_name = 'device_alarms')"


def findings(release: Release, kind: str, subject_id: str) -> list[Row]:
    """Cross-system findings that concern the subject, those to act on first."""
    return released(
        release,
        "select f.kind, f.label_zh, f.label_en, f.severity, f.owner_department, f.since_on, f.evidence,"
        " f.other_kind, f.other_id, coalesce(e.name, h.name) as other_name, h.enterprise_id as operator_id"
        " from shared.findings f"
        " left join shared.enterprises e on f.other_kind = 'enterprise' and e.enterprise_id = f.other_id"
        " left join shared.care_homes h on f.other_kind = 'care_home' and h.home_no = f.other_id"
        " where f.subject_kind = :kind and f.subject_id = :id order by f.severity, f.since_on nulls last, f.kind",
        kind=kind,
        id=subject_id,
    )


def disagreements(release: Release, kind: str, subject_id: str) -> list[Row]:
    """Every value that records of the subject contradict each other in, the shown one first."""
    return released(
        release,
        "select attribute, value_no, value_shown, is_golden, system, table_name, record_count, since_on"
        " from shared.attribute_disagreements where subject_kind = :kind and subject_id = :id"
        " order by attribute, value_no, system, table_name",
        kind=kind,
        id=subject_id,
    )


def household(release: Release, household_id: str, subject_id: str) -> list[Row]:
    """The others at the same address, oldest first."""
    return released(
        release,
        "select resident_id, name, sex_code, birth_on, finding_count from shared.residents"
        " where household_id = :household and resident_id <> :id order by birth_on nulls last, resident_id limit :most",
        household=household_id,
        id=subject_id,
        most=HOUSEHOLD_MOST,
    )


def history(release: Release, kind: str, subject_id: str) -> list[Row]:
    """Attributes that have not always been what they are, newest word first."""
    return released(
        release,
        "select attribute, value_shown, source, from_release, from_on, to_on, is_current from ("
        " select *, count(*) over (partition by attribute) as turns from shared.subject_history"
        " where subject_kind = :kind and subject_id = :id) as said"
        " where turns > 1 order by from_release desc, attribute limit :most",
        kind=kind,
        id=subject_id,
        most=HISTORY_MOST,
    )


def timeline(release: Release, kind: str, subject_id: str, *, with_alarms: bool, limit: int) -> list[Row]:
    """What happened to a subject, newest first; what happened many times on a day once, counted."""
    return released(
        release,
        "select on_date, event_kind, label_zh, label_en, system, table_name, count(*) as times"
        " from shared.timeline where subject_kind = :kind and subject_id = :id"
        f" and (:with_alarms or not {_ALARM})"
        " group by on_date, event_kind, label_zh, label_en, system, table_name"
        " order by on_date desc nulls last, max(at) desc nulls last, event_kind, system, table_name limit :limit",
        kind=kind,
        id=subject_id,
        with_alarms=with_alarms,
        limit=limit,
    )


def alarm_count(release: Release, enterprise_id: str) -> int:
    """Alarms of the care homes that an enterprise runs."""
    [row] = released(
        release,
        "select count(distinct record_key) as n from shared.timeline"
        f" where subject_kind = 'enterprise' and subject_id = :id and {_ALARM}",
        id=enterprise_id,
    )
    return int(row["n"])
