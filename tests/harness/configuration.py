"""The smallest real configuration, for tests that need one and do not care which."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from config.loader import Loaded, load_text


def document() -> dict[str, Any]:
    return {
        "version": 1,
        "node": {"id": "gw1", "region": "eu"},
        "listeners": [{"name": "public", "bind": "127.0.0.1:8080"}],
        "admin": {"bind": "127.0.0.1:9900"},
        "regions": [{"id": "eu"}, {"id": "us"}],
        "services": [
            {
                "id": "api",
                "endpoints": [
                    {"region": "eu", "address": "127.0.0.1:7001"},
                    {"region": "us", "address": "127.0.0.1:7002"},
                ],
            }
        ],
        "routes": [{"id": "api", "match": {"path": "/*"}, "service": "api"}],
    }


def load(
    *,
    edit: Callable[[dict[str, Any]], Any] = lambda document: None,
    file: Path = Path("/etc/tidegate/tidegate.yaml"),
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """`document()`, edited and loaded."""
    changed = document()
    edit(changed)
    return load_text(json.dumps(changed), file=file, environ=environ or {})
