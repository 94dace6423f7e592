"""The door to the warehouse: migrations, roles, and the messages of a database that cannot be used."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from warehouse.database import Database, open_database, prepare, require_version
from warehouse.errors import CityhubError, ConfigurationError, PermanentError, TransientError
from warehouse.migrate import current_revision, head_revision
from warehouse.paths import MIGRATIONS_DIR
from warehouse.settings import Settings


def test_head_by_file_name_is_alembics_only_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    assert ScriptDirectory.from_config(config).get_heads() == [head_revision()]


def test_a_prepared_database_is_at_head_and_preparing_again_changes_nothing(database: Database) -> None:
    prepare(database)
    with psycopg.connect(database.conninfo) as connection:
        assert current_revision(connection) == head_revision()


def test_the_reader_sees_only_reader_schemas(database: Database) -> None:
    with database.psycopg("reader") as connection:
        assert connection.execute("select count(*) from quality.batches").fetchone() == (0,)
    for table in ("ops.batches", "quarantine.rejected_rows", "release.releases", "identity.links"):
        with database.psycopg("reader") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select count(*) from {table}")


def test_links_cannot_be_rewritten_by_the_pipeline(database: Database) -> None:
    with database.psycopg("pipeline") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update identity.links set subject_id = 'R0'")


def test_the_ledger_refuses_a_batch_that_loses_a_row(database: Database) -> None:
    with database.psycopg("pipeline") as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "insert into ops.batches (run_id, system, table_name, load_mode, state, read_count, inserted_count,"
            " contract_version) values ('r', 's', 't', 'snapshot', 'admitted', 3, 2, '1.0.0')"
        )


def test_an_old_server_is_refused() -> None:
    with pytest.raises(PermanentError, match="Postgres 15") as caught:
        require_version(150_018, "postgresql://db/hub")
    assert "16" in caught.value.expected


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("mysql://user:hidden-word@host/db", ConfigurationError),
        ("not an address hidden-word", ConfigurationError),
        ("postgresql://user:hidden-word@127.0.0.1:1/db", TransientError),
    ],
)
def test_a_database_that_cannot_be_used_is_explained_without_its_password(
    url: str, error: type[CityhubError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYHUB_DATABASE_URL", url)
    with pytest.raises(error) as caught:
        open_database(Settings())
    assert "hidden-word" not in str(caught.value)
    assert caught.value.do


def test_a_home_that_cannot_be_written_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CITYHUB_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ConfigurationError, match="home directory"):
        open_database(Settings())
