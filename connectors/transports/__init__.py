"""How records are fetched: SQL databases, paged signed REST, dropped files. Nothing here judges or lands a row."""

from __future__ import annotations

from connectors.transports.base import Pull, Transport
from connectors.transports.opening import open_transport

__all__ = ["Pull", "Transport", "open_transport"]
