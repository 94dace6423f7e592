"""Alembic environment: runs on the connection that `warehouse.migrate` hands over, as the owner role."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from warehouse.roles import ROLE_NAMES

connection = context.config.attributes["connection"]
connection.execute(text(f"set role {ROLE_NAMES['owner']}"))
context.configure(connection=connection, version_table_schema="ops", transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
# `set role` opened the transaction before Alembic could, so ending it is ours: all revisions land, or none.
connection.commit()
