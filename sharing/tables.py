"""The released tables: where each is built, where readers see it, and what identifies a row.

Only tables named here can ever reach a reader. Their columns are those of the dbt models; masks are the models' own
metadata (`sharing.views`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReleasedTable:
    """One table of a release.

    Attributes:
        name: name of the dbt model, of the history `release.<name>` and of the readers' view.
        built_schema: where dbt builds it.
        reader_schema: where readers see it.
        key: columns that identify a row for ever.
        indexes: further look-ups of readers, as column lists of an index over the current rows.
        has_subject_history: closed rows are looked up too (`sharing.subject_history`).
    """

    name: str
    built_schema: str
    reader_schema: str
    key: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    has_subject_history: bool = False

    @property
    def built(self) -> str:
        """`schema.table` that dbt builds."""
        return f"{self.built_schema}.{self.name}"

    @property
    def history(self) -> str:
        """`schema.table` that holds every released state of it."""
        return f"release.{self.name}"

    @property
    def view(self) -> str:
        """`schema.view` that readers see."""
        return f"{self.reader_schema}.{self.name}"


def _subject(name: str, *key: str, indexes: tuple[str, ...] = (), has_subject_history: bool = False) -> ReleasedTable:
    return ReleasedTable(name, "subjects", "shared", key, indexes, has_subject_history)


def _score(name: str, *key: str) -> ReleasedTable:
    return ReleasedTable(name, "scoring", "scorecards", key)


# The record that an event is restated by: the steps of a case go by the case. As in the dbt model's own condition.
_RESTATED_BY = (
    "(case when table_name = 'case_steps' then regexp_replace(record_key, '[|][^|]*$', '') else record_key end)"
)

# text_pattern_ops: names are searched by their beginning.
RELEASED_TABLES: tuple[ReleasedTable, ...] = (
    _subject(
        "residents",
        "resident_id",
        indexes=("name text_pattern_ops", "citizen_no text_pattern_ops", "household_id"),
        has_subject_history=True,
    ),
    _subject(
        "enterprises",
        "enterprise_id",
        indexes=("name text_pattern_ops", "uscc", "registration_no"),
        has_subject_history=True,
    ),
    _subject("care_homes", "home_no"),
    _subject("relations", "relation_id", indexes=("from_kind, from_id", "to_kind, to_id")),
    _subject("cases", "case_no", indexes=("town_code, found_at desc", "reporter_resident_id", "party_enterprise_id")),
    _subject("timeline", "event_id", indexes=("subject_kind, subject_id, on_date desc", _RESTATED_BY)),
    _subject(
        "subject_records",
        "subject_kind",
        "system",
        "table_name",
        "record_key",
        indexes=("subject_kind, subject_id", "record_key"),
    ),
    _subject(
        "attribute_disagreements",
        "subject_kind",
        "subject_id",
        "attribute",
        "value_no",
        "system",
        "table_name",
    ),
    _subject("findings", "finding_id", indexes=("subject_kind, subject_id",)),
    _subject("towns", "town_code"),
    _score("indicators", "indicator_code"),
    _score("indicator_values", "indicator_code", "dimension", "dimension_code", "period"),
    _score("scorecards", "dimension", "dimension_code", "period"),
)
