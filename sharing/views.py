"""The readers' views over the current release, with personal columns masked as the dbt models say.

A view is made again only when its definition changes; the grant, the comments and the owner come with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from sharing.history import Column, Connection, quote
from sharing.tables import RELEASED_TABLES, ReleasedTable
from warehouse.errors import ConfigurationError, ContractError

Masks = Mapping[str, Mapping[str, str]]

# Each is a function `shared.mask_<kind>` over columns of this type.
MASK_KINDS = {
    "name": "text",
    "citizen_no": "text",
    "phone": "text",
    "address": "text",
    "birth_on": "date",
    "year": "date",
    "care_band": "integer",
    "hidden": "text",
}
# `year where event_kind = 'died'` masks the column in these rows only; the condition is the dbt model's own SQL.
WHERE = " where "

_TABLE_COMMENT = "select obj_description(to_regclass(%s))"


def masks_from_manifest(path: Path) -> dict[str, dict[str, str]]:
    """Which columns of each released table are masked, and how, from dbt's manifest (`meta.mask` of a column).

    Raises:
        ConfigurationError: the manifest cannot be read or lacks a released table.
    """
    try:
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            "The dbt manifest cannot be read.",
            where=f"{path} ({type(error).__name__})",
            expected="the manifest.json that `dbt parse` writes",
            do="parse the dbt project again",
        ) from None
    models = {node["name"]: node for node in nodes.values() if node["resource_type"] == "model"}
    if missing := [table.name for table in RELEASED_TABLES if table.name not in models]:
        raise ConfigurationError(
            f"The dbt project lacks released tables: {', '.join(missing)}.",
            where=str(path),
            expected="a model for every table of sharing.tables",
            do="add the model, or take the table out of the release",
        )
    masks: dict[str, dict[str, str]] = {table.name: {} for table in RELEASED_TABLES}
    for name, columns in masks.items():
        for column, properties in models[name]["columns"].items():
            meta = {**properties.get("meta", {}), **properties.get("config", {}).get("meta", {})}
            if "mask" in meta:
                columns[column] = meta["mask"]
    return masks


def view_select(table: ReleasedTable, built: list[Column], masks: Mapping[str, str]) -> str:
    """The query of a readers' view.

    Raises:
        ContractError: a mask is unknown, or does not fit a column of the table: a slip here would show what it hides.
    """
    types = {column.name: column.pg_type for column in built}
    for name, mask in masks.items():
        kind = mask.partition(WHERE)[0]
        if kind not in MASK_KINDS or types.get(name) != MASK_KINDS[kind]:
            raise ContractError(
                f"A mask cannot be applied: {kind}.",
                where=f"{table.built}.{name}",
                expected=f"one of {', '.join(MASK_KINDS)} on a column of its type",
                do="correct meta.mask of the dbt model",
            )
    columns = [masked(column.name, masks.get(column.name)) for column in built]
    return f"select {', '.join(columns)} from {table.history} where _to_release is null"


def masked(name: str, mask: str | None) -> str:
    """A column as readers see it, under its own name."""
    if mask is None:
        return quote(name)
    kind, _, condition = mask.partition(WHERE)
    shown = f"shared.mask_{kind}({quote(name)})"
    if condition:
        # A row of which nobody knows whether the condition holds stays masked.
        shown = f"case when ({condition}) is false then {quote(name)} else {shown} end"
    return f"{shown} as {quote(name)}"


class View:
    """A readers' view as it should be.

    Args:
        name: schema and name.
        select: its query.
        comment: what it is, in both languages.
        comments: the same of each column.
    """

    def __init__(self, name: str, select: str, comment: str | None, comments: Mapping[str, str | None]):
        self._name = name
        said = [f"comment on view {name} is {_literal(comment)}"]
        said += [f"comment on column {name}.{quote(column)} is {_literal(text)}" for column, text in comments.items()]
        self._create = f"create or replace view {name} as {select}"
        self._rest = [*said, f"grant select on {name} to cityhub_reader, cityhub_pipeline"]
        self.digest = hashlib.sha256("\n".join([self._create, *self._rest]).encode()).hexdigest()

    def stands(self, connection: Connection) -> bool:
        """Whether the view is there, exactly so."""
        row = connection.execute(
            "select to_regclass(%s) is not null and exists"
            " (select 1 from release.views where view_name = %s and definition = %s)",
            [self._name, self._name, self.digest],
        ).fetchone()
        return row is not None and bool(row[0])

    def make(self, connection: Connection) -> None:
        """Create or replace it. Needs the owner role."""
        try:
            with connection.transaction():
                connection.execute(self._create.encode())
        except psycopg.errors.InvalidTableDefinition:
            # Postgres replaces a view in place only when columns are added at its end.
            connection.execute(f"drop view {self._name}".encode())
            connection.execute(self._create.encode())
        for statement in self._rest:
            connection.execute(statement.encode())
        connection.execute(
            "insert into release.views (view_name, definition) values (%s, %s)"
            " on conflict (view_name) do update set definition = excluded.definition",
            [self._name, self.digest],
        )


def table_view(table: ReleasedTable, built: list[Column], masks: Mapping[str, str], comment: str | None) -> View:
    """The view of one released table; `comment` is that of the built table."""
    select = view_select(table, built, masks)
    return View(table.view, select, comment, {column.name: column.comment for column in built})


def table_comment(connection: Connection, table: ReleasedTable) -> str | None:
    """The comment that dbt wrote on the built table."""
    row = connection.execute(_TABLE_COMMENT, [table.built]).fetchone()
    comment: Any = row[0] if row else None
    return None if comment is None else str(comment)


def _literal(text: str | None) -> str:
    return "null" if text is None else "'" + text.replace("'", "''") + "'"
