"""The only place that talks to the database: reads of `shared`, `scorecards` and `quality` under the reader's role.

Two kinds of reads. *Released* ones belong to one release: each is made in a read-only transaction that first checks
that this release is still the current one, so a page never mixes two, and they are cached until the next release.
*Live* ones (states, batches, checks) are cached for a few seconds. The role is part of every cache key, because
Streamlit's cache is shared by all sessions. Nothing is computed here that belongs in dbt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import streamlit as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from sharing.search import Found, SubjectKind, search_subjects
from warehouse.database import Database, open_database
from warehouse.errors import TransientError
from warehouse.roles import Role
from warehouse.settings import get_settings

READER: Role = "reader"
# A released answer is a few kilobytes; 512 of them cover four pages, 24 months and a morning's searches.
RELEASED_ENTRIES = 512
LIVE_ENTRIES = 64
# The pipeline's states change by the minute at most, and one read costs about 2 ms.
LIVE_SECONDS = 10

Row = dict[str, Any]
Parameters = tuple[tuple[str, Any], ...]


class ReleaseMovedError(Exception):
    """A new release became current while the page was being put together: start the page again."""


@dataclass(frozen=True)
class Release:
    """The release that a page shows."""

    release_id: int
    run_id: str
    business_date: date
    published_at: datetime
    tables: Mapping[str, Any]
    systems: Mapping[str, Any]
    checks: Mapping[str, Any]


def current_release() -> Release | None:
    """The release readers see now, or None before the first one. Never cached: one row, read on every run."""
    rows = _read(
        READER,
        "select release_id, run_id, business_date, published_at, tables, systems, checks"
        " from quality.releases where is_current",
        (),
        release_id=None,
    )
    return Release(**rows[0]) if rows else None


def released(release: Release, query: str, **values: Any) -> list[Row]:
    """Rows of one release.

    Raises:
        ReleaseMovedError: another release is current by now.
    """
    return _released(_place(), READER, release.release_id, query, tuple(sorted(values.items())))


def live(query: str, **values: Any) -> list[Row]:
    """Rows about the running of the hub, at most a few seconds old."""
    return _live(_place(), READER, query, tuple(sorted(values.items())))


@st.cache_data(max_entries=RELEASED_ENTRIES, show_spinner=False)
def _released(place: str, role: Role, release_id: int, query: str, values: Parameters) -> list[Row]:
    return _read(role, query, values, release_id=release_id)


@st.cache_data(max_entries=LIVE_ENTRIES, ttl=LIVE_SECONDS, show_spinner=False)
def _live(place: str, role: Role, query: str, values: Parameters) -> list[Row]:
    return _read(role, query, values, release_id=None)


def _read(role: Role, query: str, values: Parameters, *, release_id: int | None) -> list[Row]:
    engine = warehouse().engine(role)
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    try:
        with engine.connect().execution_options(**options) as connection:
            if release_id is not None:
                _require_current(connection, release_id)
            return [_plain(row) for row in connection.execute(text(query), dict(values)).mappings()]
    except DBAPIError as error:
        # The driver's own text may quote values; its class name says what kind of failure it was.
        raise TransientError(
            "The database did not answer a question of this page.",
            where=f"{warehouse().shown}: {type(error.orig).__name__}",
            expected="the schemas shared, scorecards and quality, readable under the reader's role",
            do="see that the server runs, then reload the page",
        ) from None


def _plain(row: Mapping[Any, Any]) -> Row:
    """A row with its numerics as floats: here they are only printed and drawn, never added up."""
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def _require_current(connection: Connection, release_id: int) -> None:
    current = connection.execute(text("select release_id from quality.releases where is_current")).scalar()
    if current != release_id:
        raise ReleaseMovedError


@st.cache_resource(show_spinner=False, max_entries=4)
def _open(place: str) -> Database:
    """The warehouse of this process; `place` tells several apart (tests open more than one)."""
    settings = get_settings()
    # The pages' own login needs no more than these.
    roles: tuple[Role, ...] = (READER, "clerk") if settings.review != "off" else (READER,)
    return open_database(settings, roles)


def warehouse() -> Database:
    """The database that the pages read."""
    return _open(_place())


def _place() -> str:
    """Which database this process reads, without its password."""
    settings = get_settings()
    url = "" if settings.database_url is None else settings.database_url.get_secret_value()
    return hashlib.sha256(f"{settings.home}|{url}".encode()).hexdigest()


# scorecards -----------------------------------------------------------------------------------------------------


def indicators(release: Release) -> list[Row]:
    """The indicators of the index, heaviest first."""
    return released(
        release,
        "select distinct on (indicator_code) indicator_code, version, name_zh, name_en, domain, scenario_code,"
        " formula_zh, formula_en, unit, direction, target, target_origin, weight, owner_department, source_systems"
        " from scorecards.indicators order by indicator_code, valid_from desc",
    )


def scorecards(release: Release, dimension: str, code: str | None = None) -> list[Row]:
    """The index by month, oldest first: of one district or town, or of every town."""
    return released(
        release,
        "select dimension_code, period, index_value, status, weight_available_share, available_count,"
        " indicator_count, rank from scorecards.scorecards where dimension = :dimension and period_kind = 'month'"
        " and (cast(:code as text) is null or dimension_code = :code) order by period, dimension_code",
        dimension=dimension,
        code=code,
    )


VALUE_COLUMNS = (
    "indicator_code, dimension_code, period, period_end_on, numerator, denominator, value, target, score, status,"
    " wilson_low, wilson_high, indicator_version"
)


def district_values(release: Release) -> list[Row]:
    """Every indicator of the whole district by month, oldest first."""
    return released(
        release,
        f"select {VALUE_COLUMNS} from scorecards.indicator_values"
        " where dimension = 'district' and period_kind = 'month' order by indicator_code, period",
    )


def town_values(release: Release, indicator: str, period: str) -> list[Row]:
    """One indicator in one month, for every town."""
    return released(
        release,
        f"select {VALUE_COLUMNS} from scorecards.indicator_values where dimension = 'town'"
        " and period_kind = 'month' and indicator_code = :indicator and period = :period order by dimension_code",
        indicator=indicator,
        period=period,
    )


def town_history(release: Release, indicator: str, town: str) -> list[Row]:
    """One indicator of one town by month, oldest first."""
    return released(
        release,
        f"select {VALUE_COLUMNS} from scorecards.indicator_values where dimension = 'town'"
        " and period_kind = 'month' and indicator_code = :indicator and dimension_code = :town order by period",
        indicator=indicator,
        town=town,
    )


def town_status_counts(release: Release, period: str) -> list[Row]:
    """How many towns stand where, per indicator, in one month."""
    return released(
        release,
        "select indicator_code, status, count(*) as towns from scorecards.indicator_values"
        " where dimension = 'town' and period_kind = 'month' and period = :period group by 1, 2",
        period=period,
    )


def towns(release: Release) -> list[Row]:
    """The streets and towns with their place on the tile map."""
    return released(
        release,
        "select town_code, name_zh, name_en, kind, tile_x, tile_y from shared.towns order by town_code",
    )


def town_cases(release: Release, town: str, status: str | None, *, limit: int, offset: int) -> list[Row]:
    """One page of a town's cases, newest first; `total` is the count behind all pages."""
    return released(
        release,
        "select case_no, scenario_code, channel, is_smart_discovery, site_name, committee_code, found_at,"
        " effective_due_at, disposed_at, closed_at, loop_level, status, is_overdue, satisfaction,"
        " party_enterprise_id, count(*) over () as total from shared.cases where town_code = :town"
        " and (cast(:status as text) is null or status = :status or (:status = 'overdue' and is_overdue))"
        " order by found_at desc nulls last, case_no limit :limit offset :offset",
        town=town,
        status=status,
        limit=limit,
        offset=offset,
    )


