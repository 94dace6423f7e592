"""The release suites against what dbt builds and what is released."""

from __future__ import annotations

import yaml

from expectations.suites import SUITES, shrink_guard
from sharing.release import RELEASED_TABLES
from warehouse.paths import DBT_PROJECT_DIR


def test_every_released_table_has_a_suite_over_columns_that_dbt_builds() -> None:
    assert set(SUITES) == {table.built for table in RELEASED_TABLES}
    for schema in ("subjects", "scoring"):
        for path in (DBT_PROJECT_DIR / "models" / schema).glob("*.yml"):
            [model] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
            columns = {column["name"] for column in model["columns"]}
            suite = SUITES[f"{schema}.{model['name']}"]
            assert len({check.name for check in suite}) == len(suite)
            for check in suite:
                used = {check.arguments.get(name) for name in ("column", "column_A", "column_B")} - {None}
                used |= set(check.arguments.get("column_list", ()))  # type: ignore[call-overload]
                assert used <= columns, (model["name"], check.name)


def test_the_shrink_guard_leaves_a_fifth_and_five_rows_free() -> None:
    assert shrink_guard(1000).arguments["min_value"] == 800
    assert shrink_guard(12).arguments["min_value"] == 7
    assert shrink_guard(3).arguments["min_value"] == 0
