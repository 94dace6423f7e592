"""An id that was retired may be restored: a record that speaks of its subject has come back."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table identity.events drop constraint events_event_check")
    op.execute(
        "alter table identity.events add constraint events_event_check"
        " check (event in ('minted', 'adopted', 'merged', 'split', 'retired', 'restored'))"
    )


def downgrade() -> None:
    op.execute("delete from identity.events where event = 'restored'")
    op.execute("alter table identity.events drop constraint events_event_check")
    op.execute(
        "alter table identity.events add constraint events_event_check"
        " check (event in ('minted', 'adopted', 'merged', 'split', 'retired'))"
    )
