"""How many records the last look for repairs saw: where neither number nor newest change moved, there is no look."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table identity.repair_progress add column records_count bigint")


def downgrade() -> None:
    op.execute("alter table identity.repair_progress drop column records_count")
