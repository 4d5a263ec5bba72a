"""What does a configuration ask to be probed, and which names have to be looked up for it?

Every endpoint of every service, each with its service's health check and what the endpoint itself says otherwise. An
endpoint that is a name is probed at each server that it stands for. The only module of this room that knows the
configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from config.models import Config, Endpoint, Region, Service, UpstreamTls, endpoint_id
from config.models.values import split_host_port
from health.core.discovery import Bounds, Found, Name
from health.core.probe import ProbeSettings, ProbeTarget, ProbeTls

NOBODY: Mapping[str, Sequence[Found]] = MappingProxyType({})


def targets(config: Config, found: Mapping[str, Sequence[Found]] = NOBODY) -> tuple[ProbeTarget, ...]:
    """In the order written, an endpoint that has two names once: those with an address before whom names stand for.

    `found` is by the id of the endpoint that is a name.
    """
    minimum = {region.id: region.minimum_capacity for region in config.regions}
    behind = {region.id: region for region in config.regions if region.is_behind_gateway(config.node.region)}
    every: dict[str, ProbeTarget] = {}
    for service in config.services:
        by_name: list[ProbeTarget] = []
        for endpoint in service.endpoints:
            if endpoint.region in behind:
                gateway = _gateway(service, behind[endpoint.region])
                every[gateway.endpoint] = gateway
                continue
            check = _settings(service, endpoint)
            if endpoint.address is not None:
                host, port = split_host_port(endpoint.address, "host:port")
                target = _target(
                    service, endpoint, host, port, settings=check, minimum_capacity=minimum[endpoint.region]
                )
                every[target.endpoint] = target
                continue
            for server in found.get(endpoint_id(service.id, endpoint), ()):
                own = _named(check, server.name)
                by_name.append(
                    _target(
                        service,
                        endpoint,
                        server.host,
                        server.port,
                        settings=own,
                        minimum_capacity=minimum[endpoint.region],
                    )
                )
        for target in by_name:
            every.setdefault(target.endpoint, target)
    return tuple(every.values())


def names(config: Config) -> Iterator[Name]:
    """Every endpoint that is a name."""
    behind = {region.id for region in config.regions if region.is_behind_gateway(config.node.region)}
    for service in config.services:
        for endpoint in service.endpoints:
            if endpoint.region in behind:
                continue
            key = endpoint_id(service.id, endpoint)
            if endpoint.dns is not None:
                yield Name(key, "dns", str(endpoint.dns), endpoint.port)
            elif endpoint.dns_srv is not None:
                yield Name(key, "dns_srv", str(endpoint.dns_srv), None)


def bounds(config: Config) -> Bounds:
    return Bounds(config.discovery.min_ttl, config.discovery.max_ttl)


def _target(
    service: Service, endpoint: Endpoint, host: str, port: int, *, settings: ProbeSettings, minimum_capacity: float
) -> ProbeTarget:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    check = service.health_check.overridden_by(endpoint.health_check)
    return ProbeTarget(
        endpoint=f"{service.id}/{endpoint.region}/{endpoint.address or place}",
        service=service.id,
        region=endpoint.region,
        host=host,
        port=check.port or port,
        settings=settings,
        minimum_capacity=minimum_capacity,
    )


def _gateway(service: Service, region: Region) -> ProbeTarget:
    """What is behind a region's gateway is probed there; from here, whether the gateway can be reached."""
    host, port = region.gateway_place
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    check = service.health_check
    return ProbeTarget(
        endpoint=f"{service.id}/{region.id}/{place}",
        service=service.id,
        region=region.id,
        host=host,
        port=port,
        settings=ProbeSettings(
            protocol="tcp",
            interval_s=check.interval,
            timeout_s=check.timeout,
            jitter=check.jitter,
            healthy_threshold=check.healthy_threshold,
            unhealthy_threshold=check.unhealthy_threshold,
        ),
        minimum_capacity=region.minimum_capacity,
    )


def _settings(service: Service, endpoint: Endpoint) -> ProbeSettings:
    check = service.health_check.overridden_by(endpoint.health_check)
    return ProbeSettings(
        protocol=check.protocol,
        path=check.path,
        host=check.host,
        interval_s=check.interval,
        timeout_s=check.timeout,
        jitter=check.jitter,
        healthy_threshold=check.healthy_threshold,
        unhealthy_threshold=check.unhealthy_threshold,
        expected_status=check.expected_status,
        expected_body=check.expected_body,
        grpc_service=check.grpc_service,
        tls=_tls(service.upstream_tls) if check.protocol in ("https", "grpc") else None,
    )


def _named(settings: ProbeSettings, name: str) -> ProbeSettings:
    """For a server that was found under a name: its certificate is for that name, not for its address."""
    speaks_tls = settings.protocol == "https" or settings.tls is not None
    if not speaks_tls or (settings.tls is not None and settings.tls.server_name is not None):
        return settings
    return replace(settings, tls=replace(settings.tls or ProbeTls(), server_name=name))


def _tls(tls: UpstreamTls | None) -> ProbeTls | None:
    """As the gateway speaks to the endpoint."""
    if tls is None:
        return None
    return ProbeTls(
        ca=_text(tls.ca),
        server_name=_text(tls.server_name),
        client_certificate=_text(tls.client_certificate),
        client_key=_text(tls.client_key),
        verify=tls.verify,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
