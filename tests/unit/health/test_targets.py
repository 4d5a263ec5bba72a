"""From the configuration to what is probed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.models import Config
from health.core.probe import ProbeSettings, ProbeTarget, ProbeTls
from health.targets import targets


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


def test_what_cannot_be_probed_is_refused_by_name() -> None:
    named = {"id": "api", "endpoints": [{"region": "eu", "dns": "api.internal", "port": 80}]}
    with pytest.raises(ValueError, match=r"api/eu/api\.internal:80 has no address"):
        targets(configuration(named))
    secure = {
        "id": "api",
        "endpoints": [{"region": "eu", "address": "10.1.0.11:8000"}],
        "health_check": {"protocol": "udp"},
    }
    with pytest.raises(ValueError, match="to be probed by udp, expected http, https or tcp"):
        targets(configuration(secure))
