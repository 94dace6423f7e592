"""Readers see the year of a birth: day and month are the digits that the masked citizen number hides."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create function shared.mask_birth_on(value date) returns date"
        " language sql immutable parallel safe return make_date(extract(year from value)::int, 1, 1)"
    )
    op.execute("comment on function shared.mask_birth_on(date) is '1958-01-01 / The year, as its first of January'")


def downgrade() -> None:
    op.execute("drop function shared.mask_birth_on(date)")
