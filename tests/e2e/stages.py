"""The stages two homes live through, and how each is looked at and written down."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tests.e2e.hub import RAW_SCHEMAS, Hub, Ran
from tests.e2e.systems import Frames

RESIDENTS = "2000"
DEMO = ("demo", "--no-serve", "--json", "--residents", RESIDENTS)
# The demo's clock starts at 2026-06-30; this is 45 days before, in the middle of a month.
EARLIER = dt.date(2026, 5, 16)
# The twin's first run was for that date, so its sweeps are due a day after its first sight of the city; the other
# home's, which saw it on the same day, are not. They are to see the same rows.
NO_SWEEP = ("--no-sweep",)


@dataclass(frozen=True)
class First:
    """After the first run on an empty home."""

    ran: Ran
    business_date: dt.date
    frames: Frames
    raw: dict[str, pd.DataFrame]
    released: dict[str, pd.DataFrame]
    quarantine: pd.DataFrame
    truth: dict[str, pd.DataFrame]


@dataclass(frozen=True)
class OtherDay:
    """After a run for an earlier business date."""

    ran: Ran
    values: pd.DataFrame
    history: dict[str, pd.DataFrame]


@dataclass(frozen=True)
class NextDay:
    """After the city lived on for a day."""

    ran: Ran
    frames: Frames
    cursors: dict[tuple[str, str], str | None]
    raw: dict[str, pd.DataFrame]
    history: dict[str, pd.DataFrame]
    content: dict[str, str]


@dataclass(frozen=True)
class Twin:
    """What the second home saw."""

    first: Ran
    killed: dict[str, str]
    after_kills: Ran
    content: dict[str, str]
    batches: pd.DataFrame


def live_as_twin(hub: Hub) -> Twin:
    """The same city, first seen on an earlier date; a day later killed three times."""
    first = hub.ran(*DEMO, "--business-date", EARLIER.isoformat())
    assert first.code == 0, (first.report, first.errors)
    assert hub.command("demo", "advance", "--days", "1", "--json").returncode == 0
    killed = {name: kill(hub) for name, kill in KILLS.items()}
    after_kills = hub.run(*NO_SWEEP)
    return Twin(first, killed, after_kills, content(hub), hub.frame("select * from ops.batches"))


def _kill_when(hub: Hub, sign: str) -> str:
    """Start a run and kill it, with all it started, as soon as the query `sign` finds something."""
    process = hub.begin("run", *NO_SWEEP)
    deadline = time.monotonic() + 120
    with hub.connect() as watcher:
        watcher.autocommit = True
        while not watcher.execute(sign.encode()).fetchone():
            if process.poll() is not None:
                return f"ended by itself with {process.returncode}"
            assert time.monotonic() < deadline, "the sign to kill the run never came"
            time.sleep(0.01)
    hub.kill(process)
    return "killed"


def _during_pull(hub: Hub) -> str:
    # Some tables are through, one is on its way.
    return _kill_when(
        hub,
        "select 1 from ops.batches where state = 'loading' and run_id in"
        " (select run_id from ops.batches where state = 'admitted' and updated_count + inserted_count > 0"
        "  and run_id not in (select run_id from ops.runs where finished_at is not null))",
    )


def _during_dbt(hub: Hub) -> str:
    # Nobody may write into a mart, so that dbt stands before it, whether it restates rows or builds the table anew.
    with hub.connect() as holder:
        holder.execute("lock table subjects.residents in share mode")
        return _kill_when(
            hub,
            "select 1 from pg_locks where not granted and relation = 'subjects.residents'::regclass",
        )


def _during_release(hub: Hub) -> str:
    # The pointer is held, so that the publisher stands in the middle of its transaction until it is killed.
    with hub.connect() as holder:
        holder.execute("select * from release.pointer for update")
        return _kill_when(
            hub,
            "select 1 from pg_stat_activity where application_name = 'cityhub release' and wait_event_type = 'Lock'",
        )


KILLS = {"during the pull": _during_pull, "during dbt": _during_dbt, "during the release": _during_release}


def raw_states(hub: Hub) -> dict[str, pd.DataFrame]:
    """Key, hash and bookkeeping of every row of every raw table, by `system.table`."""
    found = {}
    for schema, table, columns in hub.frame(
        "select n.nspname, c.relname, array_agg(a.attname order by array_position(i.indkey::int2[], a.attnum))"
        " from pg_index as i join pg_class as c on c.oid = i.indrelid join pg_namespace as n on n.oid = c.relnamespace"
        " join pg_attribute as a on a.attrelid = c.oid and a.attnum = any(i.indkey)"
        f" where i.indisprimary and n.nspname = any('{{{','.join(RAW_SCHEMAS)}}}') group by 1, 2 order by 1, 2"
    ).itertuples(index=False):
        key = ", ".join(f'"{column}"::text' for column in columns)
        found[f"{schema.removeprefix('raw_')}.{table}"] = hub.frame(
            f"select concat_ws('|', {key}) as key, _row_hash::text as hash, _changed_at as changed_at,"
            f" _deleted_at as deleted_at from {schema}.{table}"
        )
    return found


def histories(hub: Hub) -> dict[str, pd.DataFrame]:
    """Every row of every released table, ever: its text, and the releases it came and went with."""
    return {
        name: hub.frame(
            "select (to_jsonb(t) - array['_from_release', '_to_release', '_row_hash'])::text as row,"
            f" _from_release as since, _to_release as until from release.{name} as t"
        )
        for name in hub.released_tables()
    }


def current(hub: Hub, table: str) -> pd.DataFrame:
    """The current rows of a released table, unmasked."""
    return hub.frame(f"select * from release.{table} where _to_release is null")


def content(hub: Hub) -> dict[str, str]:
    """Digest of what raw, identity, quarantine and the current release hold, without when and by which run."""
    digests = {}
    for name, frame in raw_states(hub).items():
        rows = sorted(f"{row.key} {row.hash} {row.deleted_at is not None}" for row in frame.itertuples())
        digests[f"raw {name}"] = str(hash_of(rows))
    for label, query in {
        "links": "select subject_kind, system, table_name, record_key, subject_id, method from identity.current_links",
        "identifiers": "select subject_kind, identifier, subject_id from identity.identifiers",
        "quarantine": "select system, table_name, row_key, row_digest, reasons::text from quarantine.rejected_rows",
        "cursors": "select system, table_name, state, cursor, as_of from ops.source_states",
    }.items():
        digests[label] = hash_of(sorted(json.dumps(row, default=str) for row in hub.frame(query).values.tolist()))
    for name, frame in histories(hub).items():
        digests[f"release {name}"] = hash_of(sorted(frame[frame["until"].isna()]["row"]))
    return digests


def hash_of(rows: list[Any]) -> str:
    """Digest of rows in order."""
    return hashlib.sha256("\n".join(map(str, rows)).encode()).hexdigest()
