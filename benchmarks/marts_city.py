"""Raw tables of a city of any size: a demo city, landed and linked once, and copies of it with keys of their own."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg

from connectors.contract import TableContract, load_contracts
from connectors.landing import GateResult, land_table
from demo import systems
from demo.city.generation import generate
from warehouse.database import Database
from warehouse.settings import Settings

# Of no part in any mart that is restated by what was touched: one copy will do.
ASIDE = {"waste_weighings", "device_uptime", "beds"}
ADDRESSES = {"home_address", "hukou_address"}

_COPY_SUBJECTS = """
insert into identity.subjects
(subject_id, subject_kind, minted_system, minted_table, minted_key, minted_ordinal, minted_run_id)
select subject_id || '-' || n, subject_kind, minted_system, minted_table, minted_key || '-' || n, minted_ordinal, 'copy'
from identity.subjects cross join generate_series(1, %s) as n
"""
_COPY_LINKS = """
insert into identity.links (subject_kind, system, table_name, record_key, subject_id, method, probability, run_id)
select subject_kind, system, table_name, record_key || '-' || n, subject_id || '-' || n, method, probability, 'copy'
from identity.current_links cross join generate_series(1, %s) as n
"""


def land_city(database: Database, home: Path, residents: int, seed: int = 7) -> None:
    """A demo city in the four systems, landed without a gate."""
    admin = database.embedded_admin
    assert admin is not None
    systems.build(home, generate(residents, seed), admin)
    environment = {"CITYHUB_HOME": str(home), "CITYHUB_TOKEN_KEY": "synthetic city, no secret"}
    with systems.serving(home, admin_dsn=admin, rate=10_000, in_thread=True) as addresses:
        os.environ.update(environment | addresses)
        for contract in load_contracts().values():
            for table in contract.tables:
                land_table(database, Settings(), contract, table, run_id="land", gate=lambda _: GateResult(passed=True))


def copy_city(database: Database, copies: int) -> None:
    """Add copies of everything: keys, references, numbers and addresses of each differ from those of the others."""
    with database.psycopg("pipeline") as connection:
        for contract in load_contracts().values():
            for table in contract.tables:
                if table.name not in ASIDE:
                    _copy_table(connection, table, copies)
        connection.execute(_COPY_SUBJECTS, [copies])
        connection.execute(_COPY_LINKS, [copies])
    with database.psycopg("pipeline", autocommit=True) as connection:
        connection.execute("vacuum analyze")


def _copy_table(connection: psycopg.Connection[tuple[object, ...]], table: TableContract, copies: int) -> None:
    own = {column.name for column in table.columns if column.reference or column.identifier == "uscc"} | ADDRESSES
    own |= {column.name for column in table.columns if column.name in table.key and column.pg_type == "text"}
    own |= {name for column in table.columns for name in column.helper_columns if name.endswith("_key")}
    names = [name for column in table.columns for name in (column.name, *column.helper_columns)]
    names += ["_batch_id", "_row_hash", "_first_batch_id", "_changed_at", "_deleted_at"]
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f"\"{name}\" || '-' || n" if name in own else f'"{name}"' for name in names)
    relation = f'"{table.raw_schema}"."{table.name}"'
    source = f"{relation} cross join generate_series(1, {copies}) as n"
    connection.execute(f"insert into {relation} ({columns}) select {values} from {source}".encode())


def change_city(database: Database, share: int, batch: str = "day") -> int:
    """Change one row in `share` of every table, as an admitted batch does; how many rows that were."""
    changed = 0
    with database.psycopg("pipeline") as connection:
        for contract in load_contracts().values():
            for table in contract.tables:
                if table.name in ASIDE:
                    continue
                row = connection.execute(
                    "insert into ops.batches (run_id, system, table_name, load_mode, state, contract_version,"
                    " read_count, updated_count) values (%s, %s, %s, %s, 'admitted', '1', 1, 1) returning batch_id",
                    [batch, table.system, table.name, table.load_mode],
                ).fetchone()
                assert row is not None
                moving = "home_address = home_address || '9'," if table.name == "residents" else ""
                done = connection.execute(
                    f'update "{table.raw_schema}"."{table.name}" set {moving} _batch_id = {row[0]},'
                    f" _changed_at = now() where hashtext({table.key[0]}::text) % {share} = 0".encode()
                )
                changed += done.rowcount
    return changed
