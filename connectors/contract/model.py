"""What a contract says, as plain frozen data: the form every other room works with.

Reading and validating the files belongs in `reader`, SQL in `ddl`, row checks in `connectors.checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Literal

from warehouse.errors import ContractError

Transport = Literal["sql", "rest", "files"]
Paging = Literal["page", "cursor", "link"]
LoadMode = Literal["snapshot", "incremental", "append"]
Severity = Literal["reject", "warn"]
Classification = Literal["public", "internal", "personal", "sensitive"]
Mask = Literal["name", "citizen_no", "phone", "address"]
Identifier = Literal["citizen_no", "uscc"]
RuleKind = Literal[
    "type",
    "required",
    "enum",
    "pattern",
    "range",
    "unique_key",
    "reference",
    "expression",
    "identifier",
    "missing_share",
]

# So many rows may be refused, or be gone from a snapshot, whatever their share: in a table of 12 rows one bad row is
# already 8 %, and holding a whole system for it helps nobody.
FREE_ROWS = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise about the rows of a table.

    `params` by kind: type `{"pg_type"}`; enum `{"values"}`; pattern `{"pattern"}`; range `{"minimum", "maximum"}`
    (either may be None); unique_key `{"columns"}`; reference `{"target"}` or `{"code_list", "values"}`; expression
    `{"left", "operator", "right"}` or `{…, "value"}`; identifier `{"kind"}`; missing_share `{"max_share"}` (0–1).
    A reference with a `target` and a missing_share speak of whole tables: the admission suite and dbt test them, the
    row checks do not.
    """

    name: str
    kind: RuleKind
    severity: Severity
    column: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class ColumnContract:
    """One column. `zh` is its Chinese name, `en` the English description."""

    name: str
    pg_type: str
    required: bool
    zh: str
    en: str
    classification: Classification
    mask: Mask | None = None
    identifier: Identifier | None = None
    enum: tuple[str, ...] | None = None
    pattern: str | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    reference: str | None = None
    code_list: str | None = None
    rules: tuple[Rule, ...] = ()

    @property
    def is_personal(self) -> bool:
        """Whether the values must stay out of logs, check results and windows that do not grant them."""
        return self.classification in ("personal", "sensitive")

    @property
    def helper_columns(self) -> tuple[str, ...]:
        """Columns the landing derives: token or normalised code, and grade."""
        return (f"_{self.name}_key", f"_{self.name}_grade") if self.identifier else ()


@dataclass(frozen=True, slots=True)
class TableContract:
    """One source table. `rules` are those of the table; `all_rules` adds those of its columns."""

    system: str
    name: str
    version: str
    zh: str
    en: str
    load_mode: LoadMode
    columns: tuple[ColumnContract, ...]
    key: tuple[str, ...]
    cursor: str | None
    source_name: str
    source_format: str | None
    encoding: str | None
    rules: tuple[Rule, ...]
    volume_min: int
    volume_max: int
    shrink_max_share: float
    reject_max_share: float
    freshness_hours: int
    overlap_minutes: int
    as_of_column: str | None
    timezone: str
    raw_schema: str
    needs_manifest: bool = True
    sweep_every_days: int | None = None
    is_ordered: bool = False

    @property
    def qualified_name(self) -> str:
        """`raw_<system>.<table>`, the table the rows land in."""
        return f"{self.raw_schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the contract's columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """Every rule of the table, the columns' first."""
        return tuple(rule for column in self.columns for rule in column.rules) + self.rules

    def column(self, name: str) -> ColumnContract:
        """The column of that name.

        Raises:
            ContractError: the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(
            "A column is not in the contract.",
            where=f"{self.system}.{self.name}.{name}",
            expected=f"one of {', '.join(self.column_names)}",
            do="correct the name or add the column to the contract",
        )

    def allowed_rejects(self, read: int) -> int:
        """How many of `read` rows may be refused before the batch is held."""
        return max(FREE_ROWS, floor(read * self.reject_max_share))

    def allowed_shrink(self, before: int) -> int:
        """By how many rows a snapshot may be smaller than the `before` rows it replaces."""
        return max(FREE_ROWS, floor(before * self.shrink_max_share))


@dataclass(frozen=True)
class Access:
    """How a source may be read, so that a pull never hurts it.

    Attributes:
        statement_timeout_seconds: after how long a SQL source ends a statement of ours.
        rows_per_second: how many rows a second a pull takes at most; None: as many as the source gives.
        paging: how a REST source leads from one page to the next.
        page_size: how many rows a REST source is asked for at once.
    """

    statement_timeout_seconds: int = 3600
    rows_per_second: int | None = None
    paging: Paging = "page"
    page_size: int = 500


@dataclass(frozen=True, slots=True)
class SystemContract:
    """One source system with its tables, in the order of its file."""

    system: str
    version: str
    zh: str
    en: str
    owner_department: str
    transport: Transport
    timezone: str
    tables: tuple[TableContract, ...]
    access: Access = Access()

    @property
    def raw_schema(self) -> str:
        """Schema the system's tables land in."""
        return f"raw_{self.system}"

    def table(self, name: str) -> TableContract:
        """The table of that name.

        Raises:
            ContractError: the system has no such table.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise ContractError(
            "A table is not in the contract.",
            where=f"{self.system}.{name}",
            expected=f"one of {', '.join(table.name for table in self.tables)}",
            do="correct the name or add the table to the contract",
        )
