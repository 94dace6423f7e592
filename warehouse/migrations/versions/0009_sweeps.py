"""When a table was last seen whole, which columns its source has beyond the contract, and who let a table shrink."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: the file holds many statements.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def downgrade() -> None:
    op.execute("drop view quality.allowances")
    op.execute("drop table ops.allowances")
    op.execute("drop view quality.system_states")
    for table, column in (("source_states", "swept_on"), ("source_states", "new_columns"), ("batches", "new_columns")):
        op.execute(f"alter table ops.{table} drop column {column}")
    op.execute(
        """
create view quality.system_states as
select
    s.system, s.table_name, s.state, s.state_since,
    b.read_count, b.inserted_count, b.updated_count, b.unchanged_count, b.deleted_count, b.quarantined_count,
    s.cursor, s.as_of, s.last_error
from ops.source_states as s
left join ops.batches as b on b.batch_id = s.last_batch_id"""
    )
    op.execute("grant select on quality.system_states to cityhub_reader, cityhub_pipeline")
