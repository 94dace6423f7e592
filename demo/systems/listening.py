"""Loopback sockets for the demo's servers."""

from __future__ import annotations

import socket

from warehouse.errors import ConfigurationError

HOST = "127.0.0.1"


def bound_socket(port: int) -> socket.socket:
    """A socket bound to `port` on loopback (0: any free one).

    Raises:
        ConfigurationError: another process listens there.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise ConfigurationError(
            "The port for the demo's market supervision service is taken.",
            where=f"{HOST}:{port}",
            expected="a free port",
            do="stop the process that listens there, or choose another port (0: any free one)",
        ) from None
    return listener
