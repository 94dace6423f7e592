"""Questions that people raise about two records, and clerks who are known by their login."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    for function in (
        "raise_question(text, text[], text[], text, text, text, text)",
        "open_question(text, text[], text[])",
        "against(text, text[], text)",
        "give_opinion(bigint, text, text, text, text)",
        "require_possible(identity.review_items, text)",
        "review_opinions(bigint, text, text)",
        "review_pair(bigint, text, text, text)",
        "named(text[])",
        "clerk_named(text, text)",
        "own_number(text, jsonb)",
        "subject_of(text, text[])",
        "card_of(text, text[])",
    ):
        op.execute(f"drop function identity.{function}")
    op.execute("drop view identity.review_queue, identity.opinions_in_force")
    op.execute("drop table identity.raised_questions")
    op.execute("alter table identity.opinions drop column clerk_login")
    op.execute("update identity.review_items set reason = 'conflict' where reason = 'raised'")
    op.execute("alter table identity.review_items drop constraint review_items_reason_check")
    op.execute(
        "alter table identity.review_items add constraint review_items_reason_check"
        " check (reason in ('between', 'conflict', 'repair'))"
    )
    before = Path(__file__).with_name("0008_review.sql").read_text(encoding="utf-8")
    _execute(_section(before, "create view identity.opinions_in_force as", "-- queue ---"))
    _execute(_section(before, "create view identity.review_queue as", "create index repair_proposals_by_item"))
    _execute(_section(before, "create function identity.review_opinions(", "-- rights ---"))
    pair = Path(__file__).with_name("0016_committee_in_review.sql").read_text(encoding="utf-8")
    _execute(pair[pair.index("create or replace function identity.review_pair(") :])
    # What is not theirs in here is granted and revoked again as it was.
    _execute(before[before.index("-- rights ---") :])


def _section(text: str, start: str, end: str) -> str:
    return text[text.index(start) : text.index(end)]


def _execute(sql: str) -> None:
    # The driver's own cursor: the text holds many statements.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]
