"""Personal values of refused rows and held batches stay in quarantine and raw: not a trace anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.hub import Hub, Ran
from tests.e2e.plants import PEOPLE, REPORTER_IN_HELD_BATCH, Person
from warehouse.paths import DBT_PROJECT_DIR

LEDGERS = ("ops", "quality")


def spellings(person: Person) -> list[bytes]:
    """The values as text, as JSON escapes, and as UTF-16, which a database or pickle may keep."""
    found = []
    for value in person.values():
        escaped = "".join(f"\\u{ord(character):04x}" if ord(character) > 127 else character for character in value)
        found += [value.encode(), escaped.encode(), value.encode("utf-16-le"), value.encode("gb18030")]
    return found


@pytest.mark.parametrize("person", PEOPLE, ids=["resident", "legal_rep", "reporter", "staff"])
def test_the_planted_values_did_arrive(hub: Hub, faulty: Ran, person: Person) -> None:
    if person is REPORTER_IN_HELD_BATCH:
        held = hub.frame("select batch_id from ops.batches where system = 'urban_management' and state = 'held'")
        kept = hub.frame(f"select to_jsonb(t)::text as row from quarantine.held_batch_{held['batch_id'].max()} as t")
        assert kept["row"].str.contains(person.name).any()
        return
    payloads = hub.frame("select payload::text as row from quarantine.rejected_rows")["row"]
    assert payloads.str.contains(person.name).any()


@pytest.mark.parametrize("person", PEOPLE, ids=["resident", "legal_rep", "reporter", "staff"])
def test_nothing_said_or_recorded_holds_a_personal_value(hub: Hub, faulty: Ran, refused: Ran, person: Person) -> None:
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
    traces = {place for place, content in places.items() for value in spellings(person) if value in content}
    assert not traces


def test_dagster_and_logs_were_there_to_be_searched(hub: Hub, faulty: Ran) -> None:
    names = [str(path) for path in files(hub.home)]
    assert any("dagster" in name and name.endswith(".db") for name in names), names[:20]
    assert any("postgres" in name for name in names)


def files(home: Path) -> list[Path]:
    """Everything that programs write beside the warehouse: Dagster's storage and logs, dbt's, the server's log."""
    found = [home / "postgres" / "log"]
    for directory in (home / "dagster", home / "logs", DBT_PROJECT_DIR / "target", DBT_PROJECT_DIR / "logs"):
        found += directory.rglob("*")
    return [path for path in found if path.is_file()]


def tables_of(hub: Hub, schema: str) -> list[str]:
    """Tables and views of a schema."""
    found = hub.frame(f"select table_name from information_schema.tables where table_schema = '{schema}'")
    return list(found["table_name"])
