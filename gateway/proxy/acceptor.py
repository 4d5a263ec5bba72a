"""Who accepts from this socket: the event loop for a plain listener, a `TlsServer` for one with TLS.

A reload may turn one into the other. Both then share the kernel's queue for a moment, each with a duplicate of the
descriptor, so that no connection is refused meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from gateway.proxy.client import ClientConnection
from gateway.tls.accepting import TlsServer

if TYPE_CHECKING:
    from gateway.proxy.listening import ListenerSettings
    from gateway.proxy.ports import Runtime

BACKLOG: Final = 4096
"""The loop calls listen(2) again on an inherited socket: its default of 100 would shrink the queue."""


class Acceptor:
    """Accepts from one listening socket, which becomes its own."""

    def __init__(self, runtime: Runtime, settings: ListenerSettings, sock: socket.socket) -> None:
        self.settings = settings
        self._runtime = runtime
        self._sock = sock
        self._server: asyncio.Server | TlsServer | None = None
        self._is_closed = False

    def fits(self) -> bool:
        """Whether it accepts as the settings say now."""
        return (self.settings.tls is not None) == isinstance(self._server, TlsServer)

    async def open(self) -> None:
        """Accept as the settings say now."""
        before, runtime, settings = self._server, self._runtime, self.settings
        duplicate = self._sock.dup()
        if settings.tls is not None:
            self._server = TlsServer(runtime, settings, duplicate)
        else:
            self._server = await runtime.loop.create_server(
                lambda: ClientConnection(runtime, settings), sock=duplicate, backlog=BACKLOG
            )
        if before is not None:
            before.close()
        if self._is_closed:
            self._server.close()

    def close(self) -> None:
        """Accept no more from it; connections accepted before go on."""
        self._is_closed = True
        if self._server is not None:
            self._server.close()
        self._sock.close()
