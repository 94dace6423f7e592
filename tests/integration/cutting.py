"""A line that breaks: a TCP proxy that closes it, for good, once so many bytes came from the other side."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Line:
    """Leads to a server by address or Unix socket; `limit` is the number of bytes the server may send through."""

    def __init__(self, target: tuple[str, int] | str) -> None:
        self.target = target
        self.limit: int | None = None
        self.passed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def repair(self) -> None:
        """Let everything pass from now on."""
        self.limit = None

    def close(self) -> None:
        """End the line."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_cut():
                    client.close()
                    continue
                family = socket.AF_UNIX if isinstance(self.target, str) else socket.AF_INET
                server = socket.socket(family)
                server.connect(self.target)
                for source, sink, counted in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass, args=(source, sink, counted), daemon=True).start()

    def _is_cut(self) -> bool:
        return self.limit is not None and self.passed >= self.limit

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                if counted:
                    self.passed += len(data)
                    if self._is_cut():
                        break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
