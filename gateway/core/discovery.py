"""What are clients told at /.well-known/tidegate? Which regions there are for them, which is best now, how to try.

    clients section ──compiled──> Discovery ──live verdicts, the client's country──> document, ETag, signature
    /.well-known/tidegate/health            200 while this node's region can serve, else 503: what clients check

Best first: the configured default, else the nearest to the client's country (to this node where that is not known),
those that cannot serve last. Nothing internal is in it: no node, no endpoint, no address but those meant for clients.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from config.core.residency import ResidencyPolicy
from config.core.signing import Signer
from config.models import Config
from gateway.core import data_service, reasons
from gateway.core.cors import CorsRules
from gateway.core.gate import RegionPool
from gateway.core.problems import Answer
from gateway.core.regions import RankedRegion
from gateway.core.routes import Facts
from gateway.core.spill import fitness

PATH: Final = "/.well-known/tidegate"
VERSION: Final = 1
PURPOSE: Final = "discovery"
METHODS: Final = ("GET", "HEAD")
CORS: Final = CorsRules(
    origins=frozenset(),
    any_origin=True,
    methods=METHODS,
    headers=frozenset((b"*",)),
    allowed_headers=b"",
    exposed=b"ETag, Tidegate-Signature",
    credentials=False,
    max_age=b"600",
)
"""Any page may read it: it says nothing of whoever asks, and no secret."""
RETRY: Final[Mapping[str, Any]] = {
    "statuses": [429, 502, 503, 504],
    "honours": "Retry-After",
    "initial_ms": 250,
    "factor": 2,
    "max_ms": 30_000,
    "jitter": "full",
    "switch_region_after": 3,
    "writes": "send the same Tidegate-Op-Id or Idempotency-Key again, to whichever region",
}
"""How to try again without harm; the same for all, so that a client needs no release to learn it."""
HEALTH_RETRY_S: Final = 5


class Standing(Protocol):
    """What of a snapshot tells how the regions are."""

    @property
    def pools(self) -> Mapping[str, Mapping[str, RegionPool]]: ...


@dataclass(frozen=True, slots=True)
class ClientRegion:
    """One region as clients know it."""

    id: str
    name: str
    url: str
    backup_url: str | None
    zones: tuple[str, ...]
    data_types: tuple[str, ...]
    """Of the clients' data, those that it may hold."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """The `clients` section, compiled."""

    region: str
    """This node's."""
    regions: tuple[ClientRegion, ...]
    default_region: str | None
    """None: the best one."""
    ttl_s: int
    health_path: str
    """Below PATH where this node answers it itself."""
    settings: Mapping[str, Any]
    """What is passed on as it is configured."""

    @property
    def answers_health(self) -> bool:
        return self.health_path.startswith(PATH + "/")

    def answer(self, facts: Facts, standing: Standing, ranked: Sequence[RankedRegion], signer: Signer | None) -> Answer:
        """To any request for one of its paths; `ranked` is for this client."""
        if facts.method not in METHODS:
            detail = f"a document that is read, found the method {facts.method}"
            return Answer(405, reasons.METHOD_NOT_ALLOWED, detail, "http_request_error", allow=METHODS)
        if self.answers_health and facts.path == self.health_path.encode():
            return self._health(standing)
        body = msgspec.json.encode(self.document(standing, ranked))
        tag = b'"' + base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:12]) + b'"'
        fields = [b"ETag: " + tag, b"Cache-Control: private, max-age=%d" % self.ttl_s]
        if signer is not None:
            fields.append(b"Tidegate-Signature: " + base64.urlsafe_b64encode(signer.sign(PURPOSE, body)).rstrip(b"="))
        known = b",".join(facts.values(b"if-none-match"))
        if tag in known or known.strip() == b"*":
            return Answer(304, reasons.DISCOVERY, "the client has this document", "", fields=tuple(fields))
        fields.append(b"Content-Type: application/json")
        return Answer(200, reasons.DISCOVERY, "the regions for clients", "", fields=tuple(fields), body=body)

    def document(self, standing: Standing, ranked: Sequence[RankedRegion]) -> dict[str, Any]:
        """As API.md has it."""
        healthy = {one.id: is_healthy(standing, one.id, own=self.region) for one in self.regions}
        order = self.order(ranked, healthy)
        best = order[0] if order and healthy[order[0]] is not False else None
        listed = [
            {
                "id": one.id,
                "name": one.name,
                "url": one.url,
                "backup_url": one.backup_url,
                "healthy": healthy[one.id],
                "recommended": one.id == best,
                "residency": {"zones": one.zones, "data_types": one.data_types},
            }
            for one in self.regions
        ]
        return {
            "version": VERSION,
            "regions": listed,
            "order": order,
            "default_region": self.default_region or best,
            "ttl_s": self.ttl_s,
            "retry": RETRY,
            **self.settings,
        }

    def order(self, ranked: Sequence[RankedRegion], healthy: Mapping[str, bool | None]) -> list[str]:
        """In which a client should try them."""
        names = [entry.region for entry in ranked if entry.region in healthy]
        names += [one.id for one in self.regions if one.id not in names]
        if self.default_region in names:
            names.sort(key=lambda name: name != self.default_region)
        return sorted(names, key=lambda name: healthy[name] is False)

    def _health(self, standing: Standing) -> Answer:
        fields = (b"Cache-Control: no-store", b"Content-Type: application/json")
        if is_healthy(standing, self.region, own=self.region) is not False:
            body = msgspec.json.encode({"status": "ok", "region": self.region})
            return Answer(200, reasons.DISCOVERY, "this region can serve", "", fields=fields, body=body)
        detail = f"region {self.region} has no endpoint that may serve"
        return Answer(503, reasons.NO_HEALTHY_ENDPOINT, detail, "destination_unavailable", retry_after_s=HEALTH_RETRY_S)


