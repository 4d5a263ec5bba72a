"""Which requests go where: what a route matches, whom it serves by, how a region is chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from config.models.access import Access
from config.models.model import Model, Refusal, matching, text
from config.models.shaping import (
    ClientKey,
    Compression,
    Cors,
    Mirror,
    RateLimit,
    RequestHeaderChanges,
    ResponseBody,
    ResponseHeaderChanges,
    Rewrite,
    RouteLimits,
)
from config.models.values import HeaderName, HostPattern, Method, PathPattern, ServiceName, Slug, Weight
from config.units import Duration, Refused, between, format_duration, parse_duration, shown

Importance = Literal["interactive", "critical", "batch"]

MatchValue = Annotated[str, *matching(r"[\x20-\x7e]{0,1000}", "printable ASCII; * stands for any value")]
QueryName = Annotated[str, *matching(r"[\x21-\x7e]{1,200}", "the name of a query parameter")]


class Match(Model):
    """What a request must look like. What is left out, or empty, matches everything."""

    listeners: tuple[Slug, ...] = ()
    """Names of listeners; all by default."""
    hosts: tuple[HostPattern, ...] = ()
    """Names, or *.example.com for every name below example.com."""
    path: PathPattern = "/*"
    """Exact, or everything below when it ends in /*."""
    methods: tuple[Method, ...] = ()
    """Methods; all by default."""
    headers: Mapping[HeaderName, MatchValue] = {}
    """Header to required value, exact; * stands for any value."""
    query: Mapping[QueryName, MatchValue] = {}
    """Query parameter to required value, exact; * stands for any value."""


class Split(Model):
    """One part of a split."""

    service: ServiceName
    """Service that gets this part."""
    weight: Weight
    """Its share relative to the others."""


class Redirect(Model):
    """An answer that sends the client elsewhere."""

    status: Literal[301, 302, 303, 307, 308] = 308
    """Status of the answer."""
    to: Annotated[
        str, *matching(r"(?:https?://|/|\$\{)[\x21-\x7e]{0,2000}", "a URL, in which ${path} stands for the path")
    ]
    """Where to; `${path}`, `${query}` (with its ?) and `${host}` stand for the request's. A query goes along with the
    path where the text has no ? of its own."""

    @model_validator(mode="after")
    def _knows_its_variables(self) -> Self:
        rest = re.sub(r"\$\{(?:path|query|host)\}", "", self.to)
        if "${" in rest:
            raise Refusal(f"an unknown variable in {shown(self.to)}", "${path}, ${query} or ${host}", "to")
        if self.to.startswith("//") or "\\" in self.to:
            raise Refusal(f"{shown(self.to)}, which browsers read as another host", "a URL or a path", "to")
        if self.to.startswith("${") and not self.to.startswith("${path}"):
            raise Refusal(f"{shown(self.to)}, which is no URL", "https://${host}..., or a path", "to")
        return self


class CriteriaWeights(Model):
    """What counts how much, among allowed and healthy regions."""

    latency: Annotated[float, Field(ge=0, le=1000)] = 0.5
    """Round trip from this node."""
    user_location: Annotated[float, Field(ge=0, le=1000)] = 0.2
    """Distance from the client."""
    capacity: Annotated[float, Field(ge=0, le=1000)] = 0.1
    """What is left of the region's capacity."""
    cost: Annotated[float, Field(ge=0, le=1000)] = 0.1
    """The region's `cost`."""
    user_preference: Annotated[float, Field(ge=0, le=1000)] = 0.1
    """The region named in `preference_header`."""


class RegionRule(Model):
    """Where some requests go first."""

    when: Annotated[str, Field(min_length=1, max_length=4000)]
    """A condition on client and request, such as client.continent == 'EU'."""
    regions: Annotated[tuple[Slug, ...], Field(min_length=1)]
    """In this order."""
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    """Lower first."""


class RegionRouting(Model):
    """How a region is chosen among those that are allowed and healthy."""

    strategy: Literal["latency", "failover", "geo_proximity", "compliance", "multi_criteria", "weighted"] = "latency"
    """What decides the order of regions."""
    weights: CriteriaWeights = CriteriaWeights()
    """For multi_criteria."""
    region_weights: Mapping[Slug, Weight] = {}
    """For weighted: region to share of traffic."""
    rules: tuple[RegionRule, ...] = ()
    preference_header: HeaderName | None = None
    """Header in which a client may name the region that it prefers."""
    prefer_local: bool = True
    """This node's own region first while it is healthy and within capacity."""
    failover: Literal["automatic", "manual"] = "automatic"
    """Whether traffic may move to another region by itself."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """Which regions may answer a read: any, those that hold the client's own writes, those at most so far behind."""

    kind: Literal["none", "read_your_writes", "bounded"]
    bound: float | None = None
    """Seconds; with `bounded` only."""

    def __str__(self) -> str:
        return self.kind if self.bound is None else f"{self.kind}({format_duration(self.bound)})"


_CONSISTENCY_EXPECTED = "none, read_your_writes or bounded(5s)"


def _consistency(value: object) -> Consistency:
    if isinstance(value, Consistency):
        return value
    written = text(value, _CONSISTENCY_EXPECTED)
    if written == "none":
        return Consistency("none")
    if written == "read_your_writes":
        return Consistency("read_your_writes")
    bounded = re.fullmatch(r"bounded\((.*)\)", written)
    if bounded is None:
        raise Refused(shown(value), _CONSISTENCY_EXPECTED)
    return Consistency("bounded", parse_duration(bounded[1]))


ConsistencyLevel = Annotated[
    Consistency,
    PlainValidator(_consistency),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(none|read_your_writes|bounded\([0-9.]+(ms|s|m|h|d)\))$"}),
]


class Route(Model):
    """Exactly one of `service`, `split`, `redirect`. The first route that matches wins, in the order written."""

    id: Slug
    """What logs, metrics and `explain` call it."""
    match: Match = Match()
    service: ServiceName | None = None
    """Service that gets its requests."""
    split: Annotated[tuple[Split, ...], Field(min_length=1)] | None = None
    """Several services by weight."""
    sticky_split: Literal["none", "cookie"] = "none"
    """Whether a client stays with the service that it was given first."""
    redirect: Redirect | None = None
    data_types: tuple[Slug, ...] = ()
    """Which residency rules bind this traffic; none: unrestricted."""
    region_routing: RegionRouting = RegionRouting()
    consistency: ConsistencyLevel = Consistency("none")
    """Only regions caught up that far: none, read_your_writes, bounded(5s)."""
    consistency_wait: Annotated[Duration, between("0s", "1m")] = 0.2
    """How long to wait for such a region before 503."""
    access: Access = Access()
    cors: Cors | None = None
    rate_limit: tuple[RateLimit, ...] = ()
    tenant: ClientKey | None = None
    """Who the client belongs to, for quotas, shedding and metrics."""
    importance: Importance = "interactive"
    """Who is shed first under overload: batch, then interactive, then critical."""
    mirror: Mirror | None = None
    rewrite: Rewrite = Rewrite()
    request_headers: RequestHeaderChanges = RequestHeaderChanges()
    response_headers: ResponseHeaderChanges = ResponseHeaderChanges()
    response_body: ResponseBody | None = None
    limits: RouteLimits = RouteLimits()
    compression: Compression | None = None
    buffer_request: bool = False
    """Read the whole body, within limits, before choosing an upstream."""

    @model_validator(mode="after")
    def _one_destination(self) -> Self:
        given = [key for key in ("service", "split", "redirect") if getattr(self, key) is not None]
        if len(given) != 1:
            raise Refusal(
                " and ".join(given) or "none of service, split, redirect", "exactly one of service, split, redirect"
            )
        return self

    @property
    def services(self) -> tuple[str, ...]:
        """The services that may get its requests."""
        if self.split is not None:
            return tuple(dict.fromkeys(part.service for part in self.split))
        return () if self.service is None else (self.service,)
