"""The Dagster code location: `dagster dev -m orchestration.definitions`."""

from __future__ import annotations

import sys
from importlib.metadata import version

import dagster as dg
from dagster_dbt import DbtCliResource
from packaging.version import Version

from orchestration.dbt_assets import build_dbt_assets
from orchestration.raw_assets import build_raw_assets
from orchestration.run_config import HubConfig
from orchestration.schedules import build_jobs, build_schedules
from orchestration.sensors import build_sensors
from orchestration.subject_assets import build_release_asset, current_links
from sharing.release import RELEASED_TABLES
from warehouse.paths import DBT_PROJECT_DIR


class OwnDbt(DbtCliResource):
    """dbt of this environment. dagster-dbt asks the executable for its version before every call, 2 s each time; here
    it is the package's."""

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))


def build_definitions() -> dg.Definitions:
    """Everything: raw assets from contracts, dbt, identity, release, the jobs, their schedules and the sensor."""
    released = [dg.AssetKey([table.built_schema, table.name]) for table in RELEASED_TABLES]
    jobs = build_jobs()
    return dg.Definitions(
        assets=[*build_raw_assets(), *build_dbt_assets(), current_links, build_release_asset(released)],
        jobs=list(jobs.values()),
        schedules=build_schedules(jobs),
        sensors=build_sensors(jobs),
        resources={
            "dbt": OwnDbt(
                project_dir=str(DBT_PROJECT_DIR),
                profiles_dir=str(DBT_PROJECT_DIR),
                # The flags come first: python -P -m orchestration.terse_dbt build …
                # -P, because dbt starts in its project, which is no place to import from.
                dbt_executable=sys.executable,
                global_config_flags=["-P", "-m", "orchestration.terse_dbt"],
            ),
            "hub": HubConfig(),
        },
    )


defs = build_definitions()
