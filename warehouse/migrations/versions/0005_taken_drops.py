"""Which dated drops append tables have taken: one that arrives late is known by not being here."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create table ops.taken_drops ("
        " system text not null, table_name text not null, drop_on date not null,"
        " batch_id bigint not null references ops.batches (batch_id),"
        " primary key (system, table_name, drop_on))"
    )
    op.execute(
        "comment on table ops.taken_drops is '已接收的文件批次 / Drops an append table took, and in which batch'"
    )
    op.execute("grant select, insert, update on ops.taken_drops to cityhub_pipeline")


def downgrade() -> None:
    op.execute("drop table ops.taken_drops")
