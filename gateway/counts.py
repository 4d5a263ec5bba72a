"""What a data plane counts, until the control process fetches it.

Keys are bounded: routes and regions are configured, statuses and reasons are ours.
"""

from __future__ import annotations

from bisect import bisect_left

from gateway.core.book import EndpointBook
from gateway.messages import DURATION_BUCKETS_S, EndpointCount, RouteCount


class _Tally:
    __slots__ = ("buckets", "count", "total_s")

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self.buckets = [0] * (len(DURATION_BUCKETS_S) + 1)


class Counts:
    """Requests that ended since the last report, by route, region, status and reason."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str, int, str], _Tally] = {}
        self._reported: dict[str, tuple[int, int, int, int, int]] = {}

    def add(self, route: str, region: str, status: int, reason: str, duration_s: float) -> None:
        key = (route, region, status, reason)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally()
        tally.count += 1
        tally.total_s += duration_s
        tally.buckets[bisect_left(DURATION_BUCKETS_S, duration_s)] += 1

    def take_routes(self) -> list[RouteCount]:
        """What was counted since the last call."""
        tallies, self._tallies = self._tallies, {}
        return [
            RouteCount(*key, count=tally.count, total_s=tally.total_s, buckets=tally.buckets)
            for key, tally in tallies.items()
        ]

    def take_endpoints(self, book: EndpointBook, now: float) -> list[EndpointCount]:
        """What the book learnt since the last call; endpoints that nothing happened to are left out."""
        counts = []
        held = {over.endpoint.id: over for known in book.standings.values() for over in known.held_back}
        starting = {name: share for known in book.standings.values() for name, share in known.starting}
        for endpoint_id, load in book.loads.items():
            totals = (load.attempts, load.connect_failures, load.failures, load.answers, load.errors)
            before = self._reported.get(endpoint_id, (0, 0, 0, 0, 0))
            over = held.get(endpoint_id)
            if totals != before or load.in_flight or over is not None or endpoint_id in starting:
                counts.append(
                    EndpointCount(
                        endpoint=endpoint_id,
                        attempts=totals[0] - before[0],
                        connect_failures=totals[1] - before[1],
                        failures=totals[2] - before[2],
                        in_flight=load.in_flight,
                        streams=load.streams,
                        answers=totals[3] - before[3],
                        errors=totals[4] - before[4],
                        held=over.reason if over is not None else "",
                        held_s=book.held_s(load, endpoint_id, now) if over is not None else 0.0,
                        share=starting.get(endpoint_id, 1.0),
                    )
                )
                self._reported[endpoint_id] = totals
        return counts

    def forget(self, endpoint_ids: list[str]) -> None:
        """Endpoints that the book has struck out."""
        for endpoint_id in endpoint_ids:
            self._reported.pop(endpoint_id, None)
