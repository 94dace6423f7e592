"""docs/tutorial/add-a-fifth-system.md, read: its files and commands as they stand on the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from warehouse.paths import CONTRACTS_DIR, PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "tutorial" / "add-a-fifth-system.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line[2:] for kind, text in BLOCKS if kind == "console" for line in text.splitlines() if line[:2] == "$ "]


def block(kind: str) -> str:
    """The page's one block of that kind."""
    (text,) = (text for found, text in BLOCKS if found == kind)
    return text


def checkout(folder: Path) -> dict[str, str]:
    """A reader's directory after steps 1, 2 and 4: the drop, and the contract beside the other four.

    Returns:
        The environment in which a hub finds both.
    """
    contracts = shutil.copytree(CONTRACTS_DIR, folder / "connectors" / "contracts")
    (contracts / "fire_inspections.yaml").write_text(block("yaml"), "utf-8")
    make_folder, write_manifest = (text for kind, text in BLOCKS if kind == "sh")
    subprocess.run(["bash", "-euc", make_folder], cwd=folder, check=True)
    (folder / "drops" / "fire_inspections" / "2026-06-30" / "inspections.csv").write_text(block("csv"), "utf-8")
    subprocess.run(["bash", "-euc", write_manifest], cwd=folder, check=True)
    return {
        "CITYHUB_CONTRACTS_DIR": str(contracts),
        "CITYHUB_SOURCE_FIRE_INSPECTIONS_URL": str(folder / "drops" / "fire_inspections"),
    }
