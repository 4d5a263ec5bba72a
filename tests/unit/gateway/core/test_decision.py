"""Where a request goes, and what it is told where it may not."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.book import EndpointBook
from gateway.core.decision import Refusal, decide, next_endpoint, no_endpoint
from gateway.core.gate import Endpoint
from gateway.core.head import RequestHead
from gateway.core.problems import Answer
from gateway.core.snapshot import Forward, RoutingSnapshot
from tests.harness.routing import REGIONS, head, routed, snapshot


def ask(view: RoutingSnapshot, request: RequestHead | None = None, country: str | None = None) -> Forward | Refusal:
    return decide(view, request or head(), "public", lambda: country)


def answer(outcome: Forward | Refusal) -> Answer:
    assert isinstance(outcome, Refusal)
    return outcome.answer


def endpoints(view: RoutingSnapshot, outcome: Forward | Refusal) -> list[Endpoint]:
    """Every endpoint in the order in which attempts would go to them."""
    assert isinstance(outcome, Forward)
    book, tried, rng = EndpointBook(), list[Endpoint](), random.Random(5)
    while endpoint := next_endpoint(view, outcome, book, tried={entry.id for entry in tried}, rng=rng, now=0.0):
        tried.append(endpoint)
    return tried


def test_attempts_go_through_a_region_before_the_next() -> None:
    view = snapshot(routed(strategy="failover"))
    assert [entry.region for entry in endpoints(view, ask(view))] == ["eu", "eu", "us", "us", "ap", "ap"]


def test_a_region_that_is_down_is_passed_over() -> None:
    view = snapshot(routed(strategy="failover"), down=("eu", "us-1"))
    assert endpoints(view, ask(view))[0].host == "us-2"


def test_geography_follows_the_client() -> None:
    view = snapshot(routed(strategy="geo_proximity"))
    assert endpoints(view, ask(view, country="IN"))[0].region == "ap"
    assert endpoints(view, ask(view, country="US"))[0].region == "us"


def test_the_country_is_asked_only_where_a_route_needs_it() -> None:
    view = snapshot(routed(strategy="failover"))

    def never() -> str | None:
        raise AssertionError("nobody needs the country")

    assert isinstance(decide(view, head(), "public", never), Forward)


def test_latency_follows_the_measurements() -> None:
    view = snapshot(routed(strategy="latency"), rtts={"eu": 0.09, "us": 0.01, "ap": 0.2})
    assert [entry.region for entry in endpoints(view, ask(view))][::2] == ["us", "eu", "ap"]


def test_no_route_is_a_404_and_another_method_a_405() -> None:
    view = snapshot(routed("/x", match={"methods": ["GET"]}))
    missing, other = answer(ask(view, head("/y"))), answer(ask(view, head("/x", method="PUT")))
    assert (missing.status, missing.reason) == (404, "no_route")
    assert (other.status, other.allow) == (405, ("GET",))


bound = routed("/v1/profile/*", id="profile", data_types=["profile"])


def test_bound_data_stays_in_its_regions_even_when_all_of_them_are_down() -> None:
    view = snapshot(bound, down=("eu",))
    outcome = ask(view, head("/v1/profile/1"))
    assert endpoints(view, outcome) == []
    assert isinstance(outcome, Forward)
    told = no_endpoint(outcome)
    assert (told.status, told.rule, told.retry_after_s) == (503, "profile", 5)
    assert "residency rule profile" in told.detail


def test_a_node_that_may_not_hold_the_data_sends_the_client_to_one_that_may() -> None:
    view = snapshot(bound, region="us")
    sent = answer(ask(view, head("/v1/profile/1?x=1")))
    assert (sent.status, sent.location) == (308, b"https://eu.gw.example.com/v1/profile/1?x=1")
    assert sent.rule == "profile"


def test_and_refuses_where_it_knows_no_such_gateway() -> None:
    rules = [{"data_type": "profile", "allowed_regions": ["ap"]}]
    told = answer(ask(snapshot(bound, region="us", residency={"rules": rules}), head("/v1/profile/1")))
    assert (told.status, told.reason, told.location) == (421, "region_may_not_hold", None)


def test_a_route_without_any_allowed_region_is_refused_by_every_node_with_the_rules_name() -> None:
    rules = [{"data_type": "profile", "allowed_regions": ["eu"], "zones": ["nowhere"]}]
    document: dict[str, Any] = {"residency": {"rules": rules, "zones": {"nowhere": {"countries": ["AQ"]}}}}
    told = answer(ask(snapshot(bound, **document), head("/v1/profile/1")))
    assert (told.status, told.rule) == (421, "profile")


def test_a_route_whose_only_allowed_region_is_inactive_is_a_503_that_names_the_rule() -> None:
    rules = [{"data_type": "profile", "allowed_regions": ["eu", "us"]}]
    regions = [{**REGIONS[0], "active": False}, {**REGIONS[1], "active": False}, REGIONS[2]]
    told = answer(ask(snapshot(bound, regions=regions, residency={"rules": rules}), head("/v1/profile/1")))
    assert (told.status, told.reason, told.rule) == (503, "no_region_allowed", "profile")


hosts = [f"{region}-{number}" for region in ("eu", "us", "ap") for number in (1, 2)]


@given(
    down=st.sets(st.sampled_from(hosts)),
    strategy=st.sampled_from(["failover", "latency", "geo_proximity"]),
    country=st.sampled_from([None, "US", "IN", "IE"]),
    allowed=st.sets(st.sampled_from(["eu", "us", "ap"]), min_size=1),
    seed=st.integers(),
)
def test_whatever_fails_no_attempt_leaves_the_allowed_regions_and_none_that_could_serve_is_left_out(
    down: set[str], strategy: str, country: str | None, allowed: set[str], seed: int
) -> None:
    route = routed(strategy=strategy, data_types=["profile"])
    rules = [{"data_type": "profile", "allowed_regions": sorted(allowed)}]
    view = snapshot(route, down=tuple(down), rtts={"us": 0.01}, region=min(allowed), residency={"rules": rules})
    outcome = ask(view, country=country)
    reached = {entry.host for entry in endpoints(view, outcome)}
    assert reached == {host for host in hosts if host not in down and host.split("-")[0] in allowed}


@pytest.mark.parametrize("path", ["/v1/%70rofile/1", "/v1/./profile/1", "//v1//profile/1", "/x/../v1/profile/1"])
def test_no_spelling_of_a_path_gets_around_a_bound_route(path: str) -> None:
    view = snapshot(bound, routed(id="rest"))
    outcome = ask(view, head(path))
    assert isinstance(outcome, Forward)
    assert outcome.route.id == "profile"
