"""`cityhub source list` and `cityhub source check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from connectors.contract import SystemContract
from orchestration import hub
from orchestration.cli.console import err, out, print_error, print_json, table
from orchestration.cli.run import AsJson
from warehouse.errors import CityhubError, ConfigurationError

if TYPE_CHECKING:
    from connectors.transports import Transport

app = typer.Typer(no_args_is_help=True, help="The source systems: where they are, whether they answer.")


@app.command("list", epilog="Example: [bold]cityhub source list --json[/]")
def list_(as_json: AsJson = False) -> None:
    """List every system with its transport, address (secrets hidden) and tables."""
    with hub.sources():
        rows = [_describe(contract) for contract in hub.hub_contracts().values()]
    if as_json:
        print_json(rows)
        return
    cells = [[row["system"], row["name_zh"], row["transport"], row["address"], len(row["tables"])] for row in rows]
    out.print(table("Source systems", ["system", "name", "transport", "address", "tables"], cells, numeric=["tables"]))


@app.command("check", epilog="Example: [bold]cityhub source check civil_affairs[/]")
def check(
    system: Annotated[str | None, typer.Argument(help="One system; all when left out.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Ask every system for its tables without reading a row; exit code 1 when one does not answer."""
    contracts = hub.hub_contracts()
    if system is not None and system not in contracts:
        raise ConfigurationError(
            f"There is no system called {system}.",
            where="argument SYSTEM",
            expected=" | ".join(contracts),
            do="choose one of these, or add connectors/contracts/<system>.yaml",
        )
    with hub.sources():
        results = [_check(contracts[name]) for name in ([system] if system else contracts)]
    if as_json:
        print_json([{key: value for key, value in result.items() if key != "error"} for result in results])
    else:
        for result in results:
            mark = "[green]ok[/]   " if result["ok"] else "[red]failed[/]"
            out.print(f"{mark} {result['system']}  {result['address']}", highlight=False, soft_wrap=True)
            for name, columns in result["new_columns"].items():
                told = f"{name} has columns that its contract lacks: {', '.join(columns)}"
                out.print(f"  [yellow]![/] {escape(told)}", highlight=False, soft_wrap=True)
            if result["error"]:
                print_error(result["error"])
    if not all(result["ok"] for result in results):
        err.print("Not every system answers.")
        raise typer.Exit(1)


def _transport(contract: SystemContract) -> Transport:
    # Transports bring Polars (0.3 s), which the other commands should not pay.
    from connectors.transports import open_transport

    return open_transport(hub.hub_settings(), contract)


def _describe(contract: SystemContract) -> dict[str, Any]:
    transport = _transport(contract)
    try:
        return {
            "system": contract.system,
            "name_zh": contract.zh,
            "name_en": contract.en,
            "transport": contract.transport,
            "address": transport.address,
            "tables": [table.name for table in contract.tables],
        }
    finally:
        transport.close()


def _check(contract: SystemContract) -> dict[str, Any]:
    address, error = "", None
    extra: Mapping[str, Sequence[str]] = {}
    try:
        transport = _transport(contract)
        try:
            address = transport.address
            extra = transport.check()
        finally:
            transport.close()
    except CityhubError as caught:
        error = caught
    return {
        "system": contract.system,
        "address": address,
        "ok": error is None,
        "kind": error.kind if error else None,
        "message": str(error) if error else None,
        "new_columns": {table: list(columns) for table, columns in extra.items() if columns},
        "error": error,
    }
