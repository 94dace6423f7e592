"""What a run may be told, as Dagster's launchpad and `cityhub run` hand it over. Nothing is decided here."""

from datetime import date
from typing import Literal, get_args

import dagster as dg

from connectors.contract import TableContract
from connectors.landing import Allowance
from orchestration.hub import default_business_date, hub_contracts
from warehouse.errors import ConfigurationError

Sweep = Literal["due", "all", "none"]


class HubConfig(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What a run may be given.

    Attributes:
        business_date: the day the scorecards speak of, YYYY-MM-DD; empty: see `default_business_date`.
        sweep: which incremental tables are pulled whole: those that are `due`, `all` of them, or `none`.
        allow_shrink: tables (`system.table`) that may mark more rows deleted than their contract allows, this once.
        whole: build every table whole, though only what was touched would have to be restated.
        allowed_by, why: who lets them, and why; both go on record.
    """

    business_date: str = ""
    sweep: str = "due"
    whole: bool = False
    allow_shrink: list[str] = []  # noqa: RUF012 - a pydantic field, copied for each resource
    allowed_by: str = ""
    why: str = ""

    @property
    def day(self) -> date:
        """The business date of the run."""
        return date.fromisoformat(self.business_date) if self.business_date else default_business_date()

    def is_forced(self, table: TableContract) -> bool:
        """Whether the table is pulled whole though it need not be."""
        return self.sweep == "all" and table.load_mode == "incremental"

    def sweep_day(self) -> date | None:
        """The day that decides which sweeps are due; None: none is."""
        return None if self.sweep == "none" else self.day

    def allowance(self, table: TableContract) -> Allowance | None:
        """Leave for this table to shrink beyond its contract, if it was given."""
        named = f"{table.system}.{table.name}" in self.allow_shrink
        return Allowance(self.allowed_by, self.why) if named else None

    def require_sound(self) -> None:
        """See that what was asked for can be done.

        Raises:
            ConfigurationError: a table is unknown, or leave was given without a name or a reason.
        """
        known = [f"{table.system}.{table.name}" for contract in hub_contracts().values() for table in contract.tables]
        if unknown := [name for name in self.allow_shrink if name not in known]:
            raise ConfigurationError(
                f"There is no table {', '.join(unknown)}.",
                where="option --allow-shrink, or allow_shrink of the resource hub",
                expected="SYSTEM.TABLE of a contract, as `cityhub status` lists them",
                do="correct the name",
            )
        if self.allow_shrink and not (self.allowed_by.strip() and self.why.strip()):
            raise ConfigurationError(
                "Leave to shrink a table needs a name and a reason.",
                where="options --by and --why, or allowed_by and why of the resource hub",
                expected="who lets so many rows go, and why, in words",
                do="say both; the record keeps them",
            )
        if self.sweep not in get_args(Sweep):
            raise ConfigurationError(
                f"Unknown kind of sweep {self.sweep!r}.",
                where="sweep of the resource hub",
                expected=" | ".join(get_args(Sweep)),
                do="correct it",
            )
