"""Record linkage: scored pairs, opinions on the doubtful ones, decisions for ever, proposed repairs."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

METHODS = {"before": ("certified", "own_record"), "after": ("certified", "own_record", "model", "reviewed")}


def _allow_methods(methods: tuple[str, ...]) -> None:
    op.execute("alter table identity.links drop constraint links_method_check")
    listed = ", ".join(f"'{method}'" for method in methods)
    op.execute(f"alter table identity.links add constraint links_method_check check (method in ({listed}))")


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: the file holds many statements.
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]
    _allow_methods(METHODS["after"])


def downgrade() -> None:
    _allow_methods(METHODS["before"])
    for table in ("repair_proposals", "decisions", "opinions", "review_items", "loose_groups", "pairs", "linkage_runs"):
        op.execute(f"drop table identity.{table}")
