"""A small three-region configuration for tests of pure routing, and requests to ask it about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from config.core.signing import Signer
from config.models import Config
from gateway.core.compiling import compile_routing
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.plans import CompiledRouting
from gateway.core.replicas import NOTHING_KNOWN, Replicas
from gateway.core.snapshot import RoutingSnapshot, build_snapshot
from gateway.messages import EndpointState, OperatorState

REGIONS = [
    {
        "id": "eu",
        "name": "Ireland",
        "location": {"continent": "EU", "country": "IE", "latitude": 53.35, "longitude": -6.26},
        "priority": 1,
        "compliance_zones": ["gdpr"],
        "gateway": "https://eu.gw.example.com",
    },
    {
        "id": "us",
        "name": "Virginia",
        "location": {"continent": "NA", "country": "US", "latitude": 38.95, "longitude": -77.45},
        "priority": 2,
    },
    {
        "id": "ap",
        "name": "Mumbai",
        "location": {"continent": "AS", "country": "IN", "latitude": 19.08, "longitude": 72.88},
        "priority": 3,
    },
]


def routed(
    path: str = "/*", *, strategy: str = "failover", prefer_local: bool = False, **fields: Any
) -> dict[str, Any]:
    """One route of service `api`."""
    return {
        "id": fields.pop("id", "r"),
        "match": {"path": path, **fields.pop("match", {})},
        "service": "api",
        "region_routing": {"strategy": strategy, "prefer_local": prefer_local},
        **fields,
    }


def config(*routes: dict[str, Any], region: str = "eu", **document: Any) -> Config:
    """Three regions with two endpoints each: `eu-1:80`, `eu-2:80`, and so on."""
    endpoints = [{"region": name, "address": f"{name}-{number}:80"} for name in ("eu", "us", "ap") for number in (1, 2)]
    return Config.model_validate_json(
        json.dumps(
            {
                "version": 1,
                "node": {"id": f"gw-{region}", "region": region},
                "listeners": [{"name": "public", "bind": "127.0.0.1:8080"}],
                "regions": REGIONS,
                "services": [{"id": "api", "endpoints": endpoints}],
                "routes": list(routes) or [routed()],
                "residency": {"rules": [{"data_type": "profile", "allowed_regions": ["eu"]}]},
                **document,
            }
        )
    )


def routing(*routes: dict[str, Any], signer: Signer | None = None, **document: Any) -> CompiledRouting:
    return compile_routing(config(*routes, **document), digest="d", now=0.0, signer=signer)


def snapshot(
    *routes: dict[str, Any],
    down: tuple[str, ...] = (),
    rtts: dict[str, float] | None = None,
    replicas: Replicas = NOTHING_KNOWN,
    signer: Signer | None = None,
    orders: Mapping[str, OperatorState] = MappingProxyType({}),
    **document: Any,
) -> RoutingSnapshot:
    """`down` and `orders` name endpoints as `eu-1`, or whole regions as `eu`."""
    compiled = routing(*routes, signer=signer, **document)
    endpoints = compiled.services["api"].endpoints
    states = {
        endpoint.id: EndpointState("down", "connection refused")
        for endpoint in endpoints
        if endpoint.host in down or endpoint.region in down
    }
    operator = {
        endpoint.id: orders.get(endpoint.host) or orders[endpoint.region]
        for endpoint in endpoints
        if endpoint.host in orders or endpoint.region in orders
    }
    return build_snapshot(
        compiled, version=1, endpoints=states, region_rtts=rtts or {}, operator=operator, replicas=replicas
    )


def head(path: str = "/", *, method: str = "GET", host: str = "h", fields: str = "") -> RequestHead:
    """`fields`: whole lines, with their ends."""
    return parse_request_head(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode("latin-1"))
