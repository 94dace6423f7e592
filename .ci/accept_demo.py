"""Run the demo as a newcomer would and check what it shows, through the command line alone."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

COMMAND = Path(__file__).resolve().parent.parent / ".venv" / "bin" / "cityhub"
SIX = {
    "smart_discovery_rate",
    "standard_disposal_rate",
    "on_time_closure_rate",
    "over_bed_rate",
    "food_licence_valid_rate",
    "dual_publication_rate",
}


def cityhub(*arguments: str) -> dict[str, Any]:
    """Run one command that prints one JSON object, and say how long it took."""
    started = time.perf_counter()
    done = subprocess.run([str(COMMAND), *arguments], capture_output=True, text=True, check=False)
    print(f"cityhub {' '.join(arguments)}: exit {done.returncode}, {time.perf_counter() - started:.1f} s", flush=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def check_status(state: dict[str, Any]) -> None:
    """Every table admitted, nothing lost, six indicators with figures."""
    for system, tables in state["systems"].items():
        for name, entry in tables.items():
            assert entry["state"] == "admitted", f"{system}.{name} is {entry['state']}: {entry['reason']}"
            kept = sum(entry[count] for count in ("inserted", "updated", "unchanged", "quarantined"))
            assert entry["read"] == kept, f"{system}.{name} lost rows: read {entry['read']}, accounted {kept}"
    assert not state["checks"]["failed"], state["checks"]["failed_names"]
    shown = {row["code"] for row in state["indicators"] if row["value"] is not None}
    assert shown == SIX, f"indicators with a value: {sorted(shown)}"
    assert all(rows > 0 for rows in state["release"]["tables"].values()), state["release"]["tables"]


def main() -> None:
    """First run, a run with nothing changed, a day of change."""
    first = cityhub("demo", "--no-serve", "--json")
    assert first["outcome"] == "released", first
    state = cityhub("status", "--json")
    check_status(state)
    second = cityhub("run", "--json")
    assert second["outcome"] == "unchanged", second
    assert cityhub("status", "--json")["release"] == state["release"]
    cityhub("demo", "advance", "--days", "1", "--json")
    third = cityhub("run", "--json")
    assert third["outcome"] == "released", third
    after = cityhub("status", "--json")
    check_status(after)
    assert after["release"]["id"] > state["release"]["id"]
    print(json.dumps({"first": first["seconds"], "same": second["seconds"], "next_day": third["seconds"]}, indent=2))


main()
