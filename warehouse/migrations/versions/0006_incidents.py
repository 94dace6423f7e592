"""The ledger of incidents: when a source table could not be admitted, until when, and whether its owner was told."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
create table ops.incidents (
    incident_id bigint generated always as identity primary key,
    system text not null,
    table_name text not null,
    state text not null check (state in ('held', 'stale')),
    batch_id bigint,
    reason text,
    began_at timestamptz not null,
    ended_at timestamptz,
    told_at timestamptz,
    told_over_at timestamptz,
    attempts integer not null default 0,
    last_failure text
)"""
    )
    op.execute("create unique index incidents_open on ops.incidents (system, table_name) where ended_at is null")
    op.execute(
        "comment on table ops.incidents is"
        " '来源表故障台账：每次故障只通知一次，恢复再通知一次 / Told once when it begins, once when it is over'"
    )
    op.execute("grant select, insert, update on ops.incidents to cityhub_pipeline")


def downgrade() -> None:
    op.execute("drop table ops.incidents")
