"""Do numbers that are each fine also fit together: leases and renewals, timeouts and intervals, weights and sums?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from config.core.conditions import ConditionRefused, compile_condition
from config.models import Config, HealthCheck, Route, Service
from config.models.failover import Acceptor, FailoverDns
from config.models.values import is_host_name
from config.problems import Finding, KeyPath
from config.units import format_duration as written

WITNESS_REGION = "witness"
"""Said in place of a region by the witness (health/core/votes.py)."""
DATA = "builtin:data"
LEASE_RESERVE = 0.1
"""Share of a lease kept for clocks that drift and for the way to the acceptors (SYNC.md, rules at start-up)."""


def check(config: Config) -> Iterator[Finding]:
    if not any(region.active for region in config.regions):
        yield Finding(("regions",), "active: false in every region", "at least one active region")
    elif all(region.role == "read_replica" for region in config.regions if region.active):
        yield Finding(("regions",), "only read replicas, which take no writes", "at least one active region that does")
    for index, service in enumerate(config.services):
        yield from _service(service, ("services", index))
    for index, route in enumerate(config.routes):
        yield from _route(route, ("routes", index), config)
    yield from _election(config)
    yield from _mesh(config)
    yield from _gateways(config)
    yield from _permissions(config)
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
    for key, protocols in (("host", {"http", "https", "grpc"}), ("expected_body", {"http", "https", "udp"})):
        if getattr(check, key) is not None and check.protocol not in protocols:
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
    for number, rule in enumerate(routing.rules):
        try:
            compile_condition(rule.when)
        except ConditionRefused as error:
            yield Finding((*path, "region_routing", "rules", number, "when"), error.found, error.expected)
    if route.consistency.kind != "none" and config.sync is None:
        found = f"{route.consistency} without sync, so that nobody knows how far a region's data is"
        yield Finding((*path, "consistency"), found, "sync with the collections that it is about, or none")
    yield from _scopes(route, path, config)
    yield from _shaping(route, path)


def _scopes(route: Route, path: KeyPath, config: Config) -> Iterator[Finding]:
    limits = config.stores.limits
    for number, limit in enumerate(route.rate_limit):
        is_shared = limits.kind == "redis" and (limit.scope == "region" or limits.global_ is not None)
        if limit.scope != "node" and not is_shared:
            found = f"scope: {limit.scope} without a store in which nodes count together: each counts its share alone"
            expected = f"stores.limits: {{kind: redis}} with `{limit.scope}`"
            yield Finding((*path, "rate_limit", number, "scope"), found, expected, "warning")


def _shaping(route: Route, path: KeyPath) -> Iterator[Finding]:
    if route.cors is not None and route.cors.credentials and "*" in route.cors.allowed_origins:
        found = "every origin together with credentials"
        yield Finding((*path, "cors", "allowed_origins"), found, "origins by name, or credentials: false")
    if route.rewrite.path is not None and "builtin:data" in route.services:
        found = "a rewritten path on a route of builtin:data, whose permissions go by the client's own path"
        yield Finding((*path, "rewrite", "path"), found, "another service, or no such rewriting")
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
    yield from _named_acceptors(config, () if election.acceptors == "auto" else election.acceptors)


def _named_acceptors(config: Config, named: Sequence[Acceptor]) -> Iterator[Finding]:
    """Each of them has to be asked: one that is passed over would be missing from a majority that counts it."""
    nodes = [index for index, one in enumerate(named) if one.url.startswith("http")]
    if nodes and config.peer is None:
        found, expected = "a node as an acceptor without `peer`", "`peer`, by which it is asked"
        yield Finding(("election", "acceptors", nodes[0], "url"), found, expected)
    is_alone = config.stores.state.kind == "embedded" and not any(region.peers for region in config.regions)
    if is_alone and len(nodes) < len(named):
        found = "Redis servers for a lease, although each node keeps a state of its own and leads itself"
        expected = "`peers`, a stores.state that all nodes share, or acceptors: auto"
        yield Finding(("election", "acceptors"), found, expected)
    seen: set[str] = set()
    for index, one in enumerate(named):
        url = one.url.rstrip("/")
        if url in seen:
            found = f"{url} once more, which has one vote however often it is named"
            yield Finding(("election", "acceptors", index, "url"), found, "another acceptor")
        seen.add(url)


def _mesh(config: Config) -> Iterator[Finding]:
    peers = [region for region in config.regions if region.peers]
    if peers and config.peer is None:
        yield Finding(("regions",), "peers without `peer`", "`peer` with an address to listen on, or no peers")
    if peers and not config.secrets.signing_keys:
        found = "no signing_keys although there are peers, so that each node would make keys of its own"
        yield Finding(("secrets", "signing_keys"), found, "the same keys on all nodes of the mesh, by reference")
    promotes = config.failover is not None and config.failover.trigger != "manual"
    if peers or config.stores.state.kind != "embedded":
        if 2 in _acceptors(config, len(peers)):
            yield Finding(
                ("election", "acceptors"),
                "two acceptors, of which no majority is left when either is lost",
                "a third, which may be a witness without data, or failover.trigger: manual",
                "error" if promotes else "warning",
            )
    elif promotes:
        yield from _voiceless(config)


def _voiceless(config: Config) -> Iterator[Finding]:
    """Each node has a state of its own, and nothing brings it the votes of others."""
    others = [region.id for region in config.regions if region.gateway and region.id != config.node.region]
    if others:
        found = (
            f"promotions without a person, although nothing carries the votes of the gateways in {', '.join(others)}: "
            "each would promote by its own word"
        )
        expected = "`peers` for each region, a stores.state that all nodes share, or trigger: manual"
        yield Finding(("failover", "trigger"), found, expected, "warning")


def _permissions(config: Config) -> Iterator[Finding]:
    for index, route in enumerate(config.routes):
        if config.sync is not None and route.access.permissions is not None and DATA not in route.services:
            found = f"permissions of collections on a route that does not lead to {DATA}"
            path = ("routes", index, "access", "permissions")
            yield Finding(path, found, f"service: {DATA}, or no permissions: elsewhere they do nothing", "warning")


def _gateways(config: Config) -> Iterator[Finding]:
    """One gateway believes the other by a signature."""
    behind = [index for index, region in enumerate(config.regions) if region.reach == "gateway"]
    if behind and not config.secrets.signing_keys:
        found = "reach: gateway without secrets.signing_keys, so that no gateway would believe another"
        yield Finding(("regions", behind[0], "reach"), found, "the same keys on all nodes of the mesh, by reference")


def _acceptors(config: Config, regions_with_peers: int) -> tuple[int, int]:
    """How many keep the state, and how many the lease (tidegate/node/acceptors.py)."""
    named = [] if config.election is None or config.election.acceptors == "auto" else list(config.election.acceptors)
    state = config.stores.state
    if state.kind == "embedded":
        is_of_nodes = bool(named) and all(one.url.startswith("http") for one in named)
        keeping = len(named) if is_of_nodes else regions_with_peers
    else:
        keeping = len(state.urls) if state.kind == "redis" else 1
    return keeping, len(named) or keeping


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
    if failover.dns is not None:
        yield from _dns(config, failover.dns)
    quorum = failover.quorum
    if quorum.witness is not None:
        if quorum.kind != "witness":
            found = "a witness with kind: majority, which does not ask it"
            yield Finding(("failover", "quorum", "witness"), found, "kind: witness, or no witness")
        if config.peer is None:
            found = "a witness without `peer`"
            yield Finding(("failover", "quorum", "witness"), found, "`peer`, by which it is asked")
        if any(region.id == WITNESS_REGION for region in config.regions):
            found = f"a region with the id {WITNESS_REGION}, which is how the witness calls itself"
            yield Finding(("regions",), found, "another id")


def _dns(config: Config, dns: FailoverDns) -> Iterator[Finding]:
    """The name points to gateways, so there has to be one; regions without one are never pointed to."""
    named = [region for region in config.regions if region.gateway is not None and region.role != "read_replica"]
    if not named:
        yield Finding(("failover", "dns"), "no region with a `gateway` to point to", "a `gateway` for each region")
    for region in named if dns.name == "@" else ():
        host = urlsplit(region.gateway or "").hostname or ""
        if is_host_name(host):
            found = (
                f"@, although {region.id} has the gateway {host}, and beside the zone's own records no CNAME may stand"
            )
            yield Finding(("failover", "dns", "name"), found, "a name inside the zone, or gateways by IP address")
            return


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
