"""What a published build of the marts may have changed, so that publishing costs by change too (law 6).

The rows an increment deletes and inserts are named by one condition per model, its `incremental_predicates`. Outside it
the built table is what its base was, and so is the current release as long as it is the one published from that base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sharing.history import Connection, Extent

_RELEASED = """
select r.tables
from ops.mart_builds as build
inner join ops.mart_builds as base on build.base_id = base.build_id
inner join release.pointer as p on base.release_id = p.release_id
inner join release.releases as r on p.release_id = r.release_id
where build.build_id = %s
"""


@dataclass(frozen=True)
class MartIncrement:
    """A build of the marts on its way to the readers.

    Attributes:
        build_id: its number in `ops.mart_builds`.
        conditions: per table the rows that an increment may change (`conditions_from_manifest`).
    """

    build_id: int
    conditions: Mapping[str, str]


def conditions_from_manifest(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Per incremental model of the dbt project the rows that a build may change."""
    return {
        node["name"]: " and ".join(f"({condition})" for condition in node["config"]["incremental_predicates"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"].get("incremental_predicates")
    }


def touched_rows(connection: Connection, build: MartIncrement | None) -> dict[str, Extent]:
    """Of each table the rows that may differ from the current release; of a table that is not named, all may."""
    row = None if build is None else connection.execute(_RELEASED, [build.build_id]).fetchone()
    if build is None or row is None:
        return {}
    return {
        name: Extent(build.conditions[name], counts["rows"])
        for name, counts in row[0].items()
        if name in build.conditions
    }


def note_published(connection: Connection, build: MartIncrement | None, release_id: int) -> None:
    """From now on builds may add to this one, in the transaction that shows it to readers."""
    if build is not None:
        connection.execute(
            "update ops.mart_builds set published_at = clock_timestamp(), release_id = %s where build_id = %s",
            [release_id, build.build_id],
        )
