"""What does a configuration ask to be probed?

Every endpoint of every service, each with its service's health check and what the endpoint itself says otherwise. The
only module of this room that knows the configuration.
"""

from __future__ import annotations

from config.models import Config, Endpoint, Service, UpstreamTls, endpoint_id
from config.models.values import split_host_port
from health.core.probe import ProbeSettings, ProbeTarget, ProbeTls


def targets(config: Config) -> tuple[ProbeTarget, ...]:
    """In the order written. An endpoint that is named twice under one id is probed once, as written last.

    Raises ValueError for what the configuration allows and this room cannot probe.
    """
    minimum = {region.id: region.minimum_capacity for region in config.regions}
    found = {
        target.endpoint: target
        for service in config.services
        for endpoint in service.endpoints
        for target in [_target(service, endpoint, minimum_capacity=minimum[endpoint.region])]
    }
    return tuple(found.values())


def _target(service: Service, endpoint: Endpoint, *, minimum_capacity: float) -> ProbeTarget:
    name = endpoint_id(service.id, endpoint)
    if endpoint.address is None:
        raise ValueError(f"endpoint {name} has no address, expected host:port to probe")
    check = service.health_check.overridden_by(endpoint.health_check)
    if check.protocol not in ("http", "https", "tcp"):
        raise ValueError(f"endpoint {name} is to be probed by {check.protocol}, expected http, https or tcp")
    host, port = split_host_port(endpoint.address, "host:port")
    return ProbeTarget(
        endpoint=name,
        service=service.id,
        region=endpoint.region,
        host=host,
        port=check.port or port,
        settings=ProbeSettings(
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
            tls=_tls(service.upstream_tls) if check.protocol == "https" else None,
        ),
        minimum_capacity=minimum_capacity,
    )


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
