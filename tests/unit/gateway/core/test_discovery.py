"""What clients are told: the regions meant for them, the best first, and nothing internal."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from config.core.signing import Signer
from gateway.core.compiling import compile_routing
from gateway.core.decision import Refusal, decide
from gateway.core.discovery import PURPOSE
from gateway.core.head import parse_request_head
from gateway.core.problems import Answer
from gateway.core.snapshot import build_snapshot
from gateway.messages import EndpointState, OperatorState
from tests.harness.routing import config, routed, routing, snapshot

CLIENTS: dict[str, Any] = {
    "regions": {
        "eu": {"url": "https://eu.gw.example.com", "backup_url": "https://gw.example.com"},
        "us": {"url": "https://us.gw.example.com"},
        "ap": {"url": "https://ap.gw.example.com"},
    }
}
PATH = "/.well-known/tidegate"


def asked(
    clients: dict[str, Any] = CLIENTS,
    *,
    path: str = PATH,
    method: str = "GET",
    country: str | None = None,
    fields: str = "",
    down: tuple[str, ...] = (),
    **document: Any,
) -> Answer:
    head = parse_request_head(f"{method} {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n".encode())
    live = snapshot(routed(), down=down, clients=clients, **document)
    decided = decide(live, head, "public", lambda: country)
    assert isinstance(decided, Refusal)
    return decided.answer


def told(clients: dict[str, Any] = CLIENTS, **facts: Any) -> dict[str, Any]:
    answer = asked(clients, **facts)
    assert (answer.status, answer.body is None) == (200, False)
    document: dict[str, Any] = json.loads(answer.body or b"")
    return document


def test_the_nearest_to_the_client_comes_first_and_what_cannot_serve_last() -> None:
    assert told(country="IN")["order"] == ["ap", "eu", "us"]
    assert told(country="US")["order"][0] == "us"
    assert told()["order"][0] == "eu", "near this node, where the country is not known"
    found = told(country="US", down=("us",))
    assert found["order"] == ["eu", "ap", "us"]
    us = next(one for one in found["regions"] if one["id"] == "us")
    assert (us["healthy"], us["recommended"]) == (False, False)
    assert [one["id"] for one in found["regions"] if one["recommended"]] == ["eu"]


def test_a_default_is_recommended_to_everybody_while_it_can_serve() -> None:
    clients = {**CLIENTS, "default_region": "us"}
    assert (told(clients, country="IN")["order"], told(clients)["default_region"]) == (["us", "ap", "eu"], "us")
    assert told(clients, country="IN", down=("us",))["order"] == ["ap", "eu", "us"]


def test_with_no_region_that_can_serve_none_is_recommended() -> None:
    found = told(down=("eu", "us", "ap"))
    assert [one["recommended"] for one in found["regions"]] == [False, False, False]
    assert found["default_region"] is None


def test_a_drained_region_is_none_to_go_to() -> None:
    compiled = routing(routed(), clients=CLIENTS)
    endpoints = [one.id for one in compiled.services["api"].endpoints if one.region == "us"]
    live = build_snapshot(
        compiled,
        version=1,
        endpoints={one: EndpointState("up", "http 200") for one in endpoints},
        region_rtts={},
        operator={one: OperatorState(share=0.0, is_draining=True, reason="patching") for one in endpoints},
    )
    head = parse_request_head(f"GET {PATH} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    decided = decide(live, head, "public", lambda: "US")
    assert isinstance(decided, Refusal)
    assert json.loads(decided.answer.body or b"")["order"][-1] == "us"


def test_a_region_is_told_with_its_urls_and_what_it_may_hold_and_no_address_of_ours() -> None:
    collections = [{"name": "p", "data_type": "profile", "conflict": "manual"}]
    found = told(sync={"collections": collections}, clients=CLIENTS)
    eu, us = (next(one for one in found["regions"] if one["id"] == name) for name in ("eu", "us"))
    assert (eu["name"], eu["url"], eu["backup_url"]) == (
        "Ireland",
        "https://eu.gw.example.com",
        "https://gw.example.com",
    )
    assert eu["residency"] == {"zones": ["gdpr"], "data_types": ["profile"]}
    assert us["residency"] == {"zones": [], "data_types": []}
    text = json.dumps(found)
    for internal in ("gw-eu", "eu-1", "127.0.0.1"):
        assert internal not in text


def test_a_region_without_a_url_for_clients_is_told_by_its_gateway_or_not_at_all() -> None:
    found = told({"regions": {}})
    assert [one["id"] for one in found["regions"]] == ["eu"]


def test_settings_are_passed_on() -> None:
    clients = {**CLIENTS, "user_selectable": False, "offline_fallback_region": "ap", "health": {"interval": "45s"}}
    found = told(clients)
    assert (found["user_selectable"], found["offline_fallback_region"], found["ttl_s"]) == (False, "ap", 45)
    assert found["health"] == {
        "path": "/.well-known/tidegate/health",
        "interval_s": 45.0,
        "timeout_s": 3.0,
        "auto_switch": True,
    }
    assert found["retry"]["honours"] == "Retry-After"


def test_a_document_that_is_known_is_not_sent_again_and_another_verdict_is_another_document() -> None:
    first = asked()
    tag = next(line for line in first.fields if line.startswith(b"ETag: "))[6:].decode()
    assert b"Cache-Control: private, max-age=30" in first.fields
    assert (asked(fields=f"If-None-Match: {tag}\r\n").status, asked(fields="If-None-Match: *\r\n").status) == (304, 304)
    assert asked(fields=f'If-None-Match: "x", W/{tag}\r\n').status == 304
    assert asked(fields=f"If-None-Match: {tag}\r\n", down=("us",)).status == 200


def test_the_document_is_signed_where_keys_are_at_hand() -> None:
    signer = Signer([b"k"])
    compiled = compile_routing(config(routed(), clients=CLIENTS), digest="d", now=0.0, signer=signer)
    live = build_snapshot(compiled, version=1, endpoints={}, region_rtts={})
    head = parse_request_head(f"GET {PATH} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    decided = decide(live, head, "public", lambda: None)
    assert isinstance(decided, Refusal)
    given = next(line for line in decided.answer.fields if line.startswith(b"Tidegate-Signature: "))[20:]
    assert signer.verify(PURPOSE, decided.answer.body or b"", base64.urlsafe_b64decode(given + b"=="))


@pytest.mark.parametrize(("down", "status"), [((), 200), (("us", "ap"), 200), (("eu",), 503)])
def test_a_check_says_whether_this_nodes_region_can_serve(down: tuple[str, ...], status: int) -> None:
    answer = asked(path=f"{PATH}/health", down=down)
    assert answer.status == status
    assert (answer.retry_after_s is not None) == (status == 503)


def test_a_check_on_another_path_is_left_to_the_routes() -> None:
    compiled = routing(routed(), clients={**CLIENTS, "health": {"path": "/up"}})
    assert [route.id for route in compiled.table.routes] == ["builtin:discovery", "r"]


def test_it_is_read_only_and_not_there_without_the_section() -> None:
    refused = asked(method="POST")
    assert (refused.status, refused.allow) == (405, ("GET", "HEAD"))
    assert [route.id for route in routing(routed()).table.routes] == ["r"]


def test_every_page_may_read_it() -> None:
    fields = "Origin: https://app\r\nAccess-Control-Request-Method: GET\r\n"
    fields += "Access-Control-Request-Headers: if-none-match\r\n"
    answer = asked(method="OPTIONS", fields=fields)
    assert answer.status == 204
    assert b"Access-Control-Allow-Origin: *" in answer.fields
    assert b"Access-Control-Allow-Headers: if-none-match" in answer.fields
