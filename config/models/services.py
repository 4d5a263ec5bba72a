"""The services behind the gateway: their endpoints in each region, and how one of them is chosen."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.models.checking import HealthCheck, HealthCheckOverride
from config.models.model import Model, Refusal, matching
from config.models.resilience import CircuitBreaker, Concurrency, OutlierDetection, Retries, UpstreamTimeouts
from config.models.values import AbsolutePath, Address, ExistingFile, Host, HostName, Port, Slug, Weight
from config.units import Duration, Percentage, Share, between

CookieName = Annotated[str, *matching(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", "a cookie's name")]


class Endpoint(Model):
    """One server, or a name that stands for several. Exactly one of `address`, `dns`, `dns_srv`."""

    region: Slug
    """Which of `regions` it stands in."""
    address: Address | None = None
    """host:port."""
    dns: HostName | None = None
    """Name with A or AAAA records, looked up again at their TTL; needs `port`."""
    port: Port | None = None
    """With `dns` only."""
    dns_srv: HostName | None = None
    """Name with SRV records, which carry port, priority and weight."""
    weight: Weight = 1
    """Share of traffic relative to the others; 0 takes none."""
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """Lower first; the next ones only when those before cannot carry the load."""
    backup: bool = False
    """Used only when no other endpoint of the region may serve."""
    health_check: HealthCheckOverride | None = None
    """What differs from the service's health check."""

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Self:
        given = [key for key in ("address", "dns", "dns_srv") if getattr(self, key) is not None]
        if len(given) != 1:
            raise Refusal(
                " and ".join(given) or "none of address, dns, dns_srv", "exactly one of address, dns, dns_srv"
            )
        if self.dns is not None and self.port is None:
            raise Refusal("dns without port", "the port that the servers listen on", "dns")
        if self.dns is None and self.port is not None:
            raise Refusal(f"port beside {given[0]}", "port with dns only", "port")
        return self

    @property
    def place(self) -> str:
        """What tells it from the other endpoints of its service and region."""
        if self.address is not None:
            return self.address
        return f"{self.dns}:{self.port}" if self.dns is not None else f"srv:{self.dns_srv}"


def endpoint_id(service_id: str, endpoint: Endpoint) -> str:
    """`<service>/<region>/<host:port>`; never the weight or position, so that a re-weighting forgets nothing."""
    return f"{service_id}/{endpoint.region}/{endpoint.place}"


class UpstreamTls(Model):
    """TLS as a client of the endpoints uses it."""

    ca: ExistingFile | None = None
    """PEM file with the authorities to trust; the system's by default."""
    server_name: Host | None = None
    """Name to ask for and to verify; the endpoint's host by default."""
    client_certificate: ExistingFile | None = None
    """PEM file with the certificate to show."""
    client_key: ExistingFile | None = None
    """PEM file with its private key."""
    verify: bool = True
    """Whether the endpoint's certificate is checked."""

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.client_certificate is None) != (self.client_key is None):
            raise Refusal("one of client_certificate and client_key", "both or neither")
        return self


class LoadBalancing(Model):
    """How one of a region's endpoints is chosen."""

    algorithm: Literal[
        "least_request",
        "round_robin",
        "least_connections",
        "peak_ewma",
        "weighted",
        "random",
        "ip_hash",
        "consistent_hash",
        "resource_based",
    ] = "least_request"
    """How one endpoint is chosen among those that may serve."""
    hash_on: Annotated[str, *matching(r"ip|header:[!-~]{1,100}|cookie:[!-~]{1,100}", "ip, header:X or cookie:X")] = "ip"
    """What consistent_hash keeps together: ip, header:X or cookie:X."""
    slow_start: Annotated[Duration, between("0s", "1d")] = 30.0
    """An endpoint that came up gets its full share only after this long."""
    panic_threshold: Share = 0.5
    """Below this share healthy all endpoints of the allowed regions are used."""
    overprovisioning: Percentage = 1.4
    """A region spills over only below 1/1.4 healthy."""


class CookieAttributes(Model):
    """How browsers treat the cookie."""

    http_only: bool = True
    """Hidden from scripts."""
    secure: bool = True
    """Sent over TLS only."""
    same_site: Literal["Strict", "Lax", "None"] = "Lax"
    """Whether other sites' requests carry it."""
    max_age: Duration | None = 3600.0
    """How long it lives; null: until the browser closes."""
    path: AbsolutePath = "/"
    """Paths that get it."""
    domain: HostName | None = None
    """Domain that gets it; the host alone by default."""

    @model_validator(mode="after")
    def _one_attribute_each(self) -> Self:
        if ";" in self.path:
            raise Refusal(self.path, "a path without ';', which ends it in a cookie", "path")
        return self

    @model_validator(mode="after")
    def _sent_across_sites_only_when_secure(self) -> Self:
        if self.same_site == "None" and not self.secure:
            raise Refusal(
                "same_site: None with secure: false", "secure: true, or browsers drop the cookie", "same_site"
            )
        return self


class StickySession(Model):
    """Keeps a client with its endpoint; yields to drains and residency."""

    cookie: CookieName = "tidegate_session"
    """Signed; names region and endpoint, reveals neither."""
    attributes: CookieAttributes = CookieAttributes()
    fallback: Literal["any_available", "error", "least_loaded"] = "any_available"
    """When the endpoint may not serve."""


class Service(Model):
    """Endpoints that do the same work, in one or more regions."""

    id: Slug
    """What routes call it."""
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    upstream_tls: UpstreamTls | None = None
    """TLS towards the endpoints; plain without."""
    load_balancing: LoadBalancing = LoadBalancing()
    health_check: HealthCheck = HealthCheck()
    outlier_detection: OutlierDetection | None = None
    circuit_breaker: CircuitBreaker | None = None
    concurrency: Concurrency = Concurrency()
    timeouts: UpstreamTimeouts = UpstreamTimeouts()
    retries: Retries = Retries()
    sticky_session: StickySession | None = None
