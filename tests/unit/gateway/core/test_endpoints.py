"""Configured endpoints, whom names stand for, and what is known of each."""

from __future__ import annotations

import json

from config.models import Service
from gateway.core.endpoints import as_configured, standing, with_state
from gateway.core.gate import NO_ORDER
from gateway.messages import EndpointState, OperatorState, ResolvedEndpoint

SERVICE = Service.model_validate_json(
    json.dumps(
        {
            "id": "api",
            "endpoints": [
                {"region": "eu", "address": "[::1]:80", "health_check": {"interval": "2s"}},
                {"region": "eu", "dns": "api.test", "port": 81, "weight": 3, "priority": 1},
            ],
        }
    )
)
PLAIN, NAME = (as_configured(SERVICE, endpoint, None) for endpoint in SERVICE.endpoints)


def test_an_endpoint_is_known_by_service_region_and_place() -> None:
    assert (PLAIN.id, PLAIN.host, PLAIN.port, PLAIN.probe_interval_s) == ("api/eu/[::1]:80", "::1", 80, 2.0)
    assert (NAME.id, NAME.host, NAME.port, NAME.probe_interval_s) == ("api/eu/api.test:81", "api.test", 81, 5.0)


def test_a_server_found_under_a_name_takes_the_words_of_the_name_and_of_its_record() -> None:
    found = {NAME.id: (ResolvedEndpoint("10.0.0.1", 81, "a.test", weight=2, priority=4),)}
    (server,) = standing((), (NAME,), found)
    assert (server.id, server.weight, server.priority, server.name) == ("api/eu/10.0.0.1:81", 6, 5, "a.test")


def test_a_server_that_is_configured_and_found_stands_once_as_configured() -> None:
    found = {NAME.id: (ResolvedEndpoint("::1", 80, "api.test"), ResolvedEndpoint("::1", 80, "api.test"))}
    assert list(standing((PLAIN,), (NAME,), found)) == [PLAIN]
    assert [one.id for one in standing((), (NAME,), found)] == ["api/eu/[::1]:80"]


def test_verdicts_and_orders_change_nothing_else() -> None:
    assert with_state(PLAIN, None, NO_ORDER) is PLAIN
    down = with_state(PLAIN, EndpointState("down", "http 500"), OperatorState(disabled=True))
    assert (down.id, down.health, down.health_reason, down.operator.disabled) == (PLAIN.id, "down", "http 500", True)
