"""`cityhub run` and `cityhub up`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from orchestration import hub
from orchestration.cli.console import Display, err, out, print_json
from orchestration.cli.summary import print_summary
from orchestration.job import RunReport, run_job
from orchestration.progress import reporting_to

RUN_EXAMPLE = (
    "Examples: [bold]cityhub run --business-date 2026-06-30[/] · [bold]cityhub run --sweep[/] · "
    "[bold]cityhub run --allow-shrink care_homes.beds --why 'two homes closed, letter of 12 June'[/]"
)
UP_EXAMPLE = "Example: [bold]cityhub up --pages-port 8600 --dagster-port 3100[/]"

BusinessDate = Annotated[
    datetime | None,
    typer.Option(
        "--business-date", formats=["%Y-%m-%d"],
        help="The day the scorecards speak of; any day can be run again with the same result. "
        "Default: the sources' latest day in the demo, else today in Shanghai.",
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and no progress.")]
PagesPort = Annotated[int, typer.Option("--pages-port", min=1, max=65535, help="Port of the pages (Streamlit).")]
DagsterPort = Annotated[int, typer.Option("--dagster-port", min=1, max=65535, help="Port of Dagster.")]


def run(
    business_date: BusinessDate = None,
    sweep: Annotated[
        bool | None,
        typer.Option(
            "--sweep/--no-sweep",
            help="Pull every incremental table whole, or none. Default: those whose contract says it is time.",
            show_default=False,
        ),
    ] = None,
    allow_shrink: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-shrink",
            metavar="SYSTEM.TABLE",
            help="Let this table lose more rows than its contract allows, in this run; may be repeated.",
            show_default=False,
        ),
    ] = None,
    why: Annotated[
        str | None, typer.Option("--why", help="Why the rows may go, for the record.", show_default=False)
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who decides, for the record. Default: the user logged in.", show_default=False),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            help="Build every table whole, even where nothing changed. Default: restate only what was touched.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Pull, join, check, score and release once, in this process."""
    told = run_options(sweep, allow_shrink or [], why, by, whole=whole)
    with Display(quiet=as_json) as display:
        with display.stage("warehouse"):
            hub.hub_database()
        report = execute(display, business_date, **told)
    finish(report, display, as_json)


def run_options(
    sweep: bool | None, allow_shrink: list[str], why: str | None, by: str | None, *, whole: bool = False
) -> dict[str, Any]:
    """The options as fields of the run's configuration.

    Raises:
        ConfigurationError: a table is unknown, or rows are let go without a reason.
    """
    if sweep is None and not allow_shrink:
        return {"whole": True} if whole else {}
    # Imported here: Dagster takes 3 s, which the help text should not pay.
    from connectors.quarantine import person
    from orchestration.run_config import HubConfig

    told: dict[str, Any] = {
        "sweep": "due" if sweep is None else "all" if sweep else "none",
        "allow_shrink": allow_shrink,
        "whole": whole,
        "allowed_by": by or person(),
        "why": why or "",
    }
    HubConfig(**told).require_sound()
    return told


def execute(display: Display, business_date: datetime | None, **told: Any) -> RunReport:
    """The daily job with this display as its reporter."""
    with hub.sources(), reporting_to(display):
        return run_job(business_date.date() if business_date else None, **told)


def finish(report: RunReport, display: Display, as_json: bool, extra: dict[str, Any] | None = None) -> None:
    """Tell how the run ended; leave with its exit code when that is not 0."""
    if as_json:
        print_json(
            {
                "run_id": report.run_id,
                "outcome": report.outcome,
                "business_date": report.business_date,
                "troubled": report.troubled,
                "reason": report.reason or None,
                "seconds": {stage: round(seconds, 2) for stage, seconds in display.seconds.items()},
                **(extra or {}),
            }
        )
    else:
        print_summary(report)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def up(pages_port: PagesPort = 8501, dagster_port: DagsterPort = 3000) -> None:
    """Serve the pages and Dagster on 127.0.0.1 until Ctrl-C."""
    from orchestration.serve import require_ports, serve

    require_ports({"--pages-port": pages_port, "--dagster-port": dagster_port})
    hub.hub_database()
    with hub.sources():
        serve(pages_port, dagster_port, out=out, err=err)
