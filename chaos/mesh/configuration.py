"""The one configuration file that all nodes read, as JSON, which is YAML.

What differs between nodes is in their environment (`NodePlan.environment`): the file names all regions alike.

    api, bound, limited     services and routes that are free, bound to a place, limited on each node
    shared                  limited on all nodes together, where there is a Redis
    kept                    with sticky sessions
    data                    the data API
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chaos.mesh.plan import (
    ADMIN,
    BACKENDS,
    CONNECT_S,
    COUNTED_IN,
    HOME,
    LEASE_S,
    LIMIT_BURST,
    LIMIT_RATE,
    PEER,
    PROBE_INTERVAL_S,
    PROBE_JITTER,
    PROBE_THRESHOLD,
    PROBE_TIMEOUT_S,
    PUBLIC,
    REDIS,
    REGIONS,
    RENEW_S,
    RESPONSE_HEAD_S,
    SERVICES,
    SHARED_BURST,
    SHARED_RATE,
    NodePlan,
    Setting,
    address,
    name_of,
)


def configuration(setting: Setting, node: NodePlan, *, authority: Path) -> str:
    """`node`: whose it is where its environment says nothing else."""
    document: dict[str, Any] = {
        "version": 1,
        "node": {
            "id": node.id,
            "region": node.region,
            "data_dir": str(node.data_dir),
            "workers": 1,
            "shutdown_grace": "2s",
        },
        "secrets": {"signing_keys": ["env:CHAOS_SIGNING_KEY"], "data_keys": ["env:CHAOS_DATA_KEY"]},
        "listeners": [{"name": "public", "bind": f"{address(node.region)}:{PUBLIC}"}],
        "admin": {
            "bind": f"{address(node.region)}:{ADMIN}",
            "tokens": [{"name": "chaos", "role": "operator", "token": "env:CHAOS_ADMIN"}],
        },
        "peer": {
            "bind": f"{address(node.region)}:{PEER}",
            "tls": {
                "certificate": str(node.certificate),
                "private_key": str(node.private_key),
                "ca": str(authority),
            },
        },
        "stores": _stores(setting),
        "election": {"lease": _seconds(LEASE_S), "renew": _seconds(RENEW_S)},
        "regions": [
            {"id": region, "priority": place, "peers": [f"https://{name_of(region)}:{PEER}"]}
            for place, region in enumerate(REGIONS, start=1)
        ],
        "services": [_service(name) for name in SERVICES],
        "routes": _routes(setting),
        "residency": {
            "rules": [
                {"data_type": "note", "allowed_regions": "*"},
                {"data_type": "setting", "allowed_regions": "*"},
                {"data_type": "public", "allowed_regions": "*"},
                {"data_type": "profile", "allowed_regions": list(HOME)},
            ],
            "audit": {"enabled": True},
        },
        "sync": {
            "ack_timeout": "1s",
            **({"anti_entropy": {"interval": "5s"}} if setting.compares_often else {}),
            "collections": [
                {"name": "notes", "data_type": "note", "conflict": "vector_clock"},
                {"name": "settings", "data_type": "setting", "conflict": "last_write_wins"},
                {"name": "profiles", "data_type": "profile", "conflict": "vector_clock"},
            ],
        },
        "observability": {"access_log": {"enabled": False}},
    }
    return json.dumps(document, indent=1)


def _stores(setting: Setting) -> dict[str, Any]:
    stores: dict[str, Any] = {"state": {"kind": setting.state}}
    if setting.state == "postgres":
        stores["state"]["dsn"] = "env:CHAOS_STATE"
    elif setting.state == "redis":
        stores["state"]["urls"] = [f"redis://{name_of(region)}:{REDIS}/0" for region in REGIONS]
    if setting.data == "postgres":
        stores["data"] = {"kind": "postgres", "dsn": "env:CHAOS_DATA"}
    if setting.counts_together:
        counted = f"redis://{name_of(COUNTED_IN)}:{REDIS}/1"
        stores["limits"] = {"kind": "redis", "region": "env:CHAOS_LIMITS", "global": counted}
    return stores


def _service(name: str) -> dict[str, Any]:
    # Secure would keep the cookie from clients that come without TLS.
    sticky = {"sticky_session": {"attributes": {"secure": False}}} if name == "kept" else {}
    return {
        "id": name,
        **sticky,
        "endpoints": [
            {"region": region, "address": f"{name_of(region)}:{port}"} for region in REGIONS for port in BACKENDS
        ],
        "health_check": {
            "protocol": "http",
            "path": "/healthz",
            "interval": _seconds(PROBE_INTERVAL_S),
            "timeout": _seconds(PROBE_TIMEOUT_S),
            "jitter": f"{PROBE_JITTER:.0%}",
            "healthy_threshold": PROBE_THRESHOLD,
            "unhealthy_threshold": PROBE_THRESHOLD,
        },
        "timeouts": {"connect": _seconds(CONNECT_S), "response_head": _seconds(RESPONSE_HEAD_S), "idle": "10s"},
        # As large as the traffic: until a fault is found out, each request that meets it is tried again.
        "retries": {"max_retries": 3, "budget": "100%", "min_retries": "100/s"},
    }


def _routes(setting: Setting) -> list[dict[str, Any]]:
    together = [_limited("shared", SHARED_RATE, SHARED_BURST, scope="global")] if setting.counts_together else []
    return [
        {"id": "data", "match": {"path": "/data/v1/*"}, "service": "builtin:data"},
        {
            "id": "bound",
            "match": {"path": "/bound/*"},
            "service": "api",
            "data_types": ["profile"],
            "region_routing": {"strategy": "failover"},
        },
        _limited("limited", LIMIT_RATE, LIMIT_BURST, scope="node"),
        *together,
        {"id": "kept", "match": {"path": "/kept/*"}, "service": "kept", "data_types": ["public"]},
        {"id": "app", "match": {"path": "/*"}, "service": "api", "data_types": ["public"]},
    ]


def _limited(name: str, rate: int, burst: int, *, scope: str) -> dict[str, Any]:
    return {
        "id": name,
        "match": {"path": f"/{name}/*"},
        "service": "api",
        "data_types": ["public"],
        "rate_limit": [{"key": ["route"], "rate": f"{rate}/s", "burst": burst, "scope": scope}],
    }


def _seconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
