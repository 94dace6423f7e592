"""The console script: the command tree, and the one place where an error becomes a message and an exit code.

Exit codes: 0 done · 1 failed or refused · 2 the command was typed wrongly · 3 released, with tables held or stale.
"""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

import typer

from orchestration.cli import contract, demo, identity, inspect, quarantine, reconcile, release, run, source
from orchestration.cli.console import err, print_error
from warehouse.errors import CityhubError

app = typer.Typer(
    name="cityhub",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A city district's data hub: pull four systems, join residents and enterprises, check, score, release.",
    epilog="Start with: [bold]cityhub demo[/]",
)
app.add_typer(demo.app, name="demo")
app.command("run", epilog=run.RUN_EXAMPLE)(run.run)
app.command("up", epilog=run.UP_EXAMPLE)(run.up)
app.command("status", epilog=inspect.STATUS_EXAMPLE)(inspect.status)
app.command("config", epilog=inspect.CONFIG_EXAMPLE)(inspect.config)
app.add_typer(source.app, name="source")
app.add_typer(contract.app, name="contract")
app.add_typer(quarantine.app, name="quarantine")
app.command("reconcile", epilog=reconcile.RECONCILE_EXAMPLE)(reconcile.reconcile)
app.add_typer(identity.identity_app, name="identity")
app.add_typer(release.app, name="release")


def main() -> NoReturn:
    """Run the command line."""
    # Loading Dagster, Great Expectations and dbt's manifest makes millions of objects that stay: looking through them
    # for garbage, again and again, takes a fifth of that time.
    gc.set_threshold(100_000, 50, 100)
    try:
        app()
    except CityhubError as error:
        print_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("Stopped.")
        sys.exit(130)
    sys.exit(0)
