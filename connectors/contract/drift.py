"""What stands between a raw table and its contract: each difference, whether raw can follow by itself, and why.

Only shapes are compared here; `connectors.landing.ensure` reads them from the catalogue and migrates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.contract.ddl import BOOKKEEPING, typed_columns
from connectors.contract.model import ColumnContract, TableContract

Change = Literal["table", "column", "type", "required", "key"]
Verdict = Literal["create", "migrate", "replace", "refuse"]

# Views here are dbt's, which builds them anew in every run; a view elsewhere is a person's and is not touched.
STAGING = "staging"
# Raw tables whose comment names no version were made before versions were noted there.
FIRST_VERSION = "1.0.0"
_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")


@dataclass(frozen=True)
class RawColumn:
    """A column as the catalogue has it; `readers` are the views that read it, as `schema.view`."""

    pg_type: str
    required: bool
    readers: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawShape:
    """A raw table as the catalogue has it; `version` is that of the contract it was made under."""

    columns: Mapping[str, RawColumn]
    key: tuple[str, ...]
    version: str = FIRST_VERSION


@dataclass(frozen=True)
class Difference:
    """One difference. `is_safe`: raw can follow without losing or altering a value, so the next run does it."""

    change: Change
    column: str | None
    raw: str
    contract: str
    is_safe: bool
    why: str

    def __str__(self) -> str:
        return f"{self.column or self.change} is {self.raw}, the contract says {self.contract} ({self.why})"


@dataclass(frozen=True)
class Drift:
    """All differences of one table, and what the next run makes of them."""

    table: TableContract
    shape: RawShape | None
    differences: tuple[Difference, ...] = field(default=())

    @property
    def unsafe(self) -> tuple[Difference, ...]:
        """What raw cannot follow by itself."""
        return tuple(item for item in self.differences if not item.is_safe)

    @property
    def retyped(self) -> tuple[Difference, ...]:
        """Columns of another type."""
        return tuple(item for item in self.differences if item.change == "type")

    @property
    def readers(self) -> tuple[str, ...]:
        """Views that read a column of another type: it cannot change below them."""
        columns = {} if self.shape is None else self.shape.columns
        return tuple(sorted({view for item in self.retyped for view in columns[item.column or ""].readers}))

    @property
    def in_the_way(self) -> tuple[str, ...]:
        """Those of them that dbt will not build anew."""
        return foreign(self.readers)

    @property
    def verdict(self) -> Verdict:
        """create or migrate: the next run does it by itself; replace: the version's major part was raised, so the
        table is set aside and pulled anew; refuse: the next run refuses the table."""
        if self.shape is None:
            return "create"
        if not self.unsafe:
            return "refuse" if self.in_the_way else "migrate"
        return "replace" if major(self.table.version) > major(self.shape.version) else "refuse"

    @property
    def next_major(self) -> str:
        """The version that allows the unsafe differences."""
        made_under = FIRST_VERSION if self.shape is None else self.shape.version
        return f"{max(major(made_under), major(self.table.version)) + 1}.0.0"


def foreign(views: Iterable[str]) -> tuple[str, ...]:
    """The views that dbt does not build."""
    return tuple(sorted(view for view in views if view.partition(".")[0] != STAGING))


def major(version: str) -> int:
    """The part of a version that a break raises."""
    return int(version.partition(".")[0])


def compare(table: TableContract, shape: RawShape | None) -> Drift:
    """Every difference between a contract and its raw table."""
    if shape is None:
        why = "nothing of it was ever landed"
        return Drift(table, None, (Difference("table", None, "missing", table.qualified_name, True, why),))
    found: list[Difference] = []
    if shape.key != table.key:
        why = "rows are told apart by their key: under another key they are other rows"
        found.append(Difference("key", None, f"({', '.join(shape.key)})", f"({', '.join(table.key)})", False, why))
    own = {column.name: column for column in table.columns}
    for name, pg_type in typed_columns(table):
        found += _of_column(name, pg_type, own.get(name), shape.columns.get(name))
    known = {name for name, _ in (*typed_columns(table), *BOOKKEEPING)}
    for name in sorted(set(shape.columns) - known):
        why = "its values would stand still while their rows move on"
        found.append(Difference("column", name, shape.columns[name].pg_type, "missing", False, why))
    return Drift(table, shape, tuple(found))


def _of_column(name: str, pg_type: str, own: ColumnContract | None, raw: RawColumn | None) -> list[Difference]:
    required = own is not None and own.required
    if raw is None:
        why = "rows already landed have no value for it" if required else "rows already landed hold nothing there"
        return [Difference("column", name, "missing", pg_type + " required" * required, not required, why)]
    found = []
    if raw.pg_type != catalogue_type(pg_type):
        found.append(_of_type(name, raw, pg_type))
    if raw.required and not required:
        found.append(Difference("required", name, "required", "optional", True, "nothing already landed breaks it"))
    if required and not raw.required:
        why = "rows already landed may have no value for it"
        found.append(Difference("required", name, "optional", "required", False, why))
    return found


def _of_type(name: str, raw: RawColumn, wanted: str) -> Difference:
    is_safe, why = False, f"a value of {raw.pg_type} need not fit {wanted}"
    if _fits(raw.pg_type, wanted):
        is_safe, why = True, f"every value of {raw.pg_type} fits {wanted}"
    elif wanted == "text" and (raw.pg_type == "date" or _size(raw.pg_type)[0]):
        is_safe, why = not raw.readers, "every value has one text form, and no view reads the column as what it was"
        if raw.readers:
            why = f"{', '.join(raw.readers)} reads it as {raw.pg_type}"
    elif wanted == "text":
        why = f"the source's own text of a {raw.pg_type} is not known any more"
    return Difference("type", name, raw.pg_type, wanted, is_safe, why)


def _fits(narrow: str, wide: str) -> bool:
    whole, fraction = _size(narrow)
    whole_wide, fraction_wide = _size(wide)
    is_exact = wide in _DIGITS or whole_wide > 0
    return whole > 0 and is_exact and whole <= whole_wide and fraction <= fraction_wide


def _size(pg_type: str) -> tuple[int, int]:
    """Digits before and after the point that a number type holds; 0 before it for what is no number."""
    if found := _NUMERIC.fullmatch(pg_type):
        precision, scale = int(found[1]), int(found[2])
        return precision - scale, scale
    return _DIGITS.get(pg_type, 0), 0


def catalogue_type(pg_type: str) -> str:
    """A type as Postgres's catalogue spells it."""
    return "timestamp with time zone" if pg_type == "timestamptz" else pg_type
