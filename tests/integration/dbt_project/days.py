"""Simulated days of a small city: rows of every kind change at random, the marts are built whole or as an increment."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt.cli.main import dbtRunner
from psycopg import sql

from connectors.contract import load_contracts
from identity import resolve
from orchestration.marts import MartBuild, begin_build, forget_build, note_links
from sharing.increment import MartIncrement, conditions_from_manifest
from sharing.release import ReleaseResult, publish_release
from sharing.tables import RELEASED_TABLES
from warehouse.paths import CONTRACTS_DIR, DBT_PROJECT_DIR

if TYPE_CHECKING:
    import pytest
    from dbt.contracts.graph.manifest import Manifest

    from connectors.contract import TableContract
    from warehouse.database import Database

# Of these nothing reaches a mart that is restated by what was touched.
ASIDE = {"beds", "device_uptime", "waste_weighings"}


class Marts:
    """The marts of one database: change raw, build, publish."""

    def __init__(self, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in database.dbt_env().items():
            monkeypatch.setenv(name, value)
        self.database, self.folder, self.monkeypatch = database, folder, monkeypatch
        self.runs = 0
        self.manifest: Manifest = self._dbt("parse")

    def build(self, day: date, *, whole: bool = False, by_hand: bool = False, only: str | None = None) -> MartBuild:
        """Build for a day. `only`: stop after the models that this selects in the second step, as a killed run does."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        self.monkeypatch.setenv("CITYHUB_BUSINESS_DATE", day.isoformat())
        build = begin_build(self.database, run_id, day, contracts_dir=CONTRACTS_DIR, whole=whole)
        for step, selected in enumerate((["--select", "tag:phase_records"], ["--exclude", "tag:phase_records"])):
            if step:
                resolve.resolve(self.database, run_id=run_id)
                build = note_links(self.database, run_id)
                if self.runs == 1:
                    self._dbt("seed")
                selected = ["--select", only] if only else selected
            forget_build()
            for name, value in {} if by_hand else build.variable().items():
                self.monkeypatch.setenv(name, value)
            self._dbt("run", *selected)
        return build

    def publish(self, build: MartBuild, day: date) -> ReleaseResult:
        """Make what was built the current release."""
        return publish_release(
            self.database,
            run_id=f"run-{self.runs}",
            business_date=day,
            fingerprint=None,
            systems={},
            checks={},
            masks={},
            build=MartIncrement(build.build_id, conditions_from_manifest(self.manifest.writable_manifest().to_dict())),
        )

    def digests(self, schema: str | None = None) -> dict[str, str]:
        """Per released table a digest of its rows as built, or as current in the history (`release`)."""
        found = {}
        with self.database.psycopg("pipeline") as connection:
            for table in RELEASED_TABLES:
                names = self._columns(table.built)
                relation = table.history if schema == "release" else table.built
                current = "where _to_release is null" if schema == "release" else ""
                row = connection.execute(
                    f"select count(*), md5(string_agg(h, '' order by h)) from"
                    f" (select md5(row({names})::text) as h from {relation} {current}) as rows".encode()
                ).fetchone()
                found[table.name] = str(row)
        return found

    def rows(self, table: str) -> set[tuple[Any, ...]]:
        """Rows of a built table, to tell where two states of it differ."""
        with self.database.psycopg("pipeline") as connection:
            return {tuple(str(v) for v in row) for row in connection.execute(f"select * from {table}".encode())}

    def _columns(self, relation: str) -> str:
        with self.database.psycopg("pipeline") as connection:
            cursor = connection.execute(f"select * from {relation} limit 0".encode())
            return ", ".join(f'"{column.name}"' for column in cursor.description or ())

    def _dbt(self, command: str, *arguments: str) -> Any:
        places = ["--profiles-dir", str(DBT_PROJECT_DIR), "--project-dir", str(DBT_PROJECT_DIR)]
        outputs = ["--target-path", str(self.folder / "target"), "--log-level-file", "none"]
        runner = dbtRunner(manifest=getattr(self, "manifest", None))
        done = runner.invoke(["--quiet", command, *arguments, *places, *outputs])
        if not done.success:
            results = [each for each in getattr(done.result, "results", []) if str(each.status) in ("error", "fail")]
            raise AssertionError(done.exception or [f"{each.node.name}: {each.message}" for each in results])
        return done.result


def change_city(database: Database, seed: int, share: float = 0.02) -> None:
    """A day's worth of change in every table: rows take over columns of another row, go, and come back. Columns that
    belong to an identifier move with it. Every table's change is an admitted batch."""
    dice = random.Random(seed)
    for contract in load_contracts().values():
        for table in contract.tables:
            if table.name not in ASIDE:
                _change_table(database, table, dice, share)


def _change_table(database: Database, table: TableContract, dice: random.Random, share: float) -> None:
    key = sql.SQL("({})").format(sql.SQL(", ").join(sql.Identifier(name) for name in table.key))
    relation = sql.Identifier(table.raw_schema, table.name)
    with database.psycopg("pipeline") as connection:
        batch = connection.execute(
            "insert into ops.batches (run_id, system, table_name, load_mode, state, contract_version, read_count,"
            " updated_count) values ('days', %s, %s, %s, 'admitted', '1', 1, 1) returning batch_id",
            [table.system, table.name, table.load_mode],
        ).fetchone()
        assert batch is not None
        listed = sql.SQL("select {}, _deleted_at is null from {} order by {}").format(
            _list(table.key), relation, _list(table.key)
        )
        rows = connection.execute(listed).fetchall()
        keys, alive = [row[:-1] for row in rows], {row[:-1] for row in rows if row[-1]}
        free = [column for column in table.columns if column.name not in table.key]
        for chosen in dice.sample(keys, max(2, int(len(keys) * share))):
            moved = dice.sample(free, dice.randint(1, min(3, len(free))))
            names = [name for column in moved for name in (column.name, *column.helper_columns)]
            fate = dice.random()
            deleted = "now()" if chosen in alive and fate < 0.2 else "null"
            connection.execute(
                sql.SQL(
                    "update {relation} as mine set ({names}) = (select {names} from {relation} as other"
                    " where {key} = {other}), _batch_id = {batch}, _changed_at = now(), _deleted_at = {deleted}"
                    " where {key} = {chosen}"
                ).format(
                    relation=relation,
                    names=_list(names),
                    key=key,
                    other=_literals(dice.choice(keys)),
                    chosen=_literals(chosen),
                    batch=sql.Literal(batch[0]),
                    deleted=sql.SQL(deleted),
                )
            )


def _list(names: Any) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


def _literals(values: Any) -> sql.Composed:
    return sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(value) for value in values))
