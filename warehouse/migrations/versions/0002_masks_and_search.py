"""What reader views are made of: masks, the audited search, and the book of the views as they stand."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: the file holds many statements and literal percent signs.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def downgrade() -> None:
    op.execute("drop function shared.search_subjects(text, text, integer)")
    op.execute("drop table release.views")
    op.execute("alter table release.releases drop column checked_at, drop column checked_run_id")
    for kind in ("name", "citizen_no", "phone", "address"):
        op.execute(f"drop function shared.mask_{kind}(text)")
