"""From the configuration to what is probed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from config.models import Config
from health.core.discovery import Found, Name
from health.core.probe import ProbeSettings, ProbeTarget, ProbeTls
from health.targets import names, targets


def configuration(*services: dict[str, Any]) -> Config:
    return Config.model_validate_json(
        json.dumps(
            {
                "node": {"id": "gw-1", "region": "eu"},
                "regions": [{"id": "eu", "minimum_capacity": "40%"}, {"id": "us"}],
                "services": list(services),
                "routes": [{"id": "all", "match": {"path": "/*"}, "service": services[0]["id"]}],
            }
        )
    )


def test_a_file_that_says_nothing_of_health_gets_the_documented_probe() -> None:
    found = targets(configuration({"id": "api", "endpoints": [{"region": "eu", "address": "10.1.0.11:8000"}]}))
    assert [target.endpoint for target in found] == ["api/eu/10.1.0.11:8000"]
    settings = found[0].settings
    assert (settings.interval_s, settings.timeout_s, settings.jitter) == (5.0, 1.0, 0.2)
    assert (settings.healthy_threshold, settings.unhealthy_threshold) == (2, 3)
    assert settings.expected_status == ((200, 299),)


def test_an_endpoint_overrides_its_services_probe_word_by_word() -> None:
    check = {
        "protocol": "http",
        "port": 9000,
        "path": "/ready?deep=1",
        "host": "api.example.com",
        "interval": "2s",
        "timeout": "250ms",
        "jitter": "10%",
        "healthy_threshold": 1,
        "unhealthy_threshold": 5,
        "expected_status": ["200-204", 401],
        "expected_body": "all well",
    }
    endpoints = [
        {"region": "eu", "address": "10.1.0.11:8000"},
        {"region": "us", "address": "[2001:db8::1]:8000", "health_check": {"path": "/other", "port": 9001}},
        {"region": "us", "address": "backend.internal:80", "health_check": {"protocol": "tcp"}},
    ]
    asked = ProbeSettings(
        protocol="http",
        path="/ready?deep=1",
        host="api.example.com",
        interval_s=2.0,
        timeout_s=0.25,
        jitter=0.1,
        healthy_threshold=1,
        unhealthy_threshold=5,
        expected_status=((200, 204), (401, 401)),
        expected_body="all well",
    )
    found = targets(configuration({"id": "api", "endpoints": endpoints, "health_check": check}))
    assert found[0] == ProbeTarget("api/eu/10.1.0.11:8000", "api", "eu", "10.1.0.11", 9000, asked, 0.4)
    assert (found[1].host, found[1].port, found[1].settings.path) == ("2001:db8::1", 9001, "/other")
    assert found[1].minimum_capacity == 0.3
    assert (found[2].host, found[2].port, found[2].settings.protocol) == ("backend.internal", 9000, "tcp")


def test_an_https_probe_speaks_tls_as_the_gateway_does(tmp_path: Path) -> None:
    for name in ("ca.pem", "gw.crt", "gw.key"):
        (tmp_path / name).touch()
    service = {
        "id": "api",
        "endpoints": [
            {"region": "eu", "address": "10.1.0.11:8443"},
            {"region": "eu", "address": "10.1.0.12:8443", "health_check": {"protocol": "tcp"}},
        ],
        "health_check": {"protocol": "https"},
        "upstream_tls": {
            "ca": f"{tmp_path}/ca.pem",
            "server_name": "api.internal",
            "client_certificate": f"{tmp_path}/gw.crt",
            "client_key": f"{tmp_path}/gw.key",
            "verify": False,
        },
    }
    over_tls, plain = targets(configuration(service))
    assert over_tls.settings.tls == ProbeTls(
        ca=f"{tmp_path}/ca.pem",
        server_name="api.internal",
        client_certificate=f"{tmp_path}/gw.crt",
        client_key=f"{tmp_path}/gw.key",
        verify=False,
    )
    assert plain.settings.tls is None


def test_every_service_is_probed() -> None:
    one = {"id": "one", "endpoints": [{"region": "eu", "address": "10.1.0.11:8000"}]}
    two = {"id": "two", "endpoints": [{"region": "eu", "address": "10.1.0.11:8000"}]}
    names = [target.endpoint for target in targets(configuration(one, two))]
    assert names == ["one/eu/10.1.0.11:8000", "two/eu/10.1.0.11:8000"]


def test_a_grpc_probe_speaks_tls_where_the_gateway_does() -> None:
    endpoints = [{"region": "eu", "address": "10.1.0.11:8000"}]
    check = {"protocol": "grpc", "grpc_service": "shop.Cart"}
    (plain,) = targets(configuration({"id": "api", "endpoints": endpoints, "health_check": check}))
    assert (plain.settings.protocol, plain.settings.grpc_service, plain.settings.tls) == ("grpc", "shop.Cart", None)
    tls = {"server_name": "api.example.com"}
    service = {"id": "api", "endpoints": endpoints, "health_check": check, "upstream_tls": tls}
    (secure,) = targets(configuration(service))
    assert secure.settings.tls == ProbeTls(server_name="api.example.com")


NAMED = {
    "id": "api",
    "endpoints": [
        {"region": "eu", "address": "10.0.0.1:80", "health_check": {"path": "/own"}},
        {"region": "eu", "dns": "api.internal", "port": 80},
        {"region": "us", "dns_srv": "_http._tcp.api.internal"},
    ],
    "health_check": {"protocol": "https", "path": "/ready"},
}


def test_names_are_what_has_to_be_looked_up() -> None:
    assert list(names(configuration(NAMED))) == [
        Name("api/eu/api.internal:80", "dns", "api.internal", 80),
        Name("api/us/srv:_http._tcp.api.internal", "dns_srv", "_http._tcp.api.internal", None),
    ]
    assert [target.endpoint for target in targets(configuration(NAMED))] == ["api/eu/10.0.0.1:80"]


def test_every_server_behind_a_name_is_probed_once_and_configured_ones_by_their_own_words() -> None:
    found = {
        "api/eu/api.internal:80": [Found(0, "10.0.0.1", 80, "api.internal"), Found(0, "::1", 80, "api.internal")],
        "api/us/srv:_http._tcp.api.internal": [Found(1, "10.0.0.2", 8443, "a.internal", 5)],
    }
    probed = {target.endpoint: target for target in targets(configuration(NAMED), found)}
    assert list(probed) == ["api/eu/10.0.0.1:80", "api/eu/[::1]:80", "api/us/10.0.0.2:8443"]
    assert probed["api/eu/10.0.0.1:80"].settings.path == "/own"
    assert probed["api/eu/[::1]:80"].host == "::1"
    assert probed["api/us/10.0.0.2:8443"].settings.path == "/ready"
    assert probed["api/us/10.0.0.2:8443"].settings.tls == ProbeTls(server_name="a.internal")


def test_what_is_behind_another_regions_gateway_is_not_probed_but_the_gateway_is() -> None:
    endpoints = [
        {"region": "eu", "address": "10.1.0.11:8000"},
        {"region": "us", "address": "10.2.0.11:8000"},
        {"region": "us", "dns": "api.us.internal", "port": 8000},
    ]
    config = Config.model_validate_json(
        json.dumps(
            {
                "node": {"id": "gw-1", "region": "eu"},
                "regions": [
                    {"id": "eu", "reach": "gateway", "gateway": "https://eu.example.com"},
                    {"id": "us", "reach": "gateway", "gateway": "https://us.example.com", "minimum_capacity": "40%"},
                ],
                "services": [{"id": "api", "endpoints": endpoints, "health_check": {"interval": "2s"}}],
                "routes": [{"id": "all", "match": {"path": "/*"}, "service": "api"}],
            }
        )
    )
    own, gateway = targets(config)
    assert (own.endpoint, own.settings.protocol) == ("api/eu/10.1.0.11:8000", "tcp")
    assert (gateway.endpoint, gateway.host, gateway.port) == ("api/us/us.example.com:443", "us.example.com", 443)
    assert (gateway.settings.protocol, gateway.settings.interval_s, gateway.minimum_capacity) == ("tcp", 2.0, 0.4)
    assert list(names(config)) == []
