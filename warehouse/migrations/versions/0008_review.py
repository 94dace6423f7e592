"""Review by two people: the rule of two as database functions, and what the role `cityhub_clerk` may do."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: the file holds many statements.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def downgrade() -> None:
    op.execute("revoke usage on schema identity from cityhub_clerk")
    for function in (
        "give_opinion(bigint, text, text, text)",
        "require_possible(identity.review_items, text)",
        "review_opinions(bigint, text)",
        "review_pair(bigint, text, text)",
        "differing_positions(text, text)",
        "mask_value(text, text, text)",
        "certified_number(text, jsonb)",
    ):
        op.execute(f"drop function identity.{function}")
    for view in ("review_queue", "opinions_in_force", "decisions_in_force"):
        op.execute(f"drop view identity.{view}")
    op.execute("drop function identity.clerk_key(text)")
    op.execute("set role cityhub_pipeline")
    op.execute("drop function identity.record_card(text, text, text, text)")
    op.execute("set role cityhub_owner")
    op.execute("drop index identity.repair_proposals_by_item")
    op.execute("alter table identity.decisions drop column through_opinion_id")
    op.execute("alter table identity.opinions drop column entered_by")
    op.execute("grant insert on identity.opinions, identity.decisions to cityhub_pipeline")
