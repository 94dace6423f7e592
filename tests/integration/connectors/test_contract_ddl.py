"""The DDL of every contract on a real Postgres."""

from __future__ import annotations

from connectors.contract import load_contracts
from connectors.contract.ddl import STAGE_BOOKKEEPING, raw_table_ddl, stage_table_ddl, typed_columns
from warehouse.database import Database


def test_every_table_can_be_created_twice_and_is_described(database: Database) -> None:
    tables = [table for contract in load_contracts().values() for table in contract.tables]
    with database.psycopg("pipeline") as connection:
        for table in tables:
            stage_name = f"quarantine.stage_{table.name}"
            for statement in raw_table_ddl(table) * 2 + stage_table_ddl(table, stage_name) * 2:
                connection.execute(statement)
            stage = connection.execute(f"select * from {stage_name}").description or []
            expected = [name for name, _ in (*typed_columns(table), *STAGE_BOOKKEEPING)]
            assert [column.name for column in stage] == expected
        undescribed = connection.execute(
            """
            select format('%s.%s.%s', n.nspname, c.relname, a.attname)
            from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
            where n.nspname like 'raw\\_%' and c.relkind = 'r' and a.attnum > 0
              and col_description(c.oid, a.attnum) is null
            """
        ).fetchall()
        counted = connection.execute("select count(*) from pg_tables where schemaname like 'raw\\_%'").fetchone()
    assert undescribed == []
    assert counted == (len(tables),)
