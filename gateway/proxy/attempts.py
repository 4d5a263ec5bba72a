"""On which endpoints has this request been tried, which tries are under way, and what has the book learnt from them?"""

from __future__ import annotations

from gateway.core import outcomes
from gateway.core.book import EndpointBook
from gateway.core.gate import Endpoint
from gateway.core.outcomes import Try
from gateway.errors import UpstreamError
from gateway.proxy.roles import Upstream
from gateway.proxy.tracing import Trace


class Attempts:
    """One request's. More than one is under way only when it is hedged."""

    __slots__ = ("_book", "_tries", "count", "failures", "running", "trace", "tried")

    def __init__(self, book: EndpointBook, trace: Trace | None = None) -> None:
        self._book = book
        self.trace = trace
        """Of a request that is recorded."""
        self._tries: dict[str, Try] = {}
        self.count = 0
        self.failures: list[tuple[str, str]] = []
        """(endpoint id, what happened) of each that failed."""
        self.running: dict[str, Upstream | None] = {}
        """By endpoint id; None while there is no connection yet."""
        self.tried: set[str] = set()

    def begin(self, endpoint: Endpoint, *, now: float) -> None:
        self.count += 1
        self.tried.add(endpoint.id)
        self.running[endpoint.id] = None
        self._tries[endpoint.id] = outcomes.begin(self._book, endpoint, now)
        if self.trace is not None:
            self.trace.began(endpoint)

    def answered(self, endpoint_id: str, status: int, *, now: float) -> None:
        """The head of its answer is here: that is what its endpoint is judged by."""
        outcomes.answered(self._book, self._tries[endpoint_id], status, now)
        if self.trace is not None:
            self.trace.answered(endpoint_id, status)

    def took_s(self, endpoint_id: str, *, now: float) -> float:
        """Since the attempt there began."""
        return now - self._tries[endpoint_id].began_at

    def end(self, endpoint_id: str) -> None:
        """It is over, well or of no more interest."""
        if endpoint_id in self.running:
            del self.running[endpoint_id]
            attempt = self._tries[endpoint_id]
            attempt.load.in_flight -= 1
            if not attempt.is_judged:
                outcomes.abandoned(attempt)
            if self.trace is not None:
                self.trace.ended(endpoint_id)

    def fail(self, endpoint_id: str, error: UpstreamError, *, now: float) -> None:
        """It is over, and the endpoint is to blame."""
        attempt = self._tries[endpoint_id]
        outcomes.failed(self._book, attempt, error, now)
        if self.trace is not None:
            self.trace.failed(endpoint_id, error)
        self.end(endpoint_id)
        self.failures.append((endpoint_id, error.detail))

    def drop_all_but(self, winner: str | None) -> None:
        """Cancel what is under way elsewhere; a connection that is still being made closes once it is there."""
        for endpoint_id in [name for name in self.running if name != winner]:
            connection = self.running[endpoint_id]
            self.end(endpoint_id)
            if connection is not None:
                connection.close()
