"""Tidegate, as a user starts it: `tidegate serve` with one worker and every default policy on.

Only the worker carries traffic and is compared; the supervisor and the control process (probes, admin API, metrics)
are accounted beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.fetching import fetch
from bench.peers.exposition import total
from bench.setting import IDLE_S, MAX_CLIENTS, MAX_UPSTREAM, Launch, Place, Setting, route_paths


class Tidegate:
    def __init__(self, name: str = "Tidegate", tree: Path | None = None) -> None:
        self.name = name
        self._tree = tree
        """Another working tree to run from, to compare with."""

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        return metadata.version("tidegate")

    def refuses(self, setting: Setting, place: Place) -> str | None:
        return None

    def prepare(self, setting: Setting, place: Place) -> Launch:
        (place.directory / "tidegate.yaml").write_text(json.dumps(configuration(setting, place)))
        # Without the second, Python would look into the working directory first, for the children too.
        environment = {"PYTHONPATH": str(self._tree or Path.cwd()), "PYTHONSAFEPATH": "1"}
        return Launch((sys.executable, "-m", "tidegate", "serve", "--config", place.path("tidegate.yaml")), environment)

    def measured(self, place: Place, pids: Sequence[int]) -> Sequence[int]:
        status = json.loads(fetch(place.admin_port, "/v1/status")[1])
        return [child["pid"] for child in status["processes"]["children"] if child["role"] == "worker"]

    def counted(self, place: Place) -> int | None:
        return total(fetch(place.admin_port, "/metrics")[1], "tidegate_requests_total")


def configuration(setting: Setting, place: Place) -> dict[str, Any]:
    listener: dict[str, Any] = {
        "name": "public",
        "bind": f"127.0.0.1:{place.port}",
        "limits": {"max_connections": MAX_CLIENTS},
        "timeouts": {"idle": f"{IDLE_S}s"},
    }
    if setting.tls:
        pair = {"certificate": str(setting.tls.certificate), "private_key": str(setting.tls.private_key)}
        listener["tls"] = {"certificates": [pair]}
    if setting.tunnel:
        listener["timeouts"]["tunnel_idle"] = "1h"
    service: dict[str, Any] = {
        "id": "service",
        "endpoints": [{"region": "here", "address": address} for address in place.backends],
        "timeouts": {"keep_alive": f"{IDLE_S}s"},
        "concurrency": {"max_connections": MAX_UPSTREAM, "max_requests": MAX_CLIENTS, "max_pending": MAX_CLIENTS},
    }
    paths = route_paths(setting)
    routes: list[dict[str, Any]] = [
        {"id": f"r{number}", "match": {"path": f"{path}*"}, "service": "service"} for number, path in enumerate(paths)
    ]
    if setting.policies:
        service["outlier_detection"] = {"interval": "10s"}
        service["sticky_session"] = {"attributes": {"secure": False}}
        for route in routes:
            route["rate_limit"] = [{"key": ["ip"], "rate": f"{setting.limit_per_s}/s", "burst": setting.limit_per_s}]
    return {
        "version": 1,
        "node": {"id": "bench", "region": "here", "workers": 1, "data_dir": place.path("data")},
        "listeners": [listener],
        "admin": {"bind": f"127.0.0.1:{place.admin_port}"},
        "regions": [{"id": "here"}],
        "services": [service],
        "routes": routes,
        "observability": {"access_log": {"enabled": setting.access_log, "path": place.path("access.log")}},
    }
