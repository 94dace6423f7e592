"""The receipt of a figure: from which release, by which definition, out of which numerator and denominator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from warehouse.database import Database
from warehouse.errors import ConfigurationError
from warehouse.roles import Role

_QUERY = """
select
    v.indicator_code, v.indicator_version, i.name_zh, i.name_en, i.formula_zh, i.formula_en, i.unit, i.direction,
    i.target_origin, i.owner_department, i.source_systems,
    v.dimension, v.dimension_code, v.period, v.period_start_on, v.period_end_on,
    v.numerator, v.denominator, v.value, v.target, v.score, v.status,
    r.release_id, r.run_id, r.business_date, r.published_at
from scorecards.indicator_values as v
inner join scorecards.indicators as i on i.indicator_code = v.indicator_code and i.version = v.indicator_version
cross join (select * from quality.releases where is_current) as r
where v.indicator_code = %s and v.dimension = %s and v.dimension_code = %s and v.period = %s
"""


@dataclass(frozen=True)
class Receipt:
    """Everything needed to make the figure again. `value` and `score` are None where there is nothing to divide by or
    nothing to judge yet: unknown is not zero."""

    indicator_code: str
    indicator_version: str
    name_zh: str
    name_en: str
    formula_zh: str
    formula_en: str
    unit: str
    direction: str
    target_origin: str
    owner_department: str
    source_systems: str
    dimension: str
    dimension_code: str
    period: str
    period_start_on: date
    period_end_on: date
    numerator: int
    denominator: int
    value: float | None
    target: float
    score: float | None
    status: str
    release_id: int
    run_id: str
    business_date: date
    published_at: datetime


def receipt(db: Database, indicator: str, dimension: str, code: str, period: str, *, role: Role = "reader") -> Receipt:
    """The receipt of one figure of the current release, read in one statement and so from one release.

    Raises:
        ConfigurationError: the current release has no such figure.
    """
    with db.psycopg(role) as connection, connection.cursor(row_factory=class_row(Receipt)) as cursor:
        there = connection.execute("select to_regclass('scorecards.indicator_values') is not null").fetchone()
        found = cursor.execute(_QUERY, [indicator, dimension, code, period]).fetchone() if there == (True,) else None
    if found is None:
        raise ConfigurationError(
            "The current release has no such figure.",
            where=f"{indicator}, {dimension} {code}, {period}",
            expected="an indicator, dimension, code and period of scorecards.indicator_values",
            do="list them with `cityhub status --json`",
        )
    return found
