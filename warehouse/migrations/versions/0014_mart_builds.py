"""The ledger of mart builds: what each was built from, whole or as an increment, and which one readers see."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        create table ops.mart_builds (
            build_id bigint generated always as identity primary key,
            run_id text not null,
            -- The published build that this one adds to; null: everything is built whole.
            base_id bigint references ops.mart_builds (build_id),
            why_whole text,
            business_date date,
            fingerprint text,
            -- Per source table (system.table) the newest admitted batch, and the newest link, that the build has seen.
            batches jsonb not null default '{}',
            links_through bigint,
            begun_at timestamptz not null default clock_timestamp(),
            published_at timestamptz,
            release_id bigint references release.releases (release_id),
            check (base_id is null = (why_whole is not null))
        );
        comment on table ops.mart_builds is
        '主题表构建台账：发布后方可作为增量的基准 / Builds of the marts; only a published one is a base';
        grant select, insert, update on ops.mart_builds to cityhub_pipeline;
        """
    )


def downgrade() -> None:
    op.execute("drop table ops.mart_builds")
