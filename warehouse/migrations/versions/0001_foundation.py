"""The ledgers of landing, the quarantine, identity's links, check results, releases, and the reader's view of them."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMAS = ("quarantine", "identity", "release", "shared", "scorecards", "quality")


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"create schema {schema}")
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: the file holds many statements and literal percent signs.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def downgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"drop schema {schema} cascade")
    op.execute("drop table ops.access_log, ops.source_states, ops.batches, ops.runs")