# subjects -------------------------------------------------------------------------------------------------------


def resident(release: Release, resident_id: str) -> Row | None:
    """Everything the golden record of a resident holds, masked by the view."""
    rows = released(release, "select * from shared.residents where resident_id = :id", id=resident_id)
    return rows[0] if rows else None


def enterprise(release: Release, enterprise_id: str) -> Row | None:
    """Everything the golden record of an enterprise holds, masked by the view."""
    rows = released(release, "select * from shared.enterprises where enterprise_id = :id", id=enterprise_id)
    return rows[0] if rows else None


def care_home(release: Release, home_no: str) -> Row | None:
    """A care home's licensed size and standing."""
    rows = released(release, "select * from shared.care_homes where home_no = :no", no=home_no)
    return rows[0] if rows else None


def relations(release: Release, kind: str, subject_id: str) -> list[Row]:
    """Relations in which the subject stands on either side, with the other side's masked name."""
    return released(
        release,
        "with mine as ("
        " select kind, to_kind as other_kind, to_id as other_id, true as is_from, since_on, until_on, is_current,"
        " source_system, source_table from shared.relations where from_kind = :kind and from_id = :id"
        " union all select kind, from_kind, from_id, false, since_on, until_on, is_current, source_system,"
        " source_table from shared.relations where to_kind = :kind and to_id = :id)"
        " select mine.*, coalesce(r.name, e.name, h.name) as other_name, h.enterprise_id as operator_id from mine"
        " left join shared.residents r on mine.other_kind = 'resident' and r.resident_id = mine.other_id"
        " left join shared.enterprises e on mine.other_kind = 'enterprise' and e.enterprise_id = mine.other_id"
        " left join shared.care_homes h on mine.other_kind = 'care_home' and h.home_no = mine.other_id"
        " order by is_current desc, since_on desc nulls last, other_id limit 200",
        kind=kind,
        id=subject_id,
    )


