"""`cityhub contract check | show | diff`: what is declared, whether it can be kept, and how far raw is from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.contract.drift import Drift
from orchestration import contract_report as report
from orchestration import hub
from orchestration.cli.console import err, out, print_error, print_json, table
from orchestration.cli.run import AsJson

app = typer.Typer(no_args_is_help=True, help="The source systems' data contracts, and raw compared with them.")

WORDS = {
    "create": "created by the next run",
    "migrate": "migrated by the next run",
    "replace": "pulled anew by the next run, the old table kept beside",
    "refuse": "refused: needs a new major version",
    "keep": "kept, not pulled",
}


@app.command("check", epilog="Example: [bold]cityhub contract check connectors/contracts/care_homes.yaml[/]")
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="Contract files, each in place of the hub's own of that name; all of the hub's when left out.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    files_only: Annotated[
        bool, typer.Option("--files-only", help="Check the files alone, without opening the warehouse.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check contract files, then raw tables against them; exit code 1 when a run would refuse one of them."""
    checked = report.check_files(files)
    compared = None
    if not files_only and hub.has_warehouse():
        compared = report.drifts([item.contract for item in checked if item.contract and not item.error])
    refused = [drift for drift in compared or () if drift.verdict == "refuse"]
    is_well = not refused and not any(item.error for item in checked)
    if as_json:
        print_json(
            {
                "ok": is_well,
                "files": [item.plain() for item in checked],
                "raw": None if compared is None else [_plain(drift) for drift in compared],
            }
        )
    else:
        _print_check(checked, compared, refused)
    if not is_well:
        raise typer.Exit(1)


def _plain(drift: Drift) -> dict[str, Any]:
    return {
        "table": drift.table.qualified_name,
        "verdict": drift.verdict if drift.differences else "same",
        "error": report.plain_error(report.refusal(drift)) if drift.verdict == "refuse" else None,
        "differences": report.differences(drift),
    }


def _print_check(checked: list[report.CheckedFile], compared: list[Drift] | None, refused: list[Drift]) -> None:
    for item in checked:
        if item.error:
            out.print(f"[red]failed[/] {item.path}", highlight=False, soft_wrap=True)
            print_error(item.error)
        elif item.contract:
            tables = f"{len(item.contract.tables)} tables"
            out.print(
                f"[green]ok[/]     {item.path}  {item.contract.version}  {tables}", highlight=False, soft_wrap=True
            )
    if compared is None:
        err.print("The files alone were checked: no raw table was compared.", highlight=False)
        return
    for drift in refused:
        out.print(f"[red]failed[/] {drift.table.qualified_name}", highlight=False, soft_wrap=True)
        print_error(report.refusal(drift))
    same = sum(not drift.differences for drift in compared)
    out.print(f"Raw: {same} of {len(compared)} tables are as their contracts say.", highlight=False)
    for drift in compared:
        if drift.differences and drift.verdict != "refuse":
            out.print(f"  {drift.table.qualified_name}: {WORDS[drift.verdict]}", highlight=False, soft_wrap=True)


@app.command("show", epilog="Example: [bold]cityhub contract show care_homes.beds[/]")
def show(
    name: Annotated[str, typer.Argument(metavar="SYSTEM[.TABLE]", help="A system, or one of its tables.")],
    as_json: AsJson = False,
) -> None:
    """Show columns, types, keys, rules and classification in both languages."""
    contract, tables = report.chosen_tables(name)
    described = report.describe(contract, tables)
    if as_json:
        print_json(described)
        return
    out.print(
        f"[bold]{contract.zh} · {contract.en}[/]  {contract.system} {contract.version}, owner"
        f" {contract.owner_department}, transport {contract.transport}, times in {contract.timezone}",
        highlight=False,
    )
    for entry in described["tables"]:
        _print_table(entry)


def _print_table(entry: dict[str, Any]) -> None:
    cells = [
        [
            column["name"],
            column["zh"],
            column["type"],
            column["key_position"],
            column["classification"] + (f", masked as {column['mask']}" if column["mask"] else ""),
            column["rules_text"].replace("`", ""),
            column["en"],
        ]
        for column in entry["columns"]
    ]
    out.print()
    title = f"{entry['zh']} · {entry['en']}  {entry['raw_table']}"
    shown = table(title, ["column", "名称", "type", "key", "classification", "rules", "description"], cells)
    shown.columns[0].no_wrap = True
    out.print(shown)
    source = " ".join(filter(None, (entry["source_name"], entry["source_format"], entry["encoding"])))
    cursor = f", cursor {entry['cursor']} less {entry['overlap_minutes']:,} min" if entry["cursor"] else ""
    cursor += f", whole every {entry['sweep_every_days']} days" if entry["sweep_every_days"] else ""
    low, high = entry["rows"]
    out.print(
        f"{entry['load_mode']}{cursor}; from {source}; {low:,} to {high:,} rows, fresh within"
        f" {entry['freshness_hours']} h; held when more than {entry['reject_max_share']:.0%} are rejected or"
        f" {entry['shrink_max_share']:.0%} are gone",
        highlight=False,
    )
    for rule in entry["rules"]:
        out.print(f"  {rule['name']} ({rule['severity']}): {rule['description']}", highlight=False)


@app.command("diff", epilog="Example: [bold]cityhub contract diff care_homes --json[/]")
def diff(
    system: Annotated[str | None, typer.Argument(help="One system; all when left out.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Show what raw holds otherwise than its contract; exit code 1 when that needs a new major version."""
    contracts = hub.hub_contracts()
    wanted = [report.chosen_system(system)] if system else list(contracts.values())
    found = report.drifts(wanted)
    rows = [row for drift in found for row in report.differences(drift)]
    rows += report.without_contract(contracts, system)
    if as_json:
        print_json(rows)
    elif not rows:
        out.print("Raw is as the contracts say.")
    else:
        _print_differences(rows)
        for drift in found:
            if drift.verdict == "refuse":
                print_error(report.refusal(drift))
    if any(row["verdict"] == "refuse" for row in rows):
        raise typer.Exit(1)


def _print_differences(rows: list[dict[str, Any]]) -> None:
    """Line by line: names and reasons are too long for columns on a narrow terminal."""
    shown: set[tuple[str, str]] = set()
    for row in rows:
        name = (row["system"], row["table"])
        if name not in shown:
            shown.add(name)
            versions = f" ({row['raw_version']} → {row['contract_version']})" if row["raw_version"] else ""
            out.print(f"[bold]{'.'.join(name)}[/]{versions}", highlight=False, soft_wrap=True)
        what = " ".join(filter(None, (row["change"], row["column"])))
        line = f"  {what}: {row['raw']} → {row['contract']}; {WORDS[row['verdict']]} ({row['why']})"
        out.print(line, highlight=False, soft_wrap=True, markup=False)
