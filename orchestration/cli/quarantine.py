"""`cityhub quarantine list`: rejected rows by table, key, rule and position; never their values."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration import hub
from orchestration.cli.console import out, print_json, table
from orchestration.cli.run import AsJson

app = typer.Typer(no_args_is_help=True, help="Rows that were not admitted, with every reason.")


@app.command("list", epilog="Example: [bold]cityhub quarantine list --system care_homes --limit 20[/]")
def list_(
    system: Annotated[str | None, typer.Option(help="Only this system.", show_default=False)] = None,
    table_name: Annotated[str | None, typer.Option("--table", help="Only this table.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List rejected rows with their reasons and where they came from."""
    # The landing brings Polars (0.3 s), which the other commands should not pay.
    from connectors.landing.quarantine import list_rejected

    rows = list_rejected(hub.hub_database(), system=system, table=table_name, limit=limit)
    if as_json:
        print_json(rows)
        return
    if not rows:
        out.print("No rejected rows.")
        return
    columns = list(rows[0])
    cells = [
        [", ".join(map(str, value)) if isinstance(value, list) else value for value in row.values()] for row in rows
    ]
    out.print(table("Rejected rows", columns, cells))
