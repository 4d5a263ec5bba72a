"""Which open connection can take this request? The idle ones of each endpoint, last used first.

Last used first keeps few connections warm and lets the others grow old: an idle connection is closed before servers
commonly close theirs, because a request sent into a closing connection is lost.
"""

from __future__ import annotations

from typing import Final

from gateway.core.gate import Endpoint
from gateway.proxy.roles import Upstream

IDLE_S: Final = 4.0
"""Node's and uvicorn's servers close an idle connection after 5 s; ours goes first."""
MAX_IDLE: Final = 1024
"""Of one endpoint: what a service may have open by default. Fewer, and every burst closes what the next one opens."""


class Pool:
    """Idle connections by endpoint id, and how many are open in all, by service."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Upstream]] = {}
        self.open_by_service: dict[str, int] = {}

    def take(self, endpoint: Endpoint) -> Upstream | None:
        """An idle connection, no longer idle, whose TLS is what `endpoint` asks for in every respect."""
        idle = self._idle.get(endpoint.id)
        while idle:
            connection = idle.pop()
            if connection.endpoint.tls is endpoint.tls:
                return connection
            connection.close()  # made with a name, authority or certificate of before
        return None

    def put(self, connection: Upstream) -> bool:
        """Keep a connection that is ready for another request; False when there are enough."""
        idle = self._idle.setdefault(connection.endpoint.id, [])
        if len(idle) >= MAX_IDLE:
            return False
        idle.append(connection)
        return True

    def discard(self, connection: Upstream) -> None:
        """Forget a connection that closed while idle."""
        idle = self._idle.get(connection.endpoint.id)
        if idle is not None and connection in idle:
            idle.remove(connection)
            if not idle:
                del self._idle[connection.endpoint.id]

    def opened(self, service: str) -> None:
        self.open_by_service[service] = self.open_by_service.get(service, 0) + 1

    def closed(self, service: str) -> None:
        self.open_by_service[service] -= 1

    def close_endpoint(self, endpoint_id: str) -> None:
        """Close what is idle to an endpoint that no snapshot names any more."""
        for connection in self._idle.pop(endpoint_id, ()):
            connection.close()

    def close_all(self) -> None:
        """Close every idle connection."""
        for endpoint_id in list(self._idle):
            self.close_endpoint(endpoint_id)
