"""Who are a service's endpoints now, and what is known of each?

    configured, with an address ──────────────────────────────┐
    configured, a name ── whom it stands for (a publication) ──┴──> standing ── verdict, orders ──> a pool

An id is `<service>/<region>/<host:port>` for both, so that what is learnt of an endpoint does not hang on how it was
found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from config.models import Endpoint as ConfiguredEndpoint
from config.models import Region, Service, endpoint_id
from gateway.core.gate import NO_ORDER, Endpoint
from gateway.messages import EndpointState, OperatorState, ResolvedEndpoint

Resolved = Mapping[str, Sequence[ResolvedEndpoint]]
"""By the id of the configured endpoint that is a name."""


def as_configured(service: Service, endpoint: ConfiguredEndpoint, tls: object) -> Endpoint:
    """As configured. One that is a name has the name for its host, and for its port what is known of it."""
    if endpoint.address is not None:
        host, _, port = endpoint.address.rpartition(":")
    else:
        host, port = str(endpoint.dns or endpoint.dns_srv), str(endpoint.port or 0)
    override = endpoint.health_check
    interval = override.interval if override is not None and override.interval is not None else None
    return Endpoint(
        id=endpoint_id(service.id, endpoint),
        service=service.id,
        region=endpoint.region,
        host=host.strip("[]"),
        port=int(port),
        weight=endpoint.weight,
        priority=endpoint.priority,
        is_backup=endpoint.backup,
        probe_interval_s=interval if interval is not None else service.health_check.interval,
        health="untested",
        health_reason="never probed",
        tls=tls,
    )


def through_gateways(
    service: Service, regions: Iterable[Region], local: str | None, tls: Mapping[str, object]
) -> Iterator[Endpoint]:
    """In place of the endpoints of each region that is reached through its gateway: the gateway. `tls` is by region."""
    standing_in = {endpoint.region for endpoint in service.endpoints if endpoint.weight}
    for region in regions:
        if region.is_behind_gateway(local) and region.id in standing_in:
            host, port = region.gateway_place
            yield Endpoint(
                id=f"{service.id}/{region.id}/{place_of_gateway(host, port)}",
                service=service.id,
                region=region.id,
                host=host,
                port=port,
                weight=1,
                priority=0,
                is_backup=False,
                probe_interval_s=service.health_check.interval,
                health="untested",
                health_reason="never probed",
                tls=tls.get(region.id),
                is_gateway=True,
            )


def gateway_side(region: str) -> str:
    """What stands for a region's gateway among the services' TLS. No service has such a name."""
    return f"gateway {region}"


def place_of_gateway(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def standing(configured: Sequence[Endpoint], names: Sequence[Endpoint], resolved: Resolved) -> Iterator[Endpoint]:
    """Configured ones first and then whom names stand for: each id once, all untested."""
    yield from configured
    if not names:
        return
    known = {endpoint.id for endpoint in configured}
    for name in names:
        for found in resolved.get(name.id, ()):
            endpoint = _found(name, found)
            if endpoint.id not in known:
                known.add(endpoint.id)
                yield endpoint


def _found(name: Endpoint, found: ResolvedEndpoint) -> Endpoint:
    host = f"[{found.host}]" if ":" in found.host else found.host
    return replace(
        name,
        id=f"{name.service}/{name.region}/{host}:{found.port}",
        host=found.host,
        port=found.port,
        weight=name.weight * found.weight,
        priority=name.priority + found.priority,
        name=found.name,
    )


def with_state(endpoint: Endpoint, state: EndpointState | None, order: OperatorState) -> Endpoint:
    """With the prober's verdict, None where there is none, and with what people have ordered."""
    if state is None:
        return endpoint if order is NO_ORDER else replace(endpoint, operator=order)
    return replace(endpoint, health=state.health, health_reason=state.reason, operator=order)