def subject_records(release: Release, kind: str, subject_id: str, *, limit: int, offset: int) -> list[Row]:
    """The source records that were joined into a subject, page by page."""
    return released(
        release,
        "select system, table_name, record_key, role, method, is_certified, count(*) over () as total"
        " from shared.subject_records where subject_kind = :kind and subject_id = :id"
        " order by system, table_name, record_key, role limit :limit offset :offset",
        kind=kind,
        id=subject_id,
        limit=limit,
        offset=offset,
    )


def subject_cases(release: Release, kind: str, subject_id: str, *, limit: int, offset: int) -> list[Row]:
    """Cases that a subject reported (resident) or is party to (enterprise), newest first, page by page."""
    column = "reporter_resident_id" if kind == "resident" else "party_enterprise_id"
    return released(
        release,
        "select case_no, scenario_code, channel, site_name, town_code, found_at, effective_due_at, closed_at, status,"
        f" is_overdue, count(*) over () as total from shared.cases where {column} = :id"
        " order by found_at desc nulls last, case_no limit :limit offset :offset",
        id=subject_id,
        limit=limit,
        offset=offset,
    )


def find_subjects(kind: SubjectKind, wanted: str) -> list[Found]:
    """Subjects that match a name, an id, a citizen number or a social credit code, masked.

    Never cached: every search is entered in the access log, and what was typed is kept nowhere.
    """
    return search_subjects(warehouse(), kind, wanted, role=READER)


# quality --------------------------------------------------------------------------------------------------------


def system_states() -> list[Row]:
    """Where every source table stands."""
    return live("select * from quality.system_states order by system, table_name")


def batches(limit: int, offset: int) -> list[Row]:
    """The batch ledger, newest first; `total` is the count behind all pages."""
    return live(
        "select batch_id, run_id, system, table_name, load_mode, state, started_at, finished_at, read_count,"
        " inserted_count, updated_count, unchanged_count, deleted_count, quarantined_count, reason,"
        " count(*) over () as total from quality.batches order by batch_id desc limit :limit offset :offset",
        limit=limit,
        offset=offset,
    )


def latest_runs() -> list[Row]:
    """The newest run that passed each gate, newest first."""
    return live(
        "select gate, run_id, max(checked_at) as checked_at from quality.check_results group by gate, run_id"
        " order by max(checked_at) desc limit 30"
    )


def check_counts(run_ids: Sequence[str]) -> list[Row]:
    """Checks of these runs by gate and status."""
    return live(
        "select gate, status, count(*) as checks from quality.check_results where run_id = any(:runs) group by 1, 2",
        runs=list(run_ids),
    )


def checks(run_ids: Sequence[str], *, only_trouble: bool, limit: int) -> list[Row]:
    """Single checks of these runs, trouble first; `total` is the count behind the limit."""
    return live(
        "select run_id, gate, system, table_name, check_name, severity, status, observed, expected, checked_at,"
        " count(*) over () as total from quality.check_results where run_id = any(:runs)"
        " and (not :only_trouble or status <> 'passed')"
        " order by array_position(array['failed', 'warned', 'passed'], status), gate, system, table_name, check_name"
        " limit :limit",
        runs=list(run_ids),
        only_trouble=only_trouble,
        limit=limit,
    )


def quarantine_summary() -> list[Row]:
    """Rejected rows by table and rule."""
    return live("select * from quality.quarantine_summary order by system, table_name, rows desc, rule")


def releases(limit: int) -> list[Row]:
    """The newest releases."""
    return live(
        "select release_id, run_id, business_date, published_at, tables, checks, is_current from quality.releases"
        " order by release_id desc limit :limit",
        limit=limit,
    )
