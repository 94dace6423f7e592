"""`cityhub demo`: a synthetic city, its four systems, one run, and the pages. `cityhub demo advance`: its next days."""

from __future__ import annotations

import os
import shutil
from typing import Annotated

import psycopg
import typer
from psycopg import sql

import demo as city
from demo.home import describe
from orchestration import hub
from orchestration.cli.console import Display, err, out, print_json, table
from orchestration.cli.run import AsJson, BusinessDate, DagsterPort, PagesPort, execute, finish
from orchestration.dbt_manifest import begin_parse
from warehouse.database import EMBEDDED_DATABASE
from warehouse.errors import ConfigurationError

app = typer.Typer(
    invoke_without_command=True,
    help="Build a synthetic city with its four systems, run the whole road over it, and serve the result.",
    epilog="Examples: [bold]cityhub demo[/] · [bold]cityhub demo --no-serve --residents 2000 --json[/]",
)
URBAN_VARIABLE = "CITYHUB_DEMO_URBAN_URL"
ADVANCE_EXAMPLE = "Example: [bold]cityhub demo advance --days 3 && cityhub run[/]"


@app.callback()
def demo(
    context: typer.Context,
    residents: Annotated[int, typer.Option(min=100, max=6_000_000, help="Residents of the city.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same city.")] = 7,
    dirt: Annotated[
        float,
        typer.Option(min=0, max=10, help="So many times the usual dirt in numbers, names, addresses, codes."),
    ] = 1.0,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="End after the run.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Throw this home's city and its warehouse away first.")
    ] = False,
    urban_url: Annotated[
        str | None,
        typer.Option(
            envvar=URBAN_VARIABLE,
            show_default=False,
            help="Keep urban management in this database (mysql+pymysql://…) instead of SQLite.",
        ),
    ] = None,
    business_date: BusinessDate = None,
    pages_port: PagesPort = 8501,
    dagster_port: DagsterPort = 3000,
    as_json: AsJson = False,
) -> None:
    """Build a synthetic city with its four systems, run the whole road over it, and serve the result."""
    if context.invoked_subcommand:
        return
    if as_json and not no_serve:
        raise typer.BadParameter("--json goes with --no-serve", param_hint="--json")
    from orchestration.serve import require_ports, serve

    if urban_url:
        # The home keeps the address without its password: the run and what it starts find the whole one here.
        os.environ[URBAN_VARIABLE] = urban_url
    if not no_serve:
        require_ports({"--pages-port": pages_port, "--dagster-port": dagster_port})
    with Display(quiet=as_json) as display:
        if fresh:
            if urban_url:
                from demo.systems.urban_management import require_usable

                # An address that cannot be used must not cost the city that is there.
                require_usable(urban_url)
            throw_away()
        with display.stage("warehouse"):
            hub.hub_database()
            # The project is parsed on the second core while the city is built on the first.
            begin_parse()
        _ensure_city(residents, seed, dirt, urban_url, display)
        display.begin("sources", 0)
        with hub.sources():
            report = execute(display, business_date)
    finish(report, display, as_json, extra={"residents": residents, "seed": seed})
    if not as_json:
        seconds = [[stage, f"{spent:.1f}"] for stage, spent in display.seconds.items()]
        out.print(table("\nTime", ["step", "seconds"], seconds, numeric=["seconds"]))
    if not no_serve:
        with hub.sources():
            serve(pages_port, dagster_port, out=out, err=err)


@app.command(epilog=ADVANCE_EXAMPLE)
def advance(
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="Days to live on.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Let the city live on: births, deaths, moves, cases, corrections, late rows, fresh drops."""
    home = hub.hub_settings().home
    if not city.exists(home):
        raise ConfigurationError(
            "There is no demo city to advance.",
            where=str(home),
            expected="a home in which `cityhub demo` has built a city",
            do="run `cityhub demo --no-serve` first, or set CITYHUB_HOME to the home that has one",
        )
    with Display(quiet=as_json) as display, display.stage("advance", days):
        hub.hub_database()
        today = None
        for _ in range(days):
            today = city.advance(home, 1, admin_dsn=hub.demo_admin())
            display.step("advance", str(today))
    if as_json:
        print_json({"days": days, "clock": today})
        return
    out.print(f"The city's clock is at {today}. [bold]cityhub run[/] takes its changes.", highlight=False)


def _ensure_city(residents: int, seed: int, dirt: float, urban_url: str | None, display: Display) -> None:
    home = hub.hub_settings().home
    if city.exists(home):
        there = describe(home)
        if (there["residents"], there["seed"]) != (residents, seed):
            raise ConfigurationError(
                f"This home already holds a city of {there['residents']:,} residents, seed {there['seed']}.",
                where=str(home),
                expected=f"a city of {residents:,} residents, seed {seed}, or none",
                do=f"use --residents {there['residents']} --seed {there['seed']}, "
                "or add --fresh to throw it away, or set CITYHUB_HOME to another directory",
            )
        _require_same_dirt(there["rates"], dirt)
        _require_same_store(there["urban_url"], urban_url)
        return
    # Polars and the city's modules cost 0.4 s, which the other commands should not pay.
    from demo.city.dirt import DirtRates
    from demo.city.generation import generate
    from demo.systems import build

    with display.stage("city"):
        build(
            home, generate(residents=residents, seed=seed, rates=DirtRates().times(dirt)), hub.demo_admin(), urban_url
        )


def _require_same_dirt(kept: dict[str, float], dirt: float) -> None:
    from demo.city.dirt import DirtRates

    if DirtRates(**kept) != DirtRates().times(dirt):
        raise ConfigurationError(
            "This home already holds a city with other dirt.",
            where="--dirt",
            expected="the factor it was built with",
            do="give that factor, or add --fresh to throw the city away, or set CITYHUB_HOME to another directory",
        )


def _require_same_store(kept: str | None, urban_url: str | None) -> None:
    """A city stays in the database it was built in: another address would be left unused without a word."""
    if not urban_url:
        return
    from demo.systems.urban_management import masked

    if masked(urban_url) != kept:
        raise ConfigurationError(
            "This home's city keeps urban management elsewhere.",
            where=f"option --urban-url or {URBAN_VARIABLE}",
            expected=f"the address it was built with: {kept}" if kept else "no address: it is in SQLite",
            do="give that address, or none, or add --fresh to build the city anew",
        )


def throw_away() -> None:
    """Remove the home's demo city with everything the hub made of it; a home without one is left alone."""
    home = hub.hub_settings().home
    if not city.exists(home):
        return
    database = hub.hub_database()
    if database.embedded_admin is None:
        raise ConfigurationError(
            "--fresh throws the warehouse away, and this one is not the demo's own.",
            where="environment variable CITYHUB_DATABASE_URL",
            expected="the embedded Postgres",
            do="drop the external database yourself, or unset CITYHUB_DATABASE_URL",
        )
    civil_database = describe(home)["civil_database"]
    database.dispose()
    with psycopg.connect(database.embedded_admin, autocommit=True) as connection:
        for name in (EMBEDDED_DATABASE, civil_database):
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    hub.hub_database.cache_clear()
    for directory in ("demo", "dagster", "logs", "dbt"):
        shutil.rmtree(home / directory, ignore_errors=True)
