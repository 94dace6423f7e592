"""Chooses the transport a contract names. Each is imported when it is needed: a command line that only lists sources
pays for none of the drivers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from connectors.contract import SystemContract
from connectors.transports.base import Transport
from warehouse.errors import ConfigurationError
from warehouse.settings import Settings

EXAMPLES = {
    "sql": "postgresql+psycopg://user:password@host/database",
    "rest": "https://host/base",
    "files": "/srv/drops or sftp://user@host/drops",
}


def open_transport(settings: Settings, contract: SystemContract, taken: Collection[date] = ()) -> Transport:
    """The transport to a system. Opens no connection yet.

    `taken`: of a file source, the drops that the append table to be pulled has taken before.

    Raises:
        ConfigurationError: the system's address is not set or cannot be read.
    """
    url = settings.source_url(contract.system)
    variable = f"CITYHUB_SOURCE_{contract.system.upper()}_URL"
    if url is None:
        raise ConfigurationError(
            f"The address of the system {contract.system} is not set.",
            where=f"environment variable {variable}",
            expected=EXAMPLES[contract.transport],
            do=f"set {variable}",
        )
    if contract.transport == "sql":
        from connectors.transports.sql import SqlTransport

        return SqlTransport(url, contract)
    if contract.transport == "rest":
        from connectors.transports.rest import RestTransport

        return RestTransport(
            url, contract, settings.source_key_id(contract.system), settings.source_secret(contract.system)
        )
    from connectors.transports.files import FileTransport
    from connectors.transports.login import Login

    login = Login(
        contract.system,
        settings.source_secret(contract.system),
        settings.source_file(contract.system, "KEY_FILE"),
        settings.source_file(contract.system, "KNOWN_HOSTS"),
    )
    return FileTransport(url, contract, login, taken)
