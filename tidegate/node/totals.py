"""What all data planes have counted since this process started: their reports, merged.

Counts arrive as differences, so a worker's death loses at most a second of them and never turns a counter back.
The number of series is bounded: beyond it, what is new goes to one series named `other`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.messages import DURATION_BUCKETS_S, EndpointCount, Report, RouteCount

MAX_SERIES = 5000
"""Route x region x status x reason. A scrape of so many takes some 50 ms, and Prometheus holds a few MiB."""
OTHER = "other"
MAX_EXPLANATIONS = 500
"""Some KiB each; the oldest go first."""


class Answered(NamedTuple):
    """What requests had in common."""

    route: str
    region: str
    status: int
    reason: str


class Durations:
    """A histogram: requests by `DURATION_BUCKETS_S`, one more bucket for those above the last, and their sum."""

    __slots__ = ("buckets", "total_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(DURATION_BUCKETS_S) + 1)
        self.total_s = 0.0

    def add(self, buckets: list[int], total_s: float) -> None:
        self.buckets = [have + more for have, more in zip(self.buckets, buckets, strict=True)]
        self.total_s += total_s


class EndpointTotals:
    """What was learnt of one endpoint."""

    __slots__ = ("answers", "attempts", "connect_failures", "errors", "failures")

    def __init__(self) -> None:
        self.attempts = self.connect_failures = self.failures = self.answers = self.errors = 0

    def add(self, count: EndpointCount) -> None:
        self.attempts += count.attempts
        self.connect_failures += count.connect_failures
        self.failures += count.failures
        self.answers += count.answers
        self.errors += count.errors


class Totals:
    """The ledger. Raises `ValueError` for a report that is not one of ours."""

    def __init__(self, *, max_series: int = MAX_SERIES) -> None:
        self.requests: dict[Answered, int] = {}
        self.durations: dict[tuple[str, str], Durations] = {}
        """By route and region."""
        self.endpoints: dict[str, EndpointTotals] = {}
        self.tenants: dict[tuple[str, str], int] = {}
        """By tenant, as configured or `other`, and what became of the request."""
        self.mirrors: dict[tuple[str, str, str], int] = {}
        """Copies of requests, by route, service and outcome."""
        self.failed_conditions: dict[str, int] = {}
        """By `<route>/<number of the rule>`."""
        self.explanations: dict[str, dict[str, Any]] = {}
        """The latest, by their id."""
        self.debug_refused = 0
        self.audit_lost = 0
        self.services: dict[str, tuple[int, int]] = {}
        """Requests by service: those that had to wait for it, and those that did not get their turn."""
        self.sessions: dict[tuple[str, str, str], int] = {}
        """Requests by service, what became of their sessions, and why."""
        self.access_log_dropped = 0
        self.spans_dropped = 0
        self._max_series = max_series

    def add(self, report: Report) -> None:
        self.access_log_dropped += report.access_log_dropped
        self.spans_dropped += report.spans_dropped
        self.audit_lost += report.audit_lost
        self.debug_refused += report.debug_refused
        for explanation in report.explanations:
            self._keep(explanation)
        for rule, failures in report.failed_conditions.items():
            self.failed_conditions[rule] = self.failed_conditions.get(rule, 0) + failures
        for tenant in report.tenants:
            key = (tenant.tenant, tenant.outcome)
            self.tenants[key] = self.tenants.get(key, 0) + tenant.count
        for mirrored in report.mirrors:
            where = (mirrored.route, mirrored.service, mirrored.outcome)
            self.mirrors[where] = self.mirrors.get(where, 0) + mirrored.count
        for service in report.services:
            waited, overflowed = self.services.get(service.service, (0, 0))
            self.services[service.service] = waited + service.waited, overflowed + service.overflowed
        for session in report.session_counts:
            what = (session.service, session.outcome, session.reason)
            self.sessions[what] = self.sessions.get(what, 0) + session.count
        for count in report.routes:
            self._add_route(count)
        for endpoint in report.endpoints:
            self.endpoints.setdefault(endpoint.endpoint, EndpointTotals()).add(endpoint)

    def _keep(self, explanation: dict[str, Any]) -> None:
        self.explanations[str(explanation.get("id"))] = explanation
        if len(self.explanations) > MAX_EXPLANATIONS:
            del self.explanations[next(iter(self.explanations))]

    def keep_endpoints(self, known: set[str]) -> None:
        """Forget those that the configuration no longer names."""
        for gone in self.endpoints.keys() - known:
            del self.endpoints[gone]

    def _add_route(self, count: RouteCount) -> None:
        answered = Answered(count.route, count.region, count.status, count.reason)
        if answered not in self.requests and len(self.requests) >= self._max_series:
            answered = Answered(OTHER, OTHER, count.status // 100 * 100, OTHER)
        self.requests[answered] = self.requests.get(answered, 0) + count.count
        durations = self.durations.setdefault((answered.route, answered.region), Durations())
        durations.add(count.buckets, count.total_s)
