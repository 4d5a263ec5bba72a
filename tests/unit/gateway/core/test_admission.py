"""What a route asks, and which fields it replaces."""

from __future__ import annotations

from gateway.core.admission import admission_plan, replace_fields
from tests.harness.routing import config, routed


def test_a_route_that_asks_nothing_has_no_plan() -> None:
    plain = config(routed())
    assert admission_plan(plain, plain.routes[0]) is None


def test_a_route_with_rules_has_one() -> None:
    asking = config(routed(access={"deny": ["10.0.0.0/8"], "authentication": {"kind": "client_certificate"}}))
    plan = admission_plan(asking, asking.routes[0])
    assert plan is not None
    assert plan.access is not None
    assert plan.authentication is not None
    assert plan.permissions is None


def test_spoofed_fields_go_however_they_are_spelt_and_ours_come() -> None:
    fields = b"X-User-Id: eve\r\nx_user_id: eve\r\nX-User-Id-2: stays\r\nA: X-User-Id: stays\r\n"
    assert replace_fields(fields, (b"x-user-id",), b"X-User-Id: bob\r\n") == (
        b"X-User-Id-2: stays\r\nA: X-User-Id: stays\r\nX-User-Id: bob\r\n"
    )


def test_a_route_to_the_data_api_tells_it_who_asks_and_believes_nobody_else() -> None:
    collection = {"name": "notes", "data_type": "profile", "conflict": "manual"}
    asking = config(routed(service="builtin:data"), sync={"collections": [collection]})
    plan = admission_plan(asking, asking.routes[0])
    assert plan is not None
    assert (plan.names_actor, plan.stripped) == (True, (b"tidegate-actor",))
