"""Envoy: `--concurrency 1`, its statistics counting. The package brings the binary of the official release."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from bench.fetching import fetch
from bench.peers.contestant import absent, found
from bench.setting import IDLE_S, MAX_CLIENTS, MAX_UPSTREAM, Launch, Place, Setting, route_paths

TYPES = "type.googleapis.com/envoy.extensions"


class Envoy:
    name = "Envoy"

    def missing(self) -> str | None:
        return absent("envoy")

    def version(self) -> str:
        shown = subprocess.run([found("envoy"), "--version"], capture_output=True, text=True, check=True)
        return shown.stdout.rpartition("version:")[2].split("/")[1]

    def refuses(self, setting: Setting, place: Place) -> str | None:
        return None

    def prepare(self, setting: Setting, place: Place) -> Launch:
        (place.directory / "envoy.json").write_text(json.dumps(configuration(setting, place)))
        options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
        return Launch((found("envoy"), "-c", place.path("envoy.json"), *options))

    def measured(self, place: Place, pids: Sequence[int]) -> Sequence[int]:
        return pids

    def counted(self, place: Place) -> int | None:
        name = "http.public.downstream_rq_total"
        return int(fetch(place.admin_port, f"/stats?filter=^{name}$")[1].rpartition(":")[2])


def _address(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _typed(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"{TYPES}.{kind}", **fields}


def configuration(setting: Setting, place: Place) -> dict[str, Any]:
    chain: dict[str, Any] = {"filters": [_connection_manager(setting, place)]}
    if setting.tls:
        certificate = {
            "certificate_chain": {"filename": str(setting.tls.certificate)},
            "private_key": {"filename": str(setting.tls.private_key)},
        }
        kind = "transport_sockets.tls.v3.DownstreamTlsContext"
        chain["transport_socket"] = {
            "name": "tls",
            "typed_config": _typed(kind, common_tls_context={"tls_certificates": [certificate]}),
        }
    listener = {
        "name": "public",
        "address": _address(f"127.0.0.1:{place.port}"),
        "tcp_backlog_size": 4096,
        "filter_chains": [chain],
    }
    return {
        "admin": {"address": _address(f"127.0.0.1:{place.admin_port}")},
        "static_resources": {"listeners": [listener], "clusters": [_cluster(setting, place)]},
    }


def _connection_manager(setting: Setting, place: Place) -> dict[str, Any]:
    filters = []
    if setting.policies:
        bucket = {"max_tokens": setting.limit_per_s, "tokens_per_fill": setting.limit_per_s, "fill_interval": "1s"}
        always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
        kind = "filters.http.local_ratelimit.v3.LocalRateLimit"
        limit = _typed(kind, stat_prefix="limit", token_bucket=bucket, filter_enabled=always, filter_enforced=always)
        cookie = {"cookie": {"name": "tidegate_session", "path": "/", "ttl": "3600s"}}
        state = {
            "name": "envoy.http.stateful_session.cookie",
            "typed_config": _typed("http.stateful_session.cookie.v3.CookieBasedSessionState", **cookie),
        }
        sticky = _typed("filters.http.stateful_session.v3.StatefulSession", session_state=state)
        filters += [
            {"name": "envoy.filters.http.local_ratelimit", "typed_config": limit},
            {"name": "envoy.filters.http.stateful_session", "typed_config": sticky},
        ]
    filters.append({"name": "envoy.filters.http.router", "typed_config": _typed("filters.http.router.v3.Router")})
    routes = [{"match": {"prefix": path}, "route": {"cluster": "service"}} for path in route_paths(setting)]
    log = _typed("access_loggers.file.v3.FileAccessLog", path=place.path("access.log"))
    kind = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {
        "name": "manager",
        "typed_config": _typed(
            kind,
            stat_prefix="public",
            codec_type="HTTP1",
            use_remote_address=True,
            common_http_protocol_options={"idle_timeout": f"{IDLE_S}s"},
            upgrade_configs=[{"upgrade_type": "websocket"}] if setting.tunnel else [],
            access_log=[{"name": "file", "typed_config": log}] if setting.access_log else [],
            route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
            http_filters=filters,
        ),
    }


def _cluster(setting: Setting, place: Place) -> dict[str, Any]:
    endpoints = [{"endpoint": {"address": _address(address)}} for address in place.backends]
    most = {"max_connections": MAX_UPSTREAM, "max_pending_requests": MAX_CLIENTS, "max_requests": MAX_CLIENTS}
    cluster: dict[str, Any] = {
        "name": "service",
        "type": "STATIC",
        "lb_policy": "LEAST_REQUEST",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [most]},
        "load_assignment": {"cluster_name": "service", "endpoints": [{"lb_endpoints": endpoints}]},
    }
    if setting.policies:
        cluster["outlier_detection"] = {"consecutive_5xx": 5, "interval": "10s", "max_ejection_percent": 50}
    return cluster
