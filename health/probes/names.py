"""Where does a name point, without making the loop wait?

A configured IP address is used as it is. A name is looked up for every attempt, by the system's resolver on a few
threads of its own, so that a resolver that hangs holds up neither the loop nor anybody else's threads; an attempt that
gives up takes its question back if no thread has begun with it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

SocketAddress = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""Address family, and what `socket.connect` takes in it."""

LOOKUPS_AT_ONCE = 4


@lru_cache(maxsize=4096)
def literal_address(host: str, port: int) -> SocketAddress | None:
    """The address that `host` is, None when it is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return socket.AF_INET, (host, port)
    zone = address.scope_id
    scope = 0 if zone is None else int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    return socket.AF_INET6, (str(address).partition("%")[0], port, 0, scope)


class Names:
    """Looks names up on threads. `close` lets go of them; a lookup that hangs ends with the process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="probe-names")

    def lookup(self, host: str, port: int) -> asyncio.Future[list[SocketAddress]]:
        """All addresses in the resolver's order. The future fails with OSError when there are none."""
        return self._loop.run_in_executor(self._threads, _resolve, host, port)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _resolve(host: str, port: int) -> list[SocketAddress]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # The resolver's sockaddr of these two families is what connect takes; the stubs also allow for others.
    return [
        (family, address)  # type: ignore[misc]
        for family, _, _, _, address in found
        if family in (socket.AF_INET, socket.AF_INET6)
    ]
