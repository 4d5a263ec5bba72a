"""The loop that tests run on: asyncio's, which closes what it accepts for a server that has just been closed.

CPython's own leaves such a connection open until it is collected, in some later test, which is then told of it
(https://github.com/python/cpython/issues/109564): accepting takes two turns, and a server may be closed between them.
Probes come at any time, so that happens to one in some hundred tests whose servers are probed. uvloop accepts in one
turn.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    async def _accept_connection2(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        conn: socket.socket,
        extra: dict[str, Any],
        sslcontext: Any,
        server: asyncio.Server | None,
        *timeouts: float,
    ) -> None:
        if server is not None and not server.sockets:
            conn.close()
            return
        await super()._accept_connection2(protocol_factory, conn, extra, sslcontext, server, *timeouts)  # type: ignore[misc]
