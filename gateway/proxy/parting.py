"""How does a connection with a client end, beside a plain close?

    reset        nothing else tells an answer's end, and a close would look like it (docs/decisions/0015)
    end_sending  the client may still be sending: closing now would reset the connection and destroy our answer

Whoever is parted from so goes on for `LINGER_S` and `LINGER_BYTES` at most.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

LINGER_S: Final = 2.0
"""How long a refused sender may go on before the connection is cut: closing at once would reset our answer away."""
LINGER_BYTES: Final = 1024 * 1024
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that turns a close into RST."""


def reset(transport: asyncio.Transport) -> None:
    """At once: what was sent so far must not look complete."""
    sock = transport.get_extra_info("socket")
    if sock is not None and not transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


def end_sending(transport: asyncio.Transport) -> None:
    """Close our half where there are halves: TLS has none."""
    if transport.can_write_eof():
        transport.write_eof()
    else:
        transport.close()
