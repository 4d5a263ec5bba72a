"""What is kept of a refusal and of a border crossed."""

from __future__ import annotations

from gateway.core.audit import denial, transfer
from gateway.core.problems import Answer
from tests.harness.routing import routed, snapshot


def test_a_transfer_names_the_rule_that_permits_it_and_nothing_of_the_client() -> None:
    rules = {"rules": [{"data_type": "profile", "allowed_regions": ["eu", "us"]}], "audit": {}}
    view = snapshot(routed(data_types=["profile"]), residency=rules)
    (route,) = view.routing.table.routes
    endpoint = view.routing.services["api"].endpoints[2]
    assert transfer(route, "eu", endpoint, b"id-1") == {
        "kind": "transfer",
        "route": "r",
        "data_types": ["profile"],
        "source": "eu",
        "destination": "us",
        "rule": "profile",
        "request_id": "id-1",
    }


def test_a_denial_names_the_rule_and_the_reason() -> None:
    view = snapshot(routed(data_types=["profile"]), residency={"rules": [], "audit": {}})
    answer = Answer(503, "no_region_allowed", "", "", rule="profile")
    record = denial(view.routing.table.routes[0], "eu", answer, b"id-1")
    assert (record["rule"], record["reason"], record["status"]) == ("profile", "no_region_allowed", 503)
