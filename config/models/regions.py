"""The regions of the system: where they are, what they may hold, in which order they stand in for each other."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from config.models.model import Model, Refusal
from config.models.services import UpstreamTls
from config.models.values import Continent, Country, Label, Latitude, Longitude, Origin, Slug
from config.units import Rate, Share


class Location(Model):
    """Where on earth."""

    continent: Continent | None = None
    """Two capitals, such as EU."""
    country: Country | None = None
    """Two capitals (ISO 3166), such as IE."""
    city: Label | None = None
    """For people."""
    latitude: Latitude
    """Degrees north, negative for south."""
    longitude: Longitude
    """Degrees east, negative for west."""


class Region(Model):
    """A place that holds endpoints and, perhaps, data."""

    id: Slug
    """What services, rules and people call it."""
    name: Label | None = None
    """For people, such as Ireland."""
    location: Location | None = None
    """Needed by the strategy geo_proximity."""
    provider: Label | None = None
    """A label, such as aws."""
    tier: Literal["primary", "secondary", "edge", "compliance"] = "secondary"
    """A label; decides nothing."""
    role: Literal["primary", "secondary", "read_replica", "disaster_recovery"] = "secondary"
    """What the region is for at the start; a promotion changes it. A read_replica takes no writes and never leads."""
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    """Order of failover, lower first; equal ones in the order of the file."""
    active: bool = True
    """Whether it takes traffic at all."""
    capacity: Rate | None = None
    """What it can serve; the excess spills to the next region. Unlimited by default."""
    minimum_capacity: Share = 0.3
    """Share of healthy endpoints below which the region counts as degraded."""
    cost: Annotated[float, Field(ge=0, le=1_000_000)] = 1.0
    """Relative, for multi_criteria."""
    compliance_zones: tuple[Slug, ...] = ()
    """Zones that this region belongs to; residency rules name them."""
    reach: Literal["direct", "gateway"] = "direct"
    """direct: others call its endpoints; gateway: they go through `gateway`."""
    gateway: Origin | None = None
    """Where clients and other regions reach this region's gateway."""
    gateway_tls: UpstreamTls | None = None
    """How other regions' nodes speak TLS to an https `gateway`; with the system's authorities by default."""
    peers: tuple[Origin, ...] = ()
    """Its nodes' peer addresses."""

    def is_behind_gateway(self, local: str | None) -> bool:
        """Whether nodes of region `local` reach its endpoints through its gateway."""
        return self.reach == "gateway" and self.id != local

    @property
    def gateway_place(self) -> tuple[str, int]:
        """Host and port of `gateway`, which has to be there."""
        parts = urlsplit(self.gateway or "")
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    @model_validator(mode="after")
    def _tls_with_somebody(self) -> Self:
        is_https = self.gateway is not None and self.gateway.startswith("https:")
        if self.gateway_tls is not None and not (self.reach == "gateway" and is_https):
            raise Refusal(
                "gateway_tls of a region that nobody reaches through an https gateway",
                "reach: gateway, and a `gateway` with https",
                "gateway_tls",
            )
        return self

    @model_validator(mode="after")
    def _reached_through_something(self) -> Self:
        if self.reach == "gateway" and self.gateway is None:
            raise Refusal("reach: gateway without a gateway", "the URL of the region's `gateway`", "reach")
        return self
