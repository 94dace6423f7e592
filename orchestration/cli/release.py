"""`cityhub release list`: every release with its business date and what it changed."""

from __future__ import annotations

from typing import Annotated

import typer
from psycopg.rows import dict_row

from orchestration import hub
from orchestration.cli.console import out, print_json, table
from orchestration.cli.run import AsJson

app = typer.Typer(no_args_is_help=True, help="What readers have been shown, and when.")

COUNTS = ("inserted", "updated", "deleted")


@app.command("list", epilog="Example: [bold]cityhub release list --limit 5[/]")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="At most so many releases.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List releases, newest first."""
    with hub.hub_database().psycopg("pipeline") as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "select release_id, published_at, business_date, run_id, is_current, tables, systems, checks"
            " from quality.releases order by release_id desc limit %s",
            [limit],
        ).fetchall()
    if as_json:
        print_json(rows)
        return
    if not rows:
        out.print("Nothing has been released yet. Run `cityhub run` (or `cityhub demo` for a synthetic city).")
        return
    cells = [
        [
            ("* " if row["is_current"] else "  ") + str(row["release_id"]),
            f"{row['published_at']:%Y-%m-%d %H:%M:%S}",
            row["business_date"],
            *(sum(counts[name] for counts in row["tables"].values()) for name in COUNTS),
        ]
        for row in rows
    ]
    columns = ["release", "published (UTC)", "business date", *COUNTS]
    out.print(table("Releases (* current)", columns, cells, numeric=COUNTS))
