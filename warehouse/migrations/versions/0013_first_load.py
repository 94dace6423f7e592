"""Identity at the size of a city: keys that tell records apart at once, a first load that is checked as a whole."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: the file holds many statements.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def downgrade() -> None:
    for function in ("begin_first_load", "end_first_load"):
        op.execute(f"drop function identity.{function}()")
    op.execute("drop table identity.first_load")
    op.execute("drop function identity.refuse_open_first_load()")
    op.execute(
        """
create or replace view identity.current_links as
select distinct on (subject_kind, system, table_name, record_key)
    subject_kind, system, table_name, record_key, subject_id, method, probability, model_version, linked_at, link_id
from identity.links
order by subject_kind, system, table_name, record_key, link_id desc"""
    )
    op.execute("drop index identity.pairs_by_right")
    op.execute("create index pairs_by_right on identity.pairs (subject_kind, right_system, right_table, right_key)")
    op.execute("alter table identity.pairs drop constraint pairs_pkey")
    op.execute(
        "alter table identity.pairs add primary key"
        " (subject_kind, left_system, left_table, left_key, right_system, right_table, right_key)"
    )
    op.execute("drop index identity.links_by_record")
    op.execute(
        "create index links_by_record on identity.links (subject_kind, system, table_name, record_key, link_id desc)"
    )
    op.execute("alter table identity.identifiers drop constraint identifiers_pkey")
    op.execute("alter table identity.identifiers add primary key (subject_kind, identifier)")
    op.execute("alter table identity.subjects drop constraint subjects_minted_for_key")
    op.execute(
        "alter table identity.subjects add unique"
        " (subject_kind, minted_system, minted_table, minted_key, minted_ordinal)"
    )
