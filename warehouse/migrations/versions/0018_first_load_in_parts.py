"""A first load of two parts, each checked as it is complete; no index that says what the key of `subjects` says."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: the file holds many statements.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def downgrade() -> None:
    # Both functions as the migration before them made them.
    before = Path(__file__).with_name("0013_first_load.sql").read_text(encoding="utf-8")
    functions = before.partition("create function identity.begin_first_load()")[2]
    functions = functions.partition("create function identity.refuse_open_first_load()")[0]
    for function in ("begin_first_load()", "end_first_load(regclass[])"):
        op.execute(f"drop function identity.{function}")
    op.execute("alter table identity.first_load drop column ledger")
    restored = f"create function identity.begin_first_load(){functions}"
    op.get_bind().connection.driver_connection.execute(restored)  # type: ignore[union-attr]
    for function in ("begin_first_load()", "end_first_load()"):
        op.execute(f"revoke execute on function identity.{function} from public")
        op.execute(f"grant execute on function identity.{function} to cityhub_pipeline")
    op.execute(
        "alter table identity.subjects add constraint subjects_minted_for_key"
        " unique (minted_key, minted_table, minted_system, subject_kind, minted_ordinal)"
    )
