"""`cityhub status` and `cityhub config`: looking, changing nothing."""

from __future__ import annotations

from orchestration import hub
from orchestration.cli.console import out, print_json, table
from orchestration.cli.run import AsJson
from orchestration.cli.summary import print_rest, systems_table
from orchestration.status import status as read_status
from warehouse.settings import Settings

STATUS_EXAMPLE = "Example: [bold]cityhub status --json | jq .release.id[/]"
CONFIG_EXAMPLE = "Example: [bold]CITYHUB_HOME=/srv/cityhub cityhub config[/]"


def status(as_json: AsJson = False) -> None:
    """Show the current release, every source table, checks, identity and the district's indicators."""
    state = read_status()
    if as_json:
        print_json(state)
        return
    out.print(systems_table(state))
    print_rest(state)


def config(as_json: AsJson = False) -> None:
    """Show the settings in force, secrets hidden."""
    settings = hub.hub_settings()
    shown = settings.shown()
    if as_json:
        print_json(shown)
        return
    fields = Settings.model_fields
    rows = [[f"CITYHUB_{name.upper()}", value, fields[name].description] for name, value in shown.items()]
    out.print(table("Settings", ["variable", "value", "meaning"], rows))
