"""An explanation is what the deciding functions saw."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.core.signing import Signer
from gateway.core.book import EndpointBook
from gateway.core.decision import decide, next_endpoint
from gateway.core.explain import explain, passed_over
from gateway.core.geography import Place, Point
from gateway.core.senders import Senders
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.errors import RequestRefused
from tests.harness.routing import config, head, routed, snapshot
from tests.unit.gateway.core.test_decision import SEEN, fresh


def told(view: RoutingSnapshot, url: str = "http://h/", country: str | None = "US", **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"method": "GET", "headers": [], "client_ip": "8.8.8.8"}
    return explain(view, url=url, country=lambda _: country, **{**arguments, **changes})


def test_it_has_the_shape_that_outside_programs_rely_on() -> None:
    explanation = told(snapshot())
    assert {"route", "skipped", "candidates", "policies", "decision"} <= set(explanation)
    assert all(set(entry) == {"region", "endpoint", "score", "chosen", "reason"} for entry in explanation["candidates"])
    assert all(set(entry) == {"name", "outcome", "reason"} for entry in explanation["policies"])
    assert {"region", "endpoint", "status", "reason"} <= set(explanation["decision"])
    msgspec.json.encode(explanation)


def test_a_trusted_proxys_word_for_the_client_counts_as_for_live_requests() -> None:
    senders = Senders.of(
        config(
            listeners=[{"name": "public", "bind": "127.0.0.1:8080", "trusted_proxies": ["10.0.0.0/8"]}],
            geo={"country_header": "CF-IPCountry"},
        )
    )
    view = snapshot(routed(strategy="geo_proximity"))
    fields = [("X-Forwarded-For", "8.8.8.8"), ("CF-IPCountry", "IN")]
    behind = told(view, country="US", client_ip="10.0.0.1", headers=fields, senders=senders)
    assert behind["client"] == {"ip": "8.8.8.8", "country": "IN", "country_by": "CF-IPCountry"}
    assert behind["decision"]["region"] == "ap"
    forged = told(view, country="US", client_ip="11.0.0.1", headers=fields, senders=senders)
    assert forged["client"] == {"ip": "11.0.0.1", "country": "US", "country_by": "address"}
    assert forged["decision"]["region"] == "us"


def test_where_a_client_is_within_its_country_is_told_where_the_order_goes_by_it() -> None:
    def locate(address: str) -> Place | None:
        return Place("US", Point(19.0, 73.0)) if address == "8.8.8.8" else None

    view = replace(snapshot(routed(strategy="geo_proximity")), locate=locate)
    near = told(view, country="US")
    assert near["client"] == {"ip": "8.8.8.8", "country": "US", "near": [19.0, 73.0]}
    assert near["decision"]["region"] == "ap"
    assert "by distance from 19, 73 in US" in {policy["reason"] for policy in near["policies"]}
    elsewhere = told(view, country="IE")
    assert "near" not in elsewhere["client"], "it was told to be in another country"
    assert elsewhere["decision"]["region"] == "eu"
    assert "near" not in told(replace(snapshot(routed(strategy="failover")), locate=locate), country="US")["client"]


def test_every_route_before_the_matched_one_says_why_it_was_skipped() -> None:
    view = snapshot(
        routed("/x", id="path"),
        routed(id="host", match={"hosts": ["other"]}),
        routed(id="method", match={"methods": ["PUT"]}),
        routed(id="header", match={"headers": {"X-A": "1"}}),
        routed(id="taken"),
        routed(id="later"),
    )
    explanation = told(view)
    assert explanation["route"] == "taken"
    assert explanation["skipped"] == [
        {"route": "path", "reason": "path does not match"},
        {"route": "host", "reason": "host does not match"},
        {"route": "method", "reason": "method does not match"},
        {"route": "header", "reason": "header x-a does not match"},
    ]


def test_every_endpoint_and_excluded_region_is_a_candidate_with_its_reason() -> None:
    view = snapshot(routed(data_types=["profile"]), down=("eu-1",))
    candidates = {(entry["region"], entry["endpoint"]): entry["reason"] for entry in told(view)["candidates"]}
    assert candidates == {
        ("eu", "api/eu/eu-1:80"): "probe_down: connection refused",
        ("eu", "api/eu/eu-2:80"): "chosen: failover_order",
        ("us", None): "residency_region (rule profile)",
        ("ap", None): "residency_region (rule profile)",
    }


def test_a_dead_region_set_is_explained_as_it_would_be_answered() -> None:
    explanation = told(snapshot(routed(data_types=["profile"]), down=("eu",)))
    assert explanation["decision"]["status"] == 503
    assert explanation["decision"]["rule"] == "profile"
    assert not any(entry["chosen"] for entry in explanation["candidates"])


def test_distances_are_told_in_the_clients_terms() -> None:
    explanation = told(snapshot(routed(strategy="geo_proximity")), country="IN")
    assert explanation["decision"]["region"] == "ap"
    assert explanation["decision"]["reason"] == "nearest"
    assert explanation["client"] == {"ip": "8.8.8.8", "country": "IN"}


def test_a_request_that_no_route_takes_is_explained_too() -> None:
    explanation = told(snapshot(routed("/x")))
    assert (explanation["route"], explanation["decision"]["status"]) == (None, 404)
    assert explanation["skipped"][0]["route"] == "r"


def test_a_request_that_would_be_refused_is_refused() -> None:
    with pytest.raises(RequestRefused):
        told(snapshot(), url="http://h/%00")


def test_an_offline_explanation_says_what_it_assumes() -> None:
    assert "assumed" in told(snapshot(), assumed_healthy=True)


hosts = [f"{region}-{number}" for region in ("eu", "us", "ap") for number in (1, 2)]


@given(
    down=st.sets(st.sampled_from(hosts)),
    strategy=st.sampled_from(["failover", "latency", "geo_proximity"]),
    country=st.sampled_from([None, "US", "IN"]),
    bound=st.booleans(),
)
def test_the_explanation_agrees_with_the_deed(
    down: set[str], strategy: str, country: str | None, *, bound: bool
) -> None:
    view = snapshot(routed(strategy=strategy, data_types=["profile"] if bound else []), down=tuple(down))
    outcome = decide(view, head(), "public", lambda: country)
    assert isinstance(outcome, Forward)
    endpoint = next_endpoint(view, outcome, EndpointBook(), tried=(), rng=random.Random(0), now=0.0)
    explanation = told(view, country=country)
    assert explanation["decision"]["endpoint"] == (endpoint.id if endpoint else None)
    assert [entry["endpoint"] for entry in explanation["candidates"] if entry["chosen"]] == (
        [endpoint.id] if endpoint else []
    )
    if endpoint is None:
        assert {region for region, _, _ in passed_over(view, outcome, EndpointBook(), 0.0)} == {"eu", "us", "ap"}


def test_consistency_names_the_regions_that_are_behind_with_what_they_lack() -> None:
    view = fresh("us")
    explanation = told(view, headers=[("Tidegate-Session", SEEN.partition(": ")[2].strip())])
    assert explanation["decision"]["region"] == "us"
    lacking = "behind_session: it has applied 6 of 7 operations of eu:a.1 in collection notes"
    assert {one["region"] for one in explanation["candidates"] if one["reason"] == lacking} == {"eu", "ap"}
    (policy,) = (one for one in explanation["policies"] if one["name"] == "consistency")
    assert policy["outcome"] == "passed"
    nobody = told(fresh(), headers=[("Tidegate-Session", SEEN.partition(": ")[2].strip())])
    assert nobody["decision"]["reason"] == "behind_session"
    assert {one["region"] for one in nobody["candidates"]} == {"eu", "us", "ap"}
    assert next(one for one in nobody["policies"] if one["name"] == "consistency")["outcome"] == "refused"


def test_a_session_is_explained_by_its_cookie_and_the_gate() -> None:
    service = {
        "id": "api",
        "endpoints": [{"region": "eu", "address": f"eu-{number}:80"} for number in (1, 2, 3)],
        "sticky_session": {"fallback": "error"},
    }

    def view(**world: Any) -> RoutingSnapshot:
        return snapshot(services=[service], signer=Signer((b"key",)), **world)

    def session(explanation: dict[str, Any]) -> tuple[str, str]:
        policy = next(each for each in explanation["policies"] if each["name"] == "sticky_session")
        return policy["outcome"], policy["reason"]

    well = view()
    sticky = well.routing.services["api"].sticky
    assert sticky is not None
    line = sticky.line(1, next(each for each in well.marked["api"].values() if each.host == "eu-3"), wall=100.0)
    headers = [("Cookie", line[12:].partition(b";")[0].decode())]
    kept = told(well, headers=headers, wall=100.0)
    assert session(kept) == ("session_kept", "its cookie tidegate_session")
    assert (kept["decision"]["endpoint"], kept["decision"]["reason"]) == ("api/eu/eu-3:80", "session_kept")
    assert session(told(well)) == ("session_begun", "cookie_missing")
    assert session(told(well, headers=headers, wall=9999.0)) == ("session_begun", "cookie_expired")
    away = told(view(down=("eu-3",)), headers=headers, wall=100.0)
    assert session(away) == ("session_away", "probe_down")
    assert away["decision"]["reason"] == "sticky_endpoint_away"
    held = told(well, headers=headers, wall=100.0, held={"api/eu/eu-3:80": "unreachable: trials only"})
    assert session(held)[0] == "session_away"
    blind = told(snapshot(services=[service]), headers=headers, wall=100.0)
    assert session(blind) == ("session_begun", "its cookie cannot be read without the node's keys")
