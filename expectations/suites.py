"""What must hold for the built tables before anyone sees them: GX suites per table.

Ids, lists of codes and bounds that readers rely on. That tables agree with each other and with raw is asked in
`expectations.reconciliation`, what a single model promises about itself in the dbt project.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor

from expectations.checks import Check, between, in_set, not_above, not_null, row_count, unique

STATUSES = ("good", "watch", "poor", "not_applicable", "too_early", "too_few", "stale")
SUBJECT_KINDS = ("resident", "enterprise")
LINK_LEVELS = ("strict", "normal", "loose")

# A released table may lose a fifth of its rows from one release to the next, as a snapshot may (contracts), and five
# rows whatever their share. More has always been a broken join or a source that went missing.
SHRINK_MAX_SHARE = 0.2
SHRINK_FREE_ROWS = 5
# What is settled goes away: that all of it goes on one day is a good day's work.
MAY_SHRINK = frozenset({"findings", "attribute_disagreements"})
# A score is cut off here.
SCORE_MAX = 1.25


def _id(*columns: str) -> list[Check]:
    return [*(not_null(column) for column in columns), unique(columns)]


SUITES: Mapping[str, tuple[Check, ...]] = {
    "subjects.residents": (
        *_id("resident_id"),
        not_null("is_certified"),
        in_set("sex_code", ("male", "female")),
        between("care_level", 0, 6),
        between("record_count", 1),
        between("system_count", 1),
        not_above("system_count", "record_count"),
        between("disagreement_count", 0),
        between("finding_count", 0),
        not_null("link_level"),
        in_set("link_level", LINK_LEVELS),
    ),
    "subjects.enterprises": (
        *_id("enterprise_id"),
        not_null("is_certified"),
        in_set("status", ("active", "abnormal", "revoked", "cancelled")),
        between("record_count", 1),
        not_above("system_count", "record_count"),
        between("disagreement_count", 0),
        between("finding_count", 0),
        not_null("link_level"),
        in_set("link_level", LINK_LEVELS),
    ),
    "subjects.care_homes": (*_id("home_no"), between("licensed_beds", 0), between("in_residence_count", 0)),
    "subjects.relations": (
        *_id("relation_id"),
        in_set("kind", ("legal_representative", "lives_in_home", "works_at", "operates")),
        in_set("from_kind", SUBJECT_KINDS),
        in_set("to_kind", (*SUBJECT_KINDS, "care_home")),
        not_null("from_id"),
        not_null("to_id"),
    ),
    "subjects.cases": (
        *_id("case_no"),
        not_null("status"),
        in_set("status", ("open", "disposed", "closed", "invalid")),
        not_null("is_overdue"),
    ),
    "subjects.timeline": (
        *_id("event_id"),
        in_set("subject_kind", SUBJECT_KINDS),
        not_null("subject_id"),
        not_null("on_date"),
    ),
    "subjects.subject_records": (
        *_id("subject_kind", "system", "table_name", "record_key"),
        in_set("subject_kind", SUBJECT_KINDS),
        not_null("subject_id"),
        not_null("method"),
    ),
    "subjects.attribute_disagreements": (
        *_id("subject_kind", "subject_id", "attribute", "value_no", "system", "table_name"),
        in_set("subject_kind", SUBJECT_KINDS),
        between("value_no", 1),
        between("record_count", 1),
    ),
    "subjects.findings": (
        *_id("finding_id"),
        in_set("subject_kind", SUBJECT_KINDS),
        in_set("severity", ("act", "check")),
        not_null("evidence"),
    ),
    "subjects.towns": (*_id("town_code"), in_set("kind", ("street", "town"))),
    "scoring.indicators": (
        *_id("indicator_code"),
        in_set("direction", ("up", "down", "band")),
        between("weight", 0),
    ),
    "scoring.indicator_values": (
        *_id("indicator_code", "dimension", "dimension_code", "period"),
        between("numerator", 0),
        between("denominator", 0),
        between("score", 0, SCORE_MAX),
        not_null("status"),
        in_set("status", STATUSES),
    ),
    "scoring.scorecards": (
        *_id("dimension", "dimension_code", "period"),
        between("index_value", 0, SCORE_MAX),
        between("weight_available_share", 0, 1),
        not_above("available_count", "indicator_count"),
        not_null("status"),
        in_set("status", STATUSES),
    ),
}


def shrink_guard(rows_before: int) -> Check:
    """Not many fewer rows than readers see now; before the first release only not empty is asked of no table."""
    least = max(0, rows_before - max(SHRINK_FREE_ROWS, floor(rows_before * SHRINK_MAX_SHARE)))
    return row_count("rows", least, None, f"at least {least} rows ({rows_before} are released)")
