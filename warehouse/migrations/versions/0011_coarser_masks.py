"""Masks for what contracts call sensitive: the year of a day, a band of care levels, only that there is a value."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# kind: type of the column, what is shown, in words.
MASKS = {
    "year": (
        "date",
        "make_date(extract(year from value)::int, 1, 1)",
        "2026-01-01 / The year, as its first of January",
    ),
    "care_band": (
        "integer",
        "case when value = 0 then 0 when value < 4 then 1 else 4 end + 0 * value",
        "0、1（1至3级）、4（4至6级） / The lowest level of the band: 0, 1 to 3, 4 to 6",
    ),
    "hidden": ("text", "left(value, 0) || '***'", "*** / Only that there is a value"),
}


def upgrade() -> None:
    for kind, (pg_type, shown, words) in MASKS.items():
        op.execute(
            f"create function shared.mask_{kind}(value {pg_type}) returns {pg_type}"
            f" language sql immutable parallel safe return {shown}"
        )
        op.execute(f"comment on function shared.mask_{kind}({pg_type}) is '{words}'")


def downgrade() -> None:
    for kind, (pg_type, _, _) in MASKS.items():
        op.execute(f"drop function shared.mask_{kind}({pg_type})")
