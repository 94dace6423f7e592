"""How a source may be read: a contract server's custom properties, each known, in bounds, and of its transport."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from open_data_contract_standard.model import CustomProperty

from connectors.contract.fields import Place, chosen, custom_values
from connectors.contract.model import Access, Paging, Transport


@dataclass(frozen=True)
class _Known:
    kind: type
    transports: tuple[str, ...]
    bounds: tuple[int, int] | None = None


_EVERY = ("sql", "rest", "files")
# A budget below 100 rows a second could not be kept evenly (a tenth of it is asked for at a time), and would take 3
# hours for a million rows.
_PROPERTIES = {
    "transport": _Known(str, _EVERY),
    "statementTimeoutSeconds": _Known(int, ("sql",), (1, 86_400)),
    "rowsPerSecond": _Known(int, ("sql", "rest"), (100, 100_000_000)),
    "paging": _Known(str, ("rest",)),
    "pageSize": _Known(int, ("rest",), (1, 50_000)),
}


def map_access(items: Iterable[CustomProperty] | None, place: Place) -> tuple[Transport, Access]:
    """The transport of a server and how it may be used.

    Raises:
        ContractError: a property is unknown, out of bounds, or of another transport.
    """
    own = custom_values(items, {name: known.kind for name, known in _PROPERTIES.items()}, place)
    transport: Transport = chosen(own.get("transport"), Transport, place, "servers … transport")
    for name, value in own.items():
        _refuse_unfit(name, value, transport, place)
    paging: Paging = chosen(own.get("paging", "page"), Paging, place, "servers … paging")
    return transport, Access(
        statement_timeout_seconds=own.get("statementTimeoutSeconds", Access.statement_timeout_seconds),
        rows_per_second=own.get("rowsPerSecond"),
        paging=paging,
        page_size=own.get("pageSize", Access.page_size),
    )


def _refuse_unfit(name: str, value: Any, transport: Transport, place: Place) -> None:
    known = _PROPERTIES[name]
    if transport not in known.transports:
        raise place.error(
            f"{name} means nothing for transport {transport}.",
            at=f"servers … {name}",
            expected=f"transport {' or '.join(known.transports)}",
            do="remove it, or correct the transport",
        )
    if known.bounds is not None and not known.bounds[0] <= value <= known.bounds[1]:
        raise place.error(
            f"{name} is out of bounds: {value}.",
            at=f"servers … {name}",
            expected=f"a number from {known.bounds[0]:,} to {known.bounds[1]:,}",
            do="correct it",
        )
