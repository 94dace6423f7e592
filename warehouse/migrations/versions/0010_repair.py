"""Repair proposals: which numbers one slip may have come from, and how far supporting records were looked for."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: the file holds many statements.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def downgrade() -> None:
    op.execute("alter table identity.repair_proposals drop column other_changed_at")
    for table in ("repair_progress", "repair_candidates", "repair_records"):
        op.execute(f"drop table identity.{table}")
