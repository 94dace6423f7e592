"""What every benchmark leaves behind: a table to read and `benchmarks/results/<name>.json` to compare."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("dagster", "dbt-core", "great-expectations", "polars", "psycopg", "pyarrow", "sqlalchemy")


def machine() -> dict[str, Any]:
    """Cores, memory and platform of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cores": os.cpu_count(), "memory_gib": round(memory, 1), "platform": platform.platform()}


def write(name: str, *, sizes: dict[str, Any], figures: dict[str, Any], ratios: dict[str, float | None]) -> Path:
    """Print the figures and write the result file; a ratio without its peer is None."""
    table = Table("figure", "value", title=f"{name} {sizes}", title_justify="left", box=None)
    for key, value in {**figures, **{f"ratio {key}": value for key, value in ratios.items()}}.items():
        table.add_row(key, f"{value:,.3f}" if isinstance(value, float) else str(value))
    Console().print(table)
    result = {
        "name": name,
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
        "sizes": sizes,
        "figures": figures,
        "ratios": ratios,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return path
