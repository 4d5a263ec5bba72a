"""Caddy: `GOMAXPROCS=1`, its Prometheus metrics counting."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from bench.fetching import fetch
from bench.peers.contestant import absent, found
from bench.peers.exposition import total
from bench.setting import IDLE_S, MAX_UPSTREAM, Launch, Place, Setting, route_paths

NANOSECONDS = 1_000_000_000


class Caddy:
    name = "Caddy"

    def missing(self) -> str | None:
        return absent("caddy")

    def version(self) -> str:
        shown = subprocess.run([found("caddy"), "version"], capture_output=True, text=True, check=True)
        return shown.stdout.split()[0].removeprefix("v")

    def refuses(self, setting: Setting, place: Place) -> str | None:
        return "Caddy has no rate limit without a plug-in" if setting.policies else None

    def prepare(self, setting: Setting, place: Place) -> Launch:
        (place.directory / "caddy.json").write_text(json.dumps(configuration(setting, place)))
        environment = {"GOMAXPROCS": "1", "HOME": str(place.directory), "XDG_DATA_HOME": str(place.directory)}
        return Launch((found("caddy"), "run", "--config", place.path("caddy.json")), environment)

    def measured(self, place: Place, pids: Sequence[int]) -> Sequence[int]:
        return pids

    def counted(self, place: Place) -> int | None:
        return total(fetch(place.admin_port, "/metrics")[1], "caddy_http_request_duration_seconds_count")


def configuration(setting: Setting, place: Place) -> dict[str, Any]:
    proxy = {
        "handler": "reverse_proxy",
        "load_balancing": {"selection_policy": {"policy": "least_conn" if setting.endpoints > 1 else "round_robin"}},
        "transport": {
            "protocol": "http",
            "compression": False,
            "keep_alive": {"max_idle_conns": MAX_UPSTREAM, "max_idle_conns_per_host": MAX_UPSTREAM},
        },
        "upstreams": [{"dial": address} for address in place.backends],
    }
    server: dict[str, Any] = {
        "listen": [f"127.0.0.1:{place.port}"],
        "protocols": ["h1"],
        "idle_timeout": IDLE_S * NANOSECONDS,
        "automatic_https": {"disable": True},
        "routes": [{"match": [{"path": [f"{path}*"]}], "handle": [proxy]} for path in route_paths(setting)],
    }
    apps: dict[str, Any] = {"http": {"metrics": {}, "servers": {"public": server}}}
    if setting.tls:
        pair = {"certificate": str(setting.tls.certificate), "key": str(setting.tls.private_key)}
        apps["tls"] = {"certificates": {"load_files": [pair]}}
        server["tls_connection_policies"] = [{}]
    logs: dict[str, Any] = {"default": {"level": "ERROR"}}
    if setting.access_log:
        server["logs"] = {"default_logger_name": "access"}
        writer = {"output": "file", "filename": place.path("access.log")}
        logs["access"] = {"writer": writer, "include": ["http.log.access.access"]}
    return {
        "admin": {"listen": f"127.0.0.1:{place.admin_port}", "config": {"persist": False}},
        "logging": {"logs": logs},
        "apps": apps,
    }