def is_healthy(standing: Standing, region: str, *, own: str) -> bool | None:
    """Whether any service has an endpoint there that may serve; None where there is none to tell by.

    The node's own region is there, for it has answered; only its endpoints can say otherwise.
    """
    pools = [
        found[region] for service, found in standing.pools.items() if service != data_service.NAME and region in found
    ]
    if not pools:
        return True if region == own else None
    return any(fitness(pool, 1.0) > 0.0 for pool in pools)


def discovery(config: Config, policy: ResidencyPolicy, *, now: float) -> Discovery | None:
    """None where nothing is to be told. `now` is wall seconds: agreements expire by the calendar."""
    clients = config.clients
    if clients is None:
        return None
    types = sorted({one.data_type for one in config.sync.collections}) if config.sync is not None else []
    local = config.node.region or ""
    regions = []
    for region in config.regions:
        told = clients.regions.get(region.id)
        url = str(told.url) if told is not None else region.gateway
        if url is None or not region.active:
            continue
        held = [
            name
            for name in types
            if policy.may(name, source=local, destination=region.id, purpose="route", now=now).allowed
        ]
        backup = told.backup_url if told is not None else None
        zones = tuple(region.compliance_zones)
        regions.append(
            ClientRegion(
                region.id,
                region.name or region.id,
                str(url),
                None if backup is None else str(backup),
                zones,
                tuple(held),
            )
        )
    health = clients.health
    return Discovery(
        region=local,
        regions=tuple(regions),
        default_region=None if clients.default_region == "auto" else clients.default_region,
        ttl_s=max(1, int(health.interval)),
        health_path=str(health.path),
        settings={
            "user_selectable": clients.user_selectable,
            "remember_last_region": clients.remember_last_region,
            "offline_fallback_region": clients.offline_fallback_region,
            "health": {
                "path": str(health.path),
                "interval_s": health.interval,
                "timeout_s": health.timeout,
                "auto_switch": health.auto_switch,
            },
        },
    )
