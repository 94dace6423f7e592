"""Personal values of refused rows and held batches stay in quarantine and raw: not a trace anywhere else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.hub import Hub, Ran
from tests.e2e.plants import PEOPLE, STAFF_IN_HELD_BATCH, TOKEN_KEY
from warehouse.paths import DBT_PROJECT_DIR

# One worker takes every test of these homes.
pytestmark = pytest.mark.xdist_group("e2e")

LEDGERS = ("ops", "quality")


def spellings(values: list[str]) -> list[bytes]:
    """The values as text, as JSON escapes, and as UTF-16, which a database or pickle may keep."""
    found = []
    for value in values:
        escaped = "".join(f"\\u{ord(character):04x}" if ord(character) > 127 else character for character in value)
        found += [value.encode(), escaped.encode(), value.encode("utf-16-le"), value.encode("gb18030")]
    return found


@pytest.mark.parametrize("who", PEOPLE)
def test_the_planted_values_did_arrive(hub: Hub, faulty: Ran, who: str) -> None:
    rows = hub.frame("select payload::text as row from quarantine.rejected_rows")["row"]
    if PEOPLE[who] is STAFF_IN_HELD_BATCH:
        held = hub.frame("select max(batch_id) as id from ops.batches where table_name = 'staff' and state = 'held'")
        rows = pd.concat(
            [rows, hub.frame(f"select t::text as row from quarantine.held_batch_{held['id'][0]} as t")["row"]]
        )
    assert all(rows.str.contains(value, regex=False).any() for value in PEOPLE[who].values())


@pytest.mark.parametrize("who", PEOPLE)
def test_nothing_said_or_recorded_holds_a_personal_value(hub: Hub, faulty: Ran, refused: Ran, who: str) -> None:
    places = said_and_recorded(hub)
    assert not {place for place, text in places.items() for value in spellings(PEOPLE[who].values()) if value in text}


def test_the_key_of_the_tokens_is_nowhere(hub: Hub, faulty: Ran, refused: Ran) -> None:
    places = said_and_recorded(hub)
    for table in ("rejected_rows", "decisions"):
        rows = hub.frame(f"select to_jsonb(t)::text as row from quarantine.{table} as t")["row"]
        places[f"quarantine.{table}"] = "\n".join(rows).encode()
    assert not {place for place, text in places.items() for value in spellings([TOKEN_KEY]) if value in text}


def said_and_recorded(hub: Hub) -> dict[str, bytes]:
    """Everything but raw, quarantine and what is built of them, by where it stands."""
    places = {f"output {n}": text.encode() for n, text in enumerate(hub.spoken)}
    for schema in LEDGERS:
        for table in tables_of(hub, schema):
            rows = hub.frame(f"select to_jsonb(t)::text as row from {schema}.{table} as t")["row"]
            places[f"{schema}.{table}"] = "\n".join(rows).encode()
    for table in ("releases", "pointer"):
        rows = hub.frame(f"select to_jsonb(t)::text as row from release.{table} as t")["row"]
        places[f"release.{table}"] = "\n".join(rows).encode()
    for path in files(hub.home):
        places[str(path)] = path.read_bytes()
    return places


def test_dagster_and_logs_were_there_to_be_searched(hub: Hub, faulty: Ran) -> None:
    names = [str(path) for path in files(hub.home)]
    assert any("dagster" in name and name.endswith(".db") for name in names), names[:20]
    assert any("postgres" in name for name in names)


def files(home: Path) -> list[Path]:
    """Everything that programs write beside the warehouse: Dagster's storage and logs, dbt's, the server's log."""
    found = [home / "postgres" / "log"]
    own = (home / "dagster", home / "logs", home / "dbt")
    for directory in (*own, DBT_PROJECT_DIR / "target", DBT_PROJECT_DIR / "logs"):
        found += directory.rglob("*")
    return [path for path in found if path.is_file()]


def tables_of(hub: Hub, schema: str) -> list[str]:
    """Tables and views of a schema."""
    found = hub.frame(f"select table_name from information_schema.tables where table_schema = '{schema}'")
    return list(found["table_name"])
