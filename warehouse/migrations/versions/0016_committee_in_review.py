"""The committee beside each record of a doubtful pair: the waterfall speaks of it, so clerks see it."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    before = Path(__file__).with_name("0008_review.sql").read_text(encoding="utf-8")
    start = before.index("create function identity.review_pair(")
    end = before.index("comment on function identity.review_pair(")
    _execute(before[start:end].replace("create function", "create or replace function", 1))
    op.execute("drop function identity.review_attributes(text)")


def _execute(sql: str) -> None:
    # The driver's own cursor: the text holds many statements.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]
