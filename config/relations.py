"""Do numbers that are each fine also fit together: leases and renewals, timeouts and intervals, weights and sums?"""

from __future__ import annotations

from collections.abc import Iterator

from config.models import Config, HealthCheck, Route, Service
from config.problems import Finding, KeyPath
from config.units import format_duration as written

LEASE_RESERVE = 0.1
"""Share of a lease kept for clocks that drift and for the way to the acceptors (SYNC.md, rules at start-up)."""


def check(config: Config) -> Iterator[Finding]:
    if not any(region.active for region in config.regions):
        yield Finding(("regions",), "active: false in every region", "at least one active region")
    for index, service in enumerate(config.services):
        yield from _service(service, ("services", index))
    for index, route in enumerate(config.routes):
        yield from _route(route, ("routes", index), config)
    yield from _election(config)
    yield from _failover(config)
    yield from _others(config)


def _service(service: Service, path: KeyPath) -> Iterator[Finding]:
    if not any(endpoint.weight for endpoint in service.endpoints):
        yield Finding((*path, "endpoints"), "only endpoints of weight 0", "at least one that may take traffic")
    yield from _health_check(service.health_check, (*path, "health_check"))
    for position, endpoint in enumerate(service.endpoints):
        if endpoint.health_check is not None:
            own = service.health_check.overridden_by(endpoint.health_check)
            yield from _health_check(own, (*path, "endpoints", position, "health_check"))
    yield from _retries(service, path)
    outliers = service.outlier_detection
    if outliers is not None:
        path_of_outliers = (*path, "outlier_detection")
        yield from _at_most(
            outliers.base_ejection, outliers.max_ejection, path_of_outliers, "base_ejection", "max_ejection"
        )


def _health_check(check: HealthCheck, path: KeyPath) -> Iterator[Finding]:
    if check.protocol not in {"http", "https"}:
        for key in ("host", "expected_body"):
            if getattr(check, key) is not None:
                found = f"{key} in a health check over {check.protocol}"
                yield Finding((*path, key), found, "protocol: http, or no such key")
    if check.grpc_service is not None and check.protocol != "grpc":
        yield Finding(
            (*path, "grpc_service"), f"grpc_service in a health check over {check.protocol}", "protocol: grpc"
        )
    if check.timeout >= check.interval:
        found = f"{written(check.timeout)}, not less than the interval of {written(check.interval)}"
        expected = "less, or a slow endpoint is asked less often than the interval says"
        yield Finding((*path, "timeout"), found, expected, "warning")


def _retries(service: Service, path: KeyPath) -> Iterator[Finding]:
    retries, timeouts = service.retries, service.timeouts
    for key in ("methods", "retry_on"):
        if retries.max_retries and not getattr(retries, key):
            found = f"no {key} with max_retries: {retries.max_retries}"
            yield Finding((*path, "retries", key), found, f"{key}, or max_retries: 0")
    yield from _at_most(retries.backoff.initial, retries.backoff.max, (*path, "retries", "backoff"), "initial", "max")
    if timeouts.total is None:
        return
    for key, shorter in (("connect", timeouts.connect), ("response_head", timeouts.response_head)):
        if shorter > timeouts.total:
            found = f"{written(timeouts.total)}, less than {key} of {written(shorter)}, which is never reached"
            expected = f"at least {written(shorter)}, or a shorter {key}"
            yield Finding((*path, "timeouts", "total"), found, expected, "warning")
    if retries.per_try_timeout is not None and retries.per_try_timeout > timeouts.total:
        found = f"{written(retries.per_try_timeout)}, more than timeouts.total"
        yield Finding((*path, "retries", "per_try_timeout"), found, f"at most {written(timeouts.total)}")


def _route(route: Route, path: KeyPath, config: Config) -> Iterator[Finding]:
    routing = route.region_routing
    if route.split is not None and not any(part.weight for part in route.split):
        yield Finding((*path, "split"), "only weights of 0", "at least one that is more")
    if routing.strategy == "weighted" and not any(routing.region_weights.values()):
        found = "only weights of 0" if routing.region_weights else "nothing"
        yield Finding((*path, "region_routing", "region_weights"), found, "a weight above 0 for at least one region")
    if routing.strategy == "multi_criteria" and not any(routing.weights.model_dump().values()):
        yield Finding((*path, "region_routing", "weights"), "only weights of 0", "at least one that is more")
    if routing.strategy == "geo_proximity":
        without = [region.id for region in config.regions if region.location is None]
        if without:
            found = f"geo_proximity, although {', '.join(without)} has no location"
            expected = "a location for every region; those without come last"
            yield Finding((*path, "region_routing", "strategy"), found, expected, "warning")
    if route.cors is not None and route.cors.credentials and "*" in route.cors.allowed_origins:
        found = "every origin together with credentials"
        yield Finding((*path, "cors", "allowed_origins"), found, "origins by name, or credentials: false")
    if route.sticky_split != "none" and route.split is None:
        yield Finding((*path, "sticky_split"), "sticky_split without split", "split, or no sticky_split")


def _election(config: Config) -> Iterator[Finding]:
    election = config.election
    if election is None:
        return
    longest = election.lease * (1 - LEASE_RESERVE) / 2
    if election.renew > longest:
        found = f"{written(election.renew)} with a lease of {written(election.lease)}"
        expected = f"at most {written(round(longest, 3))}, so that one failed renewal does not cost the lease"
        yield Finding(("election", "renew"), found, expected)


def _failover(config: Config) -> Iterator[Finding]:
    failover = config.failover
    if failover is None:
        return
    detection = failover.detection
    if detection.timeout < 2 * detection.interval:
        found = f"{written(detection.timeout)} with an interval of {written(detection.interval)}"
        expected = f"at least {written(2 * detection.interval)}, so that one lost message is not a lost region"
        yield Finding(("failover", "detection", "timeout"), found, expected)
    yield from _at_most(failover.backoff.initial, failover.backoff.max, ("failover", "backoff"), "initial", "max")
    if failover.min_regions > len(config.regions):
        found = f"{failover.min_regions} with {len(config.regions)} declared"
        yield Finding(("failover", "min_regions"), found, f"at most {len(config.regions)}")


def _others(config: Config) -> Iterator[Finding]:
    yield from _at_most(config.discovery.min_ttl, config.discovery.max_ttl, ("discovery",), "min_ttl", "max_ttl")
    if config.sync is not None:
        yield from _at_most(config.sync.lag.warning, config.sync.lag.critical, ("sync", "lag"), "warning", "critical")
    if config.clients is not None and config.clients.health.timeout >= config.clients.health.interval:
        found = f"{written(config.clients.health.timeout)}, not less than the interval"
        yield Finding(("clients", "health", "timeout"), found, f"less than {written(config.clients.health.interval)}")


def _at_most(low: float, high: float, path: KeyPath, low_key: str, high_key: str) -> Iterator[Finding]:
    if low > high:
        found = f"{written(low)}, more than {high_key} of {written(high)}"
        yield Finding((*path, low_key), found, f"at most {written(high)}")
