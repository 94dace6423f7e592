"""Do the tables agree with each other, with raw and with the ledger. Each question is SQL that counts what does not.

Nothing here returns a value of a row: a count is all that leaves the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from connectors.contract import SystemContract, TableContract
from expectations.checks import Outcome, Recorded, Severity, outcome
from warehouse.settings import TIMEZONE

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Question:
    """A count that must be zero.

    Attributes:
        query: gives one number; parameters `run_id` and `business_date`.
    """

    table: str
    name: str
    expected: str
    query: str
    severity: Severity = "error"


def _each_in_one_subject(kind: str, records: str) -> str:
    """Records without exactly one line in subject_records or with another subject than identity gave them, and lines
    without a record."""
    return f"""
    select count(*)
    from (
        select r.system, r.table_name, r.record_key, count(*) as records, min(l.subject_id) as subject_id
        from identity.{records} as r
        left join identity.current_links as l
            on l.subject_kind = '{kind}' and l.system = r.system and l.table_name = r.table_name
            and l.record_key = r.record_key
        group by r.system, r.table_name, r.record_key
    ) as spoken
    full join (
        select system, table_name, record_key, count(*) as lines, min(subject_id) as subject_id
        from subjects.subject_records where subject_kind = '{kind}'
        group by system, table_name, record_key
    ) as joined using (system, table_name, record_key)
    where spoken.records is distinct from 1 or joined.lines is distinct from 1
        or spoken.subject_id is distinct from joined.subject_id"""


def _subjects_are_their_records(kind: str, table: str, key: str) -> str:
    """Subjects without a record, and records whose subject has no row."""
    return f"""
    select count(*)
    from (select distinct {key} as subject_id from subjects.{table}) as shown
    full join (select distinct subject_id from subjects.subject_records where subject_kind = '{kind}') as spoken
        using (subject_id)
    where shown is null or spoken is null"""


_ENDS = """
    select count(*)
    from subjects.relations as r
    where case r.{end}_kind
        when 'resident' then not exists (select 1 from subjects.residents as s where s.resident_id = r.{end}_id)
        when 'enterprise' then not exists (select 1 from subjects.enterprises as s where s.enterprise_id = r.{end}_id)
        when 'care_home' then not exists (select 1 from subjects.care_homes as s where s.home_no = r.{end}_id)
        else true
    end"""


def _subjects_exist(table: str) -> str:
    return f"""
    select count(*)
    from subjects.{table} as t
    where case t.subject_kind
        when 'resident' then not exists (select 1 from subjects.residents as s where s.resident_id = t.subject_id)
        else not exists (select 1 from subjects.enterprises as s where s.enterprise_id = t.subject_id)
    end"""


QUESTIONS: tuple[Question, ...] = (
    Question(
        "subject_records",
        "every_person_record_in_one_resident",
        "every record that speaks of a person in exactly one resident, as identity decided",
        _each_in_one_subject("resident", "int_person_records"),
    ),
    Question(
        "subject_records",
        "every_firm_record_in_one_enterprise",
        "every record that speaks of a firm in exactly one enterprise, as identity decided",
        _each_in_one_subject("enterprise", "int_enterprise_records"),
    ),
    Question(
        "residents",
        "residents_are_their_records",
        "every resident has a record and every record's resident has a row",
        _subjects_are_their_records("resident", "residents", "resident_id"),
    ),
    Question(
        "enterprises",
        "enterprises_are_their_records",
        "every enterprise has a record and every record's enterprise has a row",
        _subjects_are_their_records("enterprise", "enterprises", "enterprise_id"),
    ),
    Question("relations", "from_ends_exist", "every relation starts at a released row", _ENDS.format(end="from")),
    Question("relations", "to_ends_exist", "every relation ends at a released row", _ENDS.format(end="to")),
    Question("timeline", "subjects_exist", "every event happened to a released subject", _subjects_exist("timeline")),
    Question("findings", "subjects_exist", "every finding concerns a released subject", _subjects_exist("findings")),
    Question(
        "attribute_disagreements",
        "subjects_exist",
        "every disagreement is about a released subject",
        _subjects_exist("attribute_disagreements"),
    ),
    Question(
        "cases",
        "cases_are_the_raw_cases",
        "the cases found up to the business date, each once, no other",
        f"""
    select count(*)
    from (
        select case_no from raw_urban_management.cases
        where _deleted_at is null and found_at < (%(business_date)s::date + 1)::timestamp at time zone '{TIMEZONE}'
    ) as raw
    full join subjects.cases as built using (case_no)
    where raw is null or built is null""",
    ),
    Question(
        "indicator_values",
        "shares_are_shares",
        "indicators with unit share: value from 0 to 1, numerator not above denominator",
        """
    select count(*)
    from scoring.indicator_values as v
    inner join scoring.indicators as i using (indicator_code)
    where i.unit = 'share' and (v.value not between 0 and 1 or v.numerator > v.denominator)""",
    ),
    Question(
        "indicator_values",
        "unknown_is_not_zero",
        "no value without a denominator",
        """
    select count(*) from scoring.indicator_values
    where denominator = 0 and (value is not null or score is not null)""",
    ),
    Question(
        "batches",
        "nothing_is_lost",
        "every batch of the run finished, with read = inserted + updated + unchanged + quarantined",
        """
    select count(*) from ops.batches
    where run_id = %(run_id)s and (
        state = 'loading'
        or read_count <> inserted_count + updated_count + unchanged_count + quarantined_count
    )""",
    ),
)


def ask(connection: Connection, questions: Sequence[Question], run_id: str, business_date: date) -> list[Recorded]:
    """The outcome of each question, under the table it speaks of."""
    values = {"run_id": run_id, "business_date": business_date}
    recorded = []
    for question in questions:
        found = _count(connection, question.query.encode(), values)
        recorded.append(
            Recorded([_zero(question.name, question.expected, found, question.severity)], None, question.table)
        )
    return recorded


def ledger_agrees(connection: Connection, contracts: Sequence[SystemContract], run_id: str) -> list[Recorded]:
    """Raw rows come and go only by recorded batches: for every table that this run changed, live rows = what all its
    batches inserted − what they deleted."""
    changed = {
        (system, table): int(rows)
        for system, table, rows in connection.execute(
            "select system, table_name, sum(inserted_count - deleted_count) from ops.batches"
            " where (system, table_name) in ("
            "  select system, table_name from ops.batches where run_id = %s"
            "  and inserted_count + updated_count + deleted_count > 0)"
            " group by system, table_name",
            [run_id],
        )
    }
    recorded = []
    for table in _tables(contracts):
        rows = changed.get((table.system, table.name))
        if rows is not None:
            query = sql.SQL("select count(*) from {} where _deleted_at is null").format(_raw(table))
            live = _count(connection, query, {})
            expected = f"{rows} live rows, as the ledger says"
            item = outcome("rows_are_those_of_the_ledger", live == rows, expected, live)
            recorded.append(Recorded([item], table.system, table.name))
    return recorded


def references_hold(connection: Connection, contracts: Sequence[SystemContract], run_id: str) -> list[Recorded]:
    """References between source tables, for the rows that arrived with this run: a warning, told to the owner. Asked
    here rather than at admission, because two tables of one system do not arrive at one instant."""
    known = {f"{table.system}.{table.name}": table for table in _tables(contracts)}
    recorded = []
    for table in known.values():
        items = []
        for column in table.columns:
            if column.reference is None:
                continue
            target, _, target_column = column.reference.rpartition(".")
            query = sql.SQL(
                "select count(*) from {raw} as r where r._deleted_at is null and r.{column} is not null"
                " and r._changed_at >= (select started_at from ops.runs where run_id = %(run_id)s)"
                " and not exists (select 1 from {target} as t where t.{key} = r.{column} and t._deleted_at is null)"
            ).format(
                raw=_raw(table),
                column=sql.Identifier(column.name),
                target=_raw(known[target]),
                key=sql.Identifier(target_column),
            )
            found = _count(connection, query, {"run_id": run_id})
            items.append(_zero(f"{column.name}_reference", f"a row of {target} for each", found, "warn"))
        if items:
            recorded.append(Recorded(items, table.system, table.name))
    return recorded


def _zero(name: str, expected: str, found: int | None, severity: Severity) -> Outcome:
    if found is None:
        return outcome(name, False, f"{expected} (could not be evaluated)", None)
    return outcome(name, found == 0, expected, found, severity)


def _count(connection: Connection, query: bytes | sql.Composed, values: dict[str, Any]) -> int | None:
    """The number, or None where Postgres refuses the question; its words may quote a row and are dropped."""
    try:
        with connection.transaction():
            row = connection.execute(query, values).fetchone()
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return None
    return None if row is None else int(row[0])


def _tables(contracts: Sequence[SystemContract]) -> list[TableContract]:
    return [table for contract in contracts for table in contract.tables]


def _raw(table: TableContract) -> sql.Identifier:
    return sql.Identifier(table.raw_schema, table.name)
