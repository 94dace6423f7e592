"""What a build of the marts adds to: the ledger of builds, and the rules by which one may be an increment.

An increment restates only what was touched since its base, the last build that was published (law 6). What it
deletes and inserts is the dbt project's work (macros/increment.sql); here is decided whether it may, and noted what it
has seen.
A build that does not end in a release is no base: the next one starts from the same base again (law 5).
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from orchestration.ledger import code_version
from warehouse.database import Database
from warehouse.paths import DBT_PROJECT_DIR, PROJECT_ROOT

_VARIABLE = "CITYHUB_MART_BUILD"
_MIGRATIONS = PROJECT_ROOT / "warehouse" / "migrations" / "versions"
_PARAMETERS = DBT_PROJECT_DIR / "seeds" / "seed_rule_parameters.csv"

# The base, and why a build since then keeps anything from being added to it.
_LAST = """
select
    base.build_id, base.business_date, base.fingerprint,
    (select min(later.why_whole) from ops.mart_builds as later where later.build_id > coalesce(base.build_id, 0))
from (values (1)) as one
left join lateral (
    select * from ops.mart_builds where published_at is not null order by build_id desc limit 1
) as base on true
"""
_SEEN = """
select coalesce(jsonb_object_agg(system || '.' || table_name, batch_id), '{}')
from (
    select system, table_name, max(batch_id) as batch_id from ops.batches where state = 'admitted'
    group by system, table_name
) as admitted
"""


@dataclass(frozen=True)
class MartBuild:
    """One build of the marts.

    Attributes:
        base_id: the build it adds to; None: everything is built whole.
        why_whole: why it is no increment, in words.
    """

    build_id: int
    base_id: int | None
    why_whole: str | None

    def variable(self) -> dict[str, str]:
        """The build as the dbt project reads it."""
        return {_VARIABLE: str(self.build_id)}


def begin_build(
    database: Database, run_id: str, business_date: date, *, contracts_dir: Path, whole: bool = False
) -> MartBuild:
    """Open a build in the ledger and note what it will see of the source tables.

    Args:
        whole: build everything whole, whatever could be an increment.
    """
    fingerprint = rules_version(contracts_dir)
    with database.psycopg("pipeline") as connection:
        base_id, why = _base(connection, business_date, fingerprint, whole)
        row = connection.execute(
            f"insert into ops.mart_builds (run_id, base_id, why_whole, business_date, fingerprint, batches)"
            f" values (%s, %s, %s, %s, %s, ({_SEEN})) returning build_id",
            [run_id, base_id, why, business_date, fingerprint],
        ).fetchone()
    assert row is not None
    return MartBuild(row[0], base_id, why)


def forget_build() -> None:
    """Take the build out of this process's environment: dbt called by hand after it builds something else."""
    os.environ.pop(_VARIABLE, None)


def note_links(database: Database, run_id: str) -> MartBuild:
    """Note the newest link that the run's build will see, once the run has linked its records."""
    with database.psycopg("pipeline") as connection:
        row = connection.execute(
            "update ops.mart_builds set links_through = (select coalesce(max(link_id), 0) from identity.links)"
            " where build_id = (select max(build_id) from ops.mart_builds where run_id = %s)"
            " returning build_id, base_id, why_whole",
            [run_id],
        ).fetchone()
    if row is None:
        raise LookupError(f"run {run_id} has begun no build")
    return MartBuild(*row)


def build_of(database: Database, run_id: str) -> MartBuild | None:
    """The build a run is at."""
    with database.psycopg("pipeline") as connection:
        row = connection.execute(
            "select build_id, base_id, why_whole from ops.mart_builds where run_id = %s order by build_id desc limit 1",
            [run_id],
        ).fetchone()
    return None if row is None else MartBuild(*row)


def rules_version(contracts_dir: Path) -> str:
    """Digest of everything but rows and days that the marts depend on: code, contracts, functions in the database."""
    digest = hashlib.sha256(code_version().encode())
    for path in sorted(contracts_dir.glob("*.yaml")):
        digest.update(path.name.encode() + path.read_bytes())
    digest.update(json.dumps(sorted(path.name for path in _MIGRATIONS.glob("[0-9]*"))).encode())
    return digest.hexdigest()


def _base(
    connection: psycopg.Connection[Any], business_date: date, fingerprint: str, whole: bool
) -> tuple[int | None, str | None]:
    row = connection.execute(_LAST).fetchone()
    assert row is not None
    base_id, based_on, built_by, unfinished = row
    if whole:
        return None, "asked for"
    if base_id is None:
        return None, "nothing was published yet"
    if unfinished is not None:
        return None, f"a whole build since then was not published ({unfinished.partition(' (')[0]})"
    if built_by != fingerprint:
        return None, "models, seeds, contracts or code have changed"
    if business_date < based_on:
        return None, "an earlier business date"
    if _limits_changed(based_on, business_date):
        return None, "a limit of a rule begins to hold"
    return base_id, None


def _limits_changed(after: date, until: date) -> bool:
    """Whether a dated limit of the rules begins to hold in between: it may concern every subject."""
    with _PARAMETERS.open(encoding="utf-8", newline="") as file:
        return any(after < date.fromisoformat(row["valid_from"]) <= until for row in csv.DictReader(file))
