"""`cityhub reconcile`: whether raw holds exactly the rows of its sources."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration import hub
from orchestration.cli.console import err, out, print_json, table
from orchestration.cli.run import AsJson
from warehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.reconcile import Reconciled

RECONCILE_EXAMPLE = "Example: [bold]cityhub reconcile civil_affairs --json[/]"
COLUMNS = ["source", "raw", "missing", "surplus", "quarantined", "repaired", "kept", "unreadable"]


def reconcile(
    system: Annotated[str | None, typer.Argument(help="One system; all when left out.", show_default=False)] = None,
    table_name: Annotated[str | None, typer.Option("--table", help="Only this table.", show_default=False)] = None,
    keys: Annotated[int, typer.Option(min=0, help="Name at most so many differing keys per table.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Compare the keys of source and raw, and name those that differ; exit code 1 when any do.

    Best right after a run: what the source did since then counts as a difference.
    """
    # Transports bring Polars (0.3 s), which the other commands should not pay.
    from connectors.reconcile import reconcile_table

    contracts = hub.hub_contracts()
    if system is not None and system not in contracts:
        raise ConfigurationError(
            f"There is no system called {system}.",
            where="argument SYSTEM",
            expected=" | ".join(contracts),
            do="choose one of these, or add connectors/contracts/<system>.yaml",
        )
    chosen = [contract for name, contract in contracts.items() if system in (None, name)]
    tables = [(contract, own) for contract in chosen for own in contract.tables if table_name in (None, own.name)]
    if not tables:
        raise ConfigurationError(
            f"There is no table called {table_name}.",
            where="option --table",
            expected=" | ".join(own.name for contract in chosen for own in contract.tables),
            do="choose one of these",
        )
    database, settings = hub.hub_database(), hub.hub_settings()
    with hub.sources():
        results = [reconcile_table(database, settings, contract, own, most_keys=keys) for contract, own in tables]
    if as_json:
        agrees = all(result.agrees for result in results)
        print_json({"agrees": agrees, "tables": [asdict(r) | {"agrees": r.agrees} for r in results]})
    else:
        _print(results)
    if not all(result.agrees for result in results):
        raise typer.Exit(1)


def _print(results: list[Reconciled]) -> None:
    shown = table("Source and raw", ["table", "state", *COLUMNS], [], numeric=COLUMNS)
    shown.columns[0].no_wrap = True
    system = ""
    for result in results:
        if result.system != system:
            system = result.system
            shown.add_row(f"[bold]{system}[/]")
        state = "agrees" if result.agrees else "differs" if not result.error else "failed"
        counts = ["–" if result.error else f"{getattr(result, name):,}" for name in COLUMNS]
        shown.add_row(f"  {result.table}", state, *counts, style="" if result.agrees else "red")
    out.print(shown)
    for result in results:
        name = f"{result.system}.{result.table}"
        for what, found in (("raw lacks", result.missing_keys), ("only raw has", result.surplus_keys)):
            if found:
                out.print(f"{name}: {what} {', '.join(found)}", markup=False, highlight=False, soft_wrap=True)
        if result.error:
            err.print(f"{name}: {result.error}", markup=False, highlight=False, soft_wrap=True)
