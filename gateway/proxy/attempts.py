"""On which endpoints has this request been tried, which tries are under way, and what has the book learnt from them?"""

from __future__ import annotations

from gateway.core.book import EndpointBook
from gateway.core.gate import Endpoint
from gateway.errors import ConnectFailed, UpstreamError
from gateway.proxy.roles import Upstream


class Attempts:
    """One request's. More than one is under way only when it is hedged."""

    __slots__ = ("_book", "count", "failures", "running", "tried")

    def __init__(self, book: EndpointBook) -> None:
        self._book = book
        self.count = 0
        self.failures: list[tuple[str, str]] = []
        """(endpoint id, what happened) of each that failed."""
        self.running: dict[str, Upstream | None] = {}
        """By endpoint id; None while there is no connection yet."""
        self.tried: set[str] = set()

    def begin(self, endpoint: Endpoint) -> None:
        self.count += 1
        self.tried.add(endpoint.id)
        self.running[endpoint.id] = None
        load = self._book.load(endpoint.id)
        load.attempts += 1
        load.in_flight += 1

    def end(self, endpoint_id: str) -> None:
        """It is over, well or of no more interest."""
        if endpoint_id in self.running:
            del self.running[endpoint_id]
            self._book.load(endpoint_id).in_flight -= 1

    def fail(self, endpoint_id: str, error: UpstreamError, *, now: float) -> None:
        """It is over, and the endpoint is to blame."""
        self.end(endpoint_id)
        self.failures.append((endpoint_id, error.detail))
        load = self._book.load(endpoint_id)
        load.last_failure_at = now
        if isinstance(error, ConnectFailed):
            load.connect_failures += 1
        else:
            load.failures += 1

    def drop_all_but(self, winner: str | None) -> None:
        """Cancel what is under way elsewhere; a connection that is still being made closes once it is there."""
        for endpoint_id in [name for name in self.running if name != winner]:
            connection = self.running[endpoint_id]
            self.end(endpoint_id)
            if connection is not None:
                connection.close()
