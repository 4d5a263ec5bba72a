"""Traefik: `GOMAXPROCS=1`, its Prometheus metrics counting."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from bench.fetching import fetch
from bench.peers.contestant import absent, found
from bench.peers.exposition import total
from bench.setting import IDLE_S, MAX_UPSTREAM, Launch, Place, Setting, route_paths


class Traefik:
    name = "Traefik"

    def missing(self) -> str | None:
        return absent("traefik")

    def version(self) -> str:
        shown = subprocess.run([found("traefik"), "version"], capture_output=True, text=True, check=True)
        return shown.stdout.split()[1]

    def refuses(self, setting: Setting, place: Place) -> str | None:
        return "Traefik has no outlier detection" if setting.policies else None

    def prepare(self, setting: Setting, place: Place) -> Launch:
        # JSON is YAML, and Traefik reads only files that are named so.
        (place.directory / "traefik.yaml").write_text(json.dumps(static(setting, place)))
        (place.directory / "dynamic.yaml").write_text(json.dumps(dynamic(setting, place)))
        return Launch(
            (found("traefik"), f"--configFile={place.path('traefik.yaml')}"),
            {"GOMAXPROCS": "1", "HOME": str(place.directory)},
        )

    def measured(self, place: Place, pids: Sequence[int]) -> Sequence[int]:
        return pids

    def counted(self, place: Place) -> int | None:
        return total(fetch(place.admin_port, "/metrics")[1], "traefik_entrypoint_requests_total", 'entrypoint="public"')


def static(setting: Setting, place: Place) -> dict[str, Any]:
    document: dict[str, Any] = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "ERROR"},
        "entryPoints": {
            "public": {
                "address": f"127.0.0.1:{place.port}",
                "transport": {"respondingTimeouts": {"idleTimeout": f"{IDLE_S}s"}},
            },
            "metrics": {"address": f"127.0.0.1:{place.admin_port}"},
        },
        "metrics": {"prometheus": {"entryPoint": "metrics"}},
        "providers": {"file": {"filename": place.path("dynamic.yaml"), "watch": False}},
    }
    if setting.access_log:
        document["accessLog"] = {"filePath": place.path("access.log"), "format": "json", "bufferingSize": 100}
    return document


def dynamic(setting: Setting, place: Place) -> dict[str, Any]:
    routers = {
        f"r{number}": {
            "entryPoints": ["public"],
            "rule": f"PathPrefix(`{path}`)",
            "service": "service",
            **({"tls": {}} if setting.tls else {}),
        }
        for number, path in enumerate(route_paths(setting))
    }
    service = {
        "serversTransport": "kept",
        "servers": [{"url": f"http://{address}"} for address in place.backends],
    }
    document: dict[str, Any] = {
        "http": {
            "routers": routers,
            "services": {"service": {"loadBalancer": service}},
            "serversTransports": {"kept": {"maxIdleConnsPerHost": MAX_UPSTREAM}},
        }
    }
    if setting.tls:
        pair = {"certFile": str(setting.tls.certificate), "keyFile": str(setting.tls.private_key)}
        document["tls"] = {"certificates": [pair]}
    return document
