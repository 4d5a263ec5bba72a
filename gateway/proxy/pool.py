"""Which open connection can take this request? The idle ones of each endpoint, last used first.

Last used first keeps few connections warm and lets the others grow old: an idle connection is closed after the
service's `timeouts.keep_alive`, by default before servers commonly close theirs (Node's and uvicorn's after 5 s),
because a request sent into a closing connection is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.core.bulkhead import Bulkhead
from gateway.core.gate import Endpoint
from gateway.proxy.roles import Upstream, Waiter

MAX_IDLE: Final = 1024
"""Of one endpoint: what a service may have open by default. Fewer, and every burst closes what the next one opens."""


class Pool:
    """Idle connections by endpoint id, and how many are open in all, by service."""

    def __init__(self, on_freed: Callable[[str], None] = lambda service: None) -> None:
        """`on_freed` is told a service, for which somebody waits, that has a connection more to give."""
        self._idle: dict[str, list[Upstream]] = {}
        self.open_by_service: dict[str, int] = {}
        self._bulkheads: dict[str, Bulkhead[Waiter]] = {}
        self._on_freed = on_freed

    def bulkhead(self, service: str) -> Bulkhead[Waiter]:
        """Where the service's connections are counted; without limits until somebody sets them."""
        bulkhead = self._bulkheads.get(service)
        if bulkhead is None:
            bulkhead = self._bulkheads[service] = Bulkhead()
        return bulkhead

    def forget(self, service: str) -> None:
        """A service that is not there any more, and of which nothing is open."""
        self._bulkheads.pop(service, None)

    def take(self, endpoint: Endpoint) -> Upstream | None:
        """An idle connection, no longer idle, whose TLS is what `endpoint` asks for in every respect."""
        idle = self._idle.get(endpoint.id)
        while idle:
            connection = idle.pop()
            self._taken(connection)
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
        service = connection.endpoint.service
        bulkhead = self.bulkhead(service)
        bulkhead.in_use -= 1
        bulkhead.idle += 1
        if bulkhead.pending:
            self._on_freed(service)
        return True

    def discard(self, connection: Upstream) -> None:
        """Forget a connection that closed while idle."""
        idle = self._idle.get(connection.endpoint.id)
        if idle is not None and connection in idle:
            idle.remove(connection)
            self._taken(connection)
            if not idle:
                del self._idle[connection.endpoint.id]

    def opened(self, service: str) -> None:
        self.open_by_service[service] = self.open_by_service.get(service, 0) + 1
        self.bulkhead(service).in_use += 1

    def closed(self, service: str) -> None:
        self.open_by_service[service] -= 1
        bulkhead = self.bulkhead(service)
        bulkhead.in_use -= 1
        if bulkhead.pending:
            self._on_freed(service)

    def make_room(self, service: str) -> None:
        """Close one idle connection, the one that has been idle longest at its endpoint: another is to be opened."""
        prefix = service + "/"
        for endpoint_id, idle in self._idle.items():
            if idle and endpoint_id.startswith(prefix):
                connection = idle.pop(0)
                self._taken(connection)
                connection.close()
                return

    def _taken(self, connection: Upstream) -> None:
        """It is not idle any more."""
        bulkhead = self.bulkhead(connection.endpoint.service)
        bulkhead.idle -= 1
        bulkhead.in_use += 1

    def close_endpoint(self, endpoint_id: str) -> None:
        """Close what is idle to an endpoint that no snapshot names any more."""
        for connection in self._idle.pop(endpoint_id, ()):
            self._taken(connection)
            connection.close()

    def close_all(self) -> None:
        """Close every idle connection."""
        for endpoint_id in list(self._idle):
            self.close_endpoint(endpoint_id)
