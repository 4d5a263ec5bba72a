"""Which configuration do the regions of a run share? One of a few shapes, and small changes of it while they run.

eu (leads at first), us, ap     `profiles` and `me` may be in eu and us alone, though `me` has servers everywhere
web     everywhere              me    by what a session has seen
app     sessions stick          data  notes everywhere, profiles bound, a ledger that one region writes
"""

from __future__ import annotations

import dataclasses
import functools
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.core.signing import Signer
from config.loader import Loaded, load_text
from config.models import Config
from sync.core.levels import WriteLevel
from sync.core.policy import ConflictPolicy

REGIONS: Final = ("eu", "us", "ap")
BOUND: Final = ("eu", "us")
FILE: Final = Path("/tidegate.yaml")
ENVIRON: Final[Mapping[str, str]] = {"MESH_KEY": "key of the simulated mesh", "MESH_SECRET": "its secret"}
SIGNER: Final = Signer((b"key of the simulated mesh",))
RPO_S: Final = 5.0
LEASE_S, RENEW_S = 3.0, 0.75
PREFERENCE: Final = "X-Region"


@dataclass(frozen=True)
class Shape:
    """What a seed chooses; the same in all regions."""

    conflict: ConflictPolicy = "vector_clock"
    ledger_level: WriteLevel = "majority"
    failback: str = "manual"
    ap_is_for_disasters: bool = False
    edition: int = 0
    """Changed by a reload: how long a session's cookie lives, the weight of an endpoint."""

    def changed(self) -> Shape:
        return dataclasses.replace(self, edition=self.edition + 1)


def drawn(rng: random.Random) -> Shape:
    return Shape(
        conflict=rng.choice(["last_write_wins", "vector_clock"]),
        ledger_level=rng.choice(["local", "majority", "majority"]),
        failback=rng.choice(["manual", "automatic"]),
        ap_is_for_disasters=rng.random() < 0.2,
    )


def peer_of(region: str) -> str:
    """The address of a region's node, as its peers know it."""
    return f"http://{region}.mesh:7000"


@functools.lru_cache(maxsize=256)
def loaded(shape: Shape, region: str) -> Loaded:
    return load_text(json.dumps(_document(shape, region)), file=FILE, environ=ENVIRON, host_name=region)


def config(shape: Shape, region: str) -> Config:
    return loaded(shape, region).config


def _document(shape: Shape, region: str) -> dict[str, Any]:
    roles = {"eu": "primary", "ap": "disaster_recovery" if shape.ap_is_for_disasters else "secondary"}
    return {
        "version": 1,
        "node": {"id": f"gw-{region}", "region": region, "data_dir": f"/{region}", "workers": 1},
        "listeners": [{"name": "public", "bind": "127.0.0.1:8080"}],
        "regions": [
            {
                "id": name,
                "priority": number,
                "role": roles.get(name, "secondary"),
                "peers": [peer_of(name)],
                "gateway": f"https://{name}.example.com",
            }
            for number, name in enumerate(REGIONS)
        ],
        "services": [_service(shape, name) for name in ("web", "me", "app")],
        "routes": [
            _data("profiles", "profile"),
            _data("ledger", "entry"),
            _data("notes", "note"),
            _route("me", data_types=["profile"], consistency="read_your_writes", consistency_wait="300ms"),
            _route("app"),
            _route("web"),
        ],
        "residency": {
            "rules": [
                {"data_type": "profile", "allowed_regions": list(BOUND)},
                {"data_type": "note", "allowed_regions": "*"},
                {"data_type": "entry", "allowed_regions": "*"},
            ]
        },
        "sync": {
            "collections": [
                {"name": "notes", "data_type": "note", "conflict": shape.conflict},
                {"name": "profiles", "data_type": "profile", "conflict": shape.conflict},
                {
                    "name": "ledger",
                    "data_type": "entry",
                    "conflict": "vector_clock",
                    "strategy": "primary",
                    "primary": "eu",
                    "write_level": shape.ledger_level,
                },
            ],
            "max_clock_skew": "500ms",
        },
        "peer": {"bind": "127.0.0.1:7000", "secret": "env:MESH_SECRET"},
        "secrets": {"signing_keys": ["env:MESH_KEY"]},
        "election": {"lease": f"{LEASE_S:g}s", "renew": f"{RENEW_S * 1000:g}ms"},
        "failover": {
            "trigger": "automatic",
            "failback": shape.failback,
            "detection": {"interval": "500ms", "timeout": "2s"},
            "hysteresis": "5s",
            "backoff": {"initial": "500ms", "max": "4s"},
        },
        "disaster_recovery": {"rpo": f"{RPO_S:g}s"},
    }


def _service(shape: Shape, name: str) -> dict[str, Any]:
    endpoints = [
        {"region": region, "address": f"{region}-{number}.{name}:80", "weight": 1 + (number + shape.edition) % 2}
        for region in REGIONS
        for number in (1, 2)
    ]
    service: dict[str, Any] = {
        "id": name,
        "endpoints": endpoints,
        "health_check": {
            "interval": "1s",
            "timeout": "600ms",
            "healthy_threshold": 2,
            "unhealthy_threshold": 2,
        },
        "load_balancing": {"slow_start": "1s"},
        "timeouts": {"connect": "500ms", "response_head": "1s", "total": "4s"},
        "retries": {"max_retries": 2, "retry_on": ["connect_failure", "reset", 503]},
    }
    if name == "web":
        service["circuit_breaker"] = {}
        service["outlier_detection"] = {}
    if name == "app":
        service["sticky_session"] = {"attributes": {"max_age": f"{3600 + shape.edition}s"}}
    return service


def _route(name: str, **more: Any) -> dict[str, Any]:
    routing = {"strategy": "failover", "prefer_local": True, "preference_header": PREFERENCE}
    return {"id": name, "match": {"path": f"/{name}/*"}, "service": name, "region_routing": routing, **more}


def _data(collection: str, data_type: str) -> dict[str, Any]:
    return {
        "id": f"data-{collection}",
        "match": {"path": f"/data/v1/{collection}/*"},
        "service": "builtin:data",
        "data_types": [data_type],
        "consistency": "read_your_writes",
        "consistency_wait": "300ms",
    }
