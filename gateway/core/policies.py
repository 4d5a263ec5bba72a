"""What protects a service from its own failures, compiled for one worker.

Most limits of the node are divided among its workers, at least one each: the kernel spreads connections evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from config.models import Service
from config.models.services import LoadBalancing
from gateway.core.breaker import BreakerPolicy
from gateway.core.ejections import OutlierPolicy
from gateway.core.gate import Balancing


@dataclass(frozen=True, slots=True)
class Policies:
    """One service's."""

    breaker: BreakerPolicy | None
    outliers: OutlierPolicy | None
    takes_latency: bool
    """Whether each answer's time is to be kept."""
    takes_utilisation: bool
    """Whether each answer is to be searched for what its endpoint reports."""
    max_pending: int
    """Requests of this worker that may wait for a place or a connection."""
    max_requests: int
    """Requests of the node at a time: its workers share them (gateway/core/sharing.py)."""
    adaptive: bool


NO_POLICIES: Final = Policies(
    breaker=None,
    outliers=None,
    takes_latency=False,
    takes_utilisation=False,
    max_pending=1024,
    max_requests=1 << 30,
    adaptive=False,
)
"""Of what is no service of the operator's."""


def policies_of(service: Service, *, workers: int) -> Policies:
    algorithm, concurrency = service.load_balancing.algorithm, service.concurrency
    return Policies(
        breaker=_breaker(service, workers),
        outliers=outliers_of(service),
        takes_latency=algorithm == "peak_ewma",
        takes_utilisation=algorithm == "resource_based",
        max_pending=part(concurrency.max_pending, workers),
        max_requests=concurrency.max_requests,
        adaptive=concurrency.adaptive,
    )


def part(limit: int, workers: int) -> int:
    """Of a node's limit, what one of its workers may use."""
    return max(1, limit // workers)


def outliers_of(service: Service) -> OutlierPolicy | None:
    written = service.outlier_detection
    if written is None:
        return None
    return OutlierPolicy(
        interval_s=written.interval,
        consecutive_errors=written.consecutive_errors,
        deviations=written.success_rate_deviations,
        min_hosts=written.min_hosts,
        min_requests=written.min_requests,
        base_s=written.base_ejection,
        longest_s=max(written.max_ejection, written.base_ejection),
        max_share=written.max_ejected,
    )


def balancing_of(written: LoadBalancing) -> Balancing:
    algorithm = written.algorithm
    hashed = {"ip_hash": "ip", "consistent_hash": written.hash_on}.get(algorithm, "")
    kind, colon, name = hashed.partition(":")
    return Balancing(
        algorithm=algorithm,
        hash_on=kind + colon + (name.lower() if kind == "header" else name),
        slow_start_s=written.slow_start,
        panic_threshold=written.panic_threshold,
        overprovisioning=written.overprovisioning,
    )


def _breaker(service: Service, workers: int) -> BreakerPolicy | None:
    written = service.circuit_breaker
    if written is None:
        return None
    return BreakerPolicy(
        tripping=written.tripping,
        error_threshold=written.error_threshold,
        max_errors=written.max_errors,
        min_requests=written.min_requests,
        window_s=written.window,
        open_for_s=written.open_for,
        trials=part(written.half_open_requests, workers),
        counts_status="status" in written.failure_on,
        counts_timeout="timeout" in written.failure_on,
        counts_connect="connect" in written.failure_on,
        statuses=frozenset(status for low, high in written.statuses for status in range(low, high + 1)),
    )
