"""The quarantine as work: what was decided about a rejected row, by whom, when and why, and the repair it was sent."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: the file holds many statements.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def downgrade() -> None:
    op.execute("drop table quarantine.decisions")
    op.execute("drop index quarantine.rejected_rows_unsettled")
    for column in ("match_key", "repair", "repair_reasons", "repaired_via", "repaired_key"):
        op.execute(f"alter table quarantine.rejected_rows drop column {column}")
