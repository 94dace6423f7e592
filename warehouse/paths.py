"""Where the project's own files are. Nothing here depends on the environment or on a home directory."""

from __future__ import annotations

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"
CONTRACTS_DIR = PROJECT_ROOT / "connectors" / "contracts"
MIGRATIONS_DIR = PROJECT_ROOT / "warehouse" / "migrations"
