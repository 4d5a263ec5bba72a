"""How an endpoint is asked whether it is well."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.models.model import Model
from config.models.values import Host, Label, PathAndQuery, Port, Statuses
from config.units import Duration, Share, between

ProbeProtocol = Literal["tcp", "http", "https", "udp", "grpc"]
ProbeInterval = Annotated[Duration, between("10ms", "1d")]
Jitter = Annotated[Share, between("0%", "50%")]
"""More than half, and two probes may follow each other at once."""
Threshold = Annotated[int, Field(ge=1, le=1000)]


class HealthCheck(Model):
    """How endpoints are asked whether they are well."""

    protocol: ProbeProtocol = "tcp"
    """tcp: a connection is enough; http: a request must be answered with an expected status; udp: not refused."""
    port: Port | None = None
    """The endpoint's own by default."""
    path: PathAndQuery = "/healthz"
    """What an http probe asks for."""
    host: Host | None = None
    """Host header of an http or grpc probe; the endpoint's address by default."""
    grpc_service: Label | None = None
    """Service name in a grpc probe."""
    interval: ProbeInterval = 5.0
    """From one probe to the next."""
    timeout: ProbeInterval = 1.0
    """A probe that takes longer has failed."""
    jitter: Jitter = 0.2
    """Share of the interval by which probes are spread."""
    healthy_threshold: Threshold = 2
    """Successes in a row that make a down endpoint up."""
    unhealthy_threshold: Threshold = 3
    """Failures in a row that make an up endpoint down."""
    expected_status: Annotated[tuple[Statuses, ...], Field(min_length=1)] = ((200, 299),)
    """Statuses that mean well."""
    expected_body: Label | None = None
    """Text that the answer's body must contain; of a udp probe, a datagram that comes back."""

    def overridden_by(self, override: HealthCheckOverride | None) -> HealthCheck:
        """The check of one endpoint: its own words where it has any, the service's for the rest."""
        if override is None:
            return self
        own = {key: value for key in HealthCheckOverride.model_fields if (value := getattr(override, key)) is not None}
        return self.model_copy(update=own)


class HealthCheckOverride(Model):
    """What one endpoint does differently from its service; the rest stays the service's."""

    protocol: ProbeProtocol | None = None
    """In place of the service's."""
    port: Port | None = None
    """In place of the service's."""
    path: PathAndQuery | None = None
    """In place of the service's."""
    host: Host | None = None
    """In place of the service's."""
    grpc_service: Label | None = None
    """In place of the service's."""
    interval: ProbeInterval | None = None
    """In place of the service's."""
    timeout: ProbeInterval | None = None
    """In place of the service's."""
    jitter: Jitter | None = None
    """In place of the service's."""
    healthy_threshold: Threshold | None = None
    """In place of the service's."""
    unhealthy_threshold: Threshold | None = None
    """In place of the service's."""
    expected_status: Annotated[tuple[Statuses, ...], Field(min_length=1)] | None = None
    """In place of the service's."""
    expected_body: Label | None = None
    """In place of the service's."""
