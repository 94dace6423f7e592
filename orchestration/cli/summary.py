"""The table at the end of a run: what was pulled, joined, checked and released."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape
from rich.table import Table

from orchestration.cli.console import STATE_STYLE, out, table
from orchestration.job import RunReport
from orchestration.status import status
from warehouse.settings import TIMEZONE

COUNTS = {
    "read": "read",
    "inserted": "new",
    "updated": "changed",
    "unchanged": "same",
    "deleted": "gone",
    "quarantined": "rejected",
}
OUTCOME = {
    "released": "[green]Released[/]",
    "unchanged": "[green]Nothing changed[/]: the current release stands",
    "refused": "[red]Refused[/]: readers keep the previous release",
    "failed": "[red]Failed[/]: readers keep the previous release",
}


def print_summary(report: RunReport) -> None:
    """Outcome and the state of everything, for a person."""
    state = status()
    out.print(systems_table(state))
    print_rest(state)
    out.print(f"\n{OUTCOME[report.outcome]}", end="")
    out.print(f" · business date {report.business_date} · run {report.run_id}", highlight=False)
    if report.reason:
        out.print(f"[red]Reason[/]: {escape(report.reason)}", soft_wrap=True)
    print_troubled(report.troubled)


def print_troubled(troubled: dict[str, str]) -> None:
    """Tables that are held or stale, those with one cause together, the cause in its parts."""
    tables_of: dict[str, list[str]] = {}
    for name, why in troubled.items():
        tables_of.setdefault(why, []).append(name)
    for why, tables in tables_of.items():
        state, _, reason = why.partition(": ")
        out.print(f"\n[{STATE_STYLE[state]}]{state}[/] {', '.join(tables)}", highlight=False)
        for part in reason.split("; "):
            out.print(f"  {escape(part)}", soft_wrap=True, highlight=False)


def systems_table(state: dict[str, Any]) -> Table:
    """Every source table with its state and the counts of its last batch, system by system."""
    # 80 columns hold the counts; the date needs a few more.
    dated = out.width >= 92
    columns = ["table", "state", *COUNTS.values(), *(["as of"] if dated else [])]
    result = table("Pulled", columns, [], numeric=tuple(COUNTS.values()))
    for column in result.columns:
        column.no_wrap = True
    for system, tables in state["systems"].items():
        result.add_row(f"[bold]{system}[/]")
        for name, entry in tables.items():
            counts = [f"{entry[count]:,}" if entry[count] else "·" for count in COUNTS]
            style = "" if entry["state"] == "admitted" else STATE_STYLE[entry["state"]]
            result.add_row(
                f"  {name}", entry["state"], *counts, *([_local_day(entry["as_of"])] if dated else []), style=style
            )
    return result


def _local_day(moment: str | None) -> str:
    return "–" if moment is None else f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(TIMEZONE)):%Y-%m-%d}"


def print_rest(state: dict[str, Any]) -> None:
    """Identity, checks, release and the newest closed month of the district."""
    joined = [
        [kind, counts["records"], counts["subjects"], counts["by_method"].get("certified", 0)]
        for kind, counts in state["identity"].items()
    ]
    if joined:
        out.print()
        numeric = ("records", "subjects", "certified records")
        out.print(table("Joined", ["kind", *numeric], joined, numeric=numeric))
    checks = state["checks"]
    out.print(
        f"\n[bold]Checked[/]  {checks['passed']:,} passed, {checks['warned']:,} warned, {checks['failed']:,} failed"
    )
    for name in checks["failed_names"]:
        out.print(f"  [red]failed[/] {escape(name)}")
    release = state["release"]
    if release is None:
        out.print("\n[bold]Released[/]  nothing yet")
        return
    out.print(f"\n[bold]Released[/]  no. {release['id']} at {release['published_at'][:19]} UTC", highlight=False)
    rows = " · ".join(f"{name} {count:,}" for name, count in release["tables"].items())
    out.print(f"[dim]{rows}[/]", highlight=False)
    out.print()
    out.print(indicator_table(state["indicators"]))


def indicator_table(indicators: list[dict[str, Any]]) -> Table:
    """The district's indicators in the newest month that is closed."""
    closed = [row["period"] for row in indicators if row["status"] != "too_early"]
    newest = max(closed, default=None)
    rows = [
        [row["code"], row["numerator"], row["denominator"], _share(row["value"]), _share(row["target"]), row["status"]]
        for row in indicators
        if row["period"] == newest
    ]
    columns = ["indicator", "numerator", "denominator", "value", "target", "status"]
    return table(f"District, {newest}", columns, rows, numeric=columns[1:5])


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.1%}"
