"""`cityhub quarantine`: rejected rows listed, sent to their owners, taken back, waived. Never their values: those are
in the workbooks alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestration import hub
from orchestration.cli.console import err, out, print_json, table
from orchestration.cli.run import AsJson
from warehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.quarantine import Replayed

app = typer.Typer(no_args_is_help=True, help="Rows that were not admitted: their reasons, their repair.")

System = Annotated[str | None, typer.Option("--system", help="Only this system.", show_default=False)]
Table = Annotated[str | None, typer.Option("--table", help="Only this table.", show_default=False)]
By = Annotated[
    str | None,
    typer.Option("--by", help="Who decides, for the record. Default: the user logged in.", show_default=False),
]
Status = Literal["open", "sent", "repaired", "waived"]


@app.command("list", epilog="Example: [bold]cityhub quarantine list --system care_homes --limit 20[/]")
def list_(
    system: System = None,
    table_name: Table = None,
    status: Annotated[Status | None, typer.Option(help="Only rows in this state.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List rejected rows with their reasons and where they came from."""
    # The landing brings Polars (0.3 s), which the other commands should not pay.
    from connectors.checks.wording import position_text
    from connectors.landing.quarantine import list_rejected

    _known_tables(system, table_name)
    rows = list_rejected(hub.hub_database(), system=system, table=table_name, limit=limit, status=status)
    if as_json:
        print_json(rows)
        return
    if not rows:
        out.print("No rejected rows.")
        return
    cells = [
        [
            str(row["id"]), f"{row['system']}.{row['table']}", row["key"], ", ".join(row["rules"]),
            position_text(row["position"], "en"), str(row["batch"]), row["status"],
        ]
        for row in rows
    ]  # fmt: skip
    out.print(table("Rejected rows", ["id", "table", "key", "rules", "position", "batch", "status"], cells))


@app.command(epilog="Example: [bold]cityhub quarantine export --department civil_affairs --to outbox[/]")
def export(
    to: Annotated[Path, typer.Option("--to", help="Folder the workbooks are written into; made if need be.")],
    department: Annotated[
        str | None, typer.Option(help="Only this owner department; all when left out.", show_default=False)
    ] = None,
    system: System = None,
    again: Annotated[bool, typer.Option("--again", help="Also rows that were sent before and are not back.")] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Write one workbook per owner department and mark its rows sent.

    A workbook holds the rows as received, personal values included. Only the user who runs this may read the file
    (mode 0600); hand it to the owning department alone.
    """
    from connectors.quarantine import export_rejected, person

    contracts = hub.hub_contracts()
    _known("--system", system, list(contracts))
    _known("--department", department, sorted({contract.owner_department for contract in contracts.values()}))
    books = export_rejected(
        hub.hub_database(), contracts, to, by=by or person(), department=department, system=system, again=again
    )
    if as_json:
        print_json([asdict(book) for book in books])
        return
    if not books:
        out.print("No open rows: nothing to send.")
        return
    cells = [[book.department, sum(book.rows.values()), book.left_open, str(book.path)] for book in books]
    out.print(table("Workbooks", ["department", "rows", "left open", "file"], cells, numeric=["rows", "left open"]))
    err.print("The workbooks hold personal values: hand each to its owning department alone (files are mode 0600).")


@app.command(epilog="Example: [bold]cityhub quarantine replay quarantine-civil_affairs-20260630-090000.xlsx[/]")
def replay(
    file: Annotated[Path | None, typer.Argument(help="A workbook that came back repaired.", show_default=False)] = None,
    contract: Annotated[
        bool, typer.Option("--contract", help="Instead: check open rows again under a changed contract.")
    ] = False,
    system: System = None,
    table_name: Table = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Run repaired rows through the same checks and into raw; what is still wrong stays open with new reasons.

    Nothing is replayed twice: a row that is settled, or was judged with this content under this contract, is left.
    """
    from connectors.quarantine import person, replay_contract, replay_workbook

    if (file is None) != contract:
        raise ConfigurationError(
            "It is not clear what to replay.",
            where="argument FILE, option --contract",
            expected="either a workbook or --contract",
            do="name the workbook that came back, or give --contract",
        )
    contracts, settings, database = hub.hub_contracts(), hub.hub_settings(), hub.hub_database()
    _known_tables(system, table_name)
    who = by or person()
    if file is None:
        results = replay_contract(database, settings, contracts, by=who, system=system, table=table_name)
    else:
        if system or table_name:
            raise ConfigurationError(
                "A workbook names its tables itself.",
                where="options --system, --table",
                expected="neither of them beside a workbook",
                do="leave them out",
            )
        results = replay_workbook(database, settings, contracts, file, by=who)
    _print_replayed(results, as_json)


@app.command(epilog='Example: [bold]cityhub quarantine waive 17 18 --why "site closed for good"[/]')
def waive(
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Ids as `quarantine list` shows them.")],
    why: Annotated[str, typer.Option("--why", help="Why the rows may stay out. No personal values.")],
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Accept that rows stay out of raw; all of those named, or none."""
    from connectors.quarantine import person
    from connectors.quarantine import waive as waive_rows

    number = waive_rows(hub.hub_database(), ids, why=why, by=by or person())
    if as_json:
        print_json({"waived": number})
    else:
        out.print(f"{number} waived.")


def _print_replayed(results: list[Replayed], as_json: bool) -> None:
    if as_json:
        print_json([asdict(result) for result in results])
        return
    if not results:
        out.print("Nothing to replay.")
        return
    names = ["batch_id", "repaired", "refused", "waived", "untouched", "known"]
    cells = [[f"{result.system}.{result.table}", *(getattr(result, name) for name in names)] for result in results]
    out.print(table("Replayed", ["table", *names], cells, numeric=names))
    for result in results:
        if result.refused:
            broken = ", ".join(f"{rule} ({rows})" for rule, rows in sorted(result.rejections.items()))
            out.print(f"{result.system}.{result.table}: still wrong by {broken}", highlight=False, soft_wrap=True)
    if any(result.refused for result in results):
        out.print("What is still wrong is open again and comes with the next workbook: cityhub quarantine export")
    if any(result.repaired for result in results):
        out.print("Readers see it after the next release: cityhub run")


def _known_tables(system: str | None, table_name: str | None) -> None:
    """A name typed wrongly must not look like a table without rejected rows."""
    contracts = hub.hub_contracts()
    _known("--system", system, list(contracts))
    tables = (own.name for name, contract in contracts.items() if system in (None, name) for own in contract.tables)
    _known("--table", table_name, list(dict.fromkeys(tables)))


def _known(option: str, given: str | None, choices: list[str]) -> None:
    if given is not None and given not in choices:
        raise ConfigurationError(
            f"There is no {option.removeprefix('--')} called {given}.",
            where=f"option {option}",
            expected=" | ".join(choices),
            do="choose one of these",
        )
