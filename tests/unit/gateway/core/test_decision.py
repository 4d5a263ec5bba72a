"""Where a request goes, and what it is told where it may not."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.core.signing import Signer
from gateway.core.book import EndpointBook
from gateway.core.decision import Refusal, decide, next_endpoint, no_endpoint
from gateway.core.gate import Endpoint
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.problems import Answer
from gateway.core.replicas import Replicas
from gateway.core.snapshot import Forward, RoutingSnapshot
from health.core.session_token import SessionToken, seal
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


def steered(**routing: Any) -> dict[str, Any]:
    return routed(region_routing={"strategy": "failover", "prefer_local": False, **routing})


def first(
    view: RoutingSnapshot, request: RequestHead | None = None, *, country: str | None = None, ip: str = ""
) -> str:
    outcome = decide(view, request or head(), "public", lambda: country, ip)
    assert isinstance(outcome, Forward)
    return outcome.regions[0].region


def wishing(region: str) -> RequestHead:
    return parse_request_head(f"GET / HTTP/1.1\r\nHost: h\r\nX-Region: {region}\r\n\r\n".encode())


def test_weights_share_out_clients_who_stay_where_they_are() -> None:
    view = snapshot(steered(strategy="weighted", region_weights={"eu": 80, "us": 20}))
    clients = [f"10.0.{number // 250}.{number % 250}" for number in range(2000)]
    at = {client: first(view, ip=client) for client in clients}
    assert list(at.values()).count("us") == pytest.approx(400, abs=60)
    assert {client: first(view, ip=client) for client in clients} == at


def test_a_rule_names_who_goes_first_for_whom_it_holds() -> None:
    view = snapshot(steered(rules=[{"when": "client.continent == 'AS'", "regions": ["ap", "us"]}]))
    assert first(view, country="IN") == "ap"
    assert first(view, country="US") == "eu"
    assert first(view) == "eu"


def test_a_condition_without_an_answer_is_counted_and_does_not_match() -> None:
    view = snapshot(steered(rules=[{"when": "request.headers['x'] == '1'", "regions": ["ap"]}]))
    assert first(view) == "eu"
    assert view.failed_conditions == {"r/0": 1}


def test_a_client_may_wish_among_allowed_regions_only() -> None:
    rules = {"rules": [{"data_type": "profile", "allowed_regions": ["eu", "us"]}]}
    view = snapshot({**steered(preference_header="X-Region"), "data_types": ["profile"]}, residency=rules)
    assert [first(view, wishing(name)) for name in ("us", "ap", "mars", "eu")] == ["us", "eu", "eu", "eu"]


def test_a_wish_counts_among_a_rules_regions() -> None:
    rules = [{"when": "request.method == 'GET'", "regions": ["ap", "us"]}]
    view = snapshot(steered(rules=rules, preference_header="X-Region"))
    assert [first(view, wishing(name)) for name in ("us", "eu")] == ["us", "ap"]


def test_manual_failover_never_leaves_the_first_region() -> None:
    view = snapshot(steered(failover="manual"), down=("eu",))
    assert endpoints(view, ask(view)) == []


def test_compliance_follows_the_clients_zone_before_this_nodes_own_region() -> None:
    zones = {"gdpr": {"countries": ["IE"]}, "ccpa": {"countries": ["US"]}}
    regions = [REGIONS[0], {**REGIONS[1], "compliance_zones": ["ccpa"]}, REGIONS[2]]
    view = snapshot(
        steered(strategy="compliance", prefer_local=True), regions=regions, residency={"zones": zones}, region="ap"
    )
    assert [first(view, country=country) for country in ("IE", "US", None)] == ["eu", "us", "ap"]


def test_several_criteria_weigh_against_each_other() -> None:
    weights = {"latency": 0.2, "user_location": 0, "capacity": 0, "cost": 0, "user_preference": 1}
    view = snapshot(
        steered(strategy="multi_criteria", weights=weights, preference_header="X-Region"), rtts={"us": 0.01, "eu": 0.1}
    )
    assert (first(view), first(view, wishing("ap"))) == ("us", "ap")


def test_a_region_that_is_half_down_keeps_seventy_per_cent_and_no_client_changes_twice() -> None:
    view = snapshot(steered(), down=("eu-1",))
    clients = [f"10.0.{number // 250}.{number % 250}" for number in range(2000)]
    at = {client: first(view, ip=client) for client in clients}
    assert list(at.values()).count("eu") / 2000 == pytest.approx(0.7, abs=0.04)
    assert set(at.values()) == {"eu", "us"}
    assert {client: first(view, ip=client) for client in clients} == at


def test_a_plain_route_keeps_its_one_forward() -> None:
    view = snapshot(routed())
    assert ask(view) is ask(view)
    outcome = ask(view)
    assert isinstance(outcome, Forward)
    assert outcome.spill is None


@given(
    wish=st.text(alphabet="eusap,- ", max_size=8),
    country=st.sampled_from([None, "US", "IN", "IE"]),
    strategy=st.sampled_from(["weighted", "compliance", "multi_criteria", "latency", "failover"]),
    down=st.sets(st.sampled_from(hosts)),
    ip=st.ip_addresses(v=4).map(str),
)
def test_nothing_about_a_request_adds_a_region(
    wish: str, country: str | None, strategy: str, down: set[str], ip: str
) -> None:
    rules = {"rules": [{"data_type": "profile", "allowed_regions": ["eu", "us"]}]}
    asked = steered(
        strategy=strategy,
        region_weights={"ap": 50, "eu": 1},
        rules=[{"when": "client.country != 'IE'", "regions": ["ap", "us"]}],
        preference_header="X-Region",
    )
    view = snapshot({**asked, "data_types": ["profile"]}, down=tuple(down), residency=rules)
    outcome = decide(view, wishing(wish), "public", lambda: country, ip)
    reached = {entry.region for entry in endpoints(view, outcome)}
    assert reached <= {"eu", "us"}
    assert {entry.host for entry in endpoints(view, outcome)} == {host for host in hosts if host not in down} - {
        "ap-1",
        "ap-2",
    }


def guarded() -> RoutingSnapshot:
    match = {"methods": ["GET"], "hosts": ["api.example.com"], "headers": {"X-App": "1"}}
    return snapshot(routed("/v1/profile/*", id="profile", data_types=["profile"], match=match), routed(id="rest"))


def asked(path: str, *fields: str, method: str = "GET", host: str = "api.example.com") -> Forward | Refusal:
    lines = (f"{method} {path} HTTP/1.1", f"Host: {host}", *fields, "", "")
    return ask(guarded(), parse_request_head("\r\n".join(lines).encode()))


def test_a_bound_path_is_never_served_by_a_later_unbound_route_to_the_same_service() -> None:
    by_method = answer(asked("/v1/profile/1", "X-App: 1", method="PUT"))
    assert (by_method.status, by_method.allow) == (405, ("GET",))
    for refused in (
        asked("/v1/profile/1"),
        asked("/v1/profile/1", "X-App: 2"),
        asked("/v1/profile/1", "X-App: 1", host="other.example.com"),
        asked("/v1/profile/1", method="PUT"),
        asked("/v1/./profile/%31"),
    ):
        assert (answer(refused).status, answer(refused).reason) == (404, "bound_path")
    assert isinstance(asked("/v1/profile/1", "X-App: 1"), Forward)
    assert isinstance(asked("/v1/other"), Forward)


def test_a_bound_path_of_another_service_guards_nothing() -> None:
    other = {"id": "other", "endpoints": [{"region": "eu", "address": "other:80"}]}
    api = {"id": "api", "endpoints": [{"region": "eu", "address": "eu-1:80"}]}
    view = snapshot(
        {**routed("/v1/*", id="p", data_types=["profile"], match={"methods": ["GET"]}), "service": "other"},
        routed(id="rest"),
        services=[api, other],
    )
    assert isinstance(ask(view, head("/v1/x", method="PUT")), Forward)


@pytest.mark.parametrize("splitting", ["bound", "unbound"])
def test_a_split_guards_and_is_guarded_by_every_service_of_it(splitting: str) -> None:
    other = {"id": "other", "endpoints": [{"region": "eu", "address": "other:80"}]}
    api = {"id": "api", "endpoints": [{"region": "eu", "address": "eu-1:80"}]}
    split = {"split": [{"service": "other", "weight": 1}, {"service": "api", "weight": 1}], "service": None}
    first = routed("/v1/*", id="p", data_types=["profile"], match={"methods": ["GET"]})
    last = routed(id="rest")
    view = snapshot(
        {**first, **(split if splitting == "bound" else {})},
        {**last, **(split if splitting == "unbound" else {})},
        services=[api, other],
    )
    assert (answer(ask(view, head("/v1/x", method="PUT"))).status) == 405
    assert isinstance(ask(view, head("/other")), Forward)


def test_what_residency_has_forbidden_since_is_not_tried_any_more() -> None:
    before = snapshot(
        routed(data_types=["profile"]),
        residency={"rules": [{"data_type": "profile", "allowed_regions": ["eu", "us"]}]},
    )
    after = snapshot(
        routed(data_types=["profile"]), residency={"rules": [{"data_type": "profile", "allowed_regions": ["eu"]}]}
    )
    outcome = ask(before)
    assert isinstance(outcome, Forward)
    tried, book = set[str](), EndpointBook()
    while endpoint := next_endpoint(before, outcome, book, tried=tried, rng=random.Random(1), now=0.0, current=after):
        tried.add(endpoint.id)
    assert {name.split("/")[1] for name in tried} == {"eu"}


def with_replica(name: str) -> list[dict[str, Any]]:
    return [{**region, "role": "read_replica"} if region["id"] == name else region for region in REGIONS]


def test_a_read_replica_serves_reads_and_gets_no_writes_in_no_order_of_attempts() -> None:
    view = snapshot(routed(prefer_local=True), regions=with_replica("eu"))
    assert [one.region for one in endpoints(view, ask(view))] == ["eu", "eu", "us", "us", "ap", "ap"]
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert [one.region for one in endpoints(view, ask(view, head(method=method)))] == ["us", "us", "ap", "ap"]


def test_a_write_goes_to_no_replica_however_its_region_is_chosen() -> None:
    rules = [{"when": "request.path == '/'", "regions": ["us"], "priority": 1}]
    for routing in (
        {"strategy": "weighted", "region_weights": {"us": 100, "eu": 1}},
        {"strategy": "failover", "rules": rules},
        {"strategy": "latency"},
        {"strategy": "multi_criteria"},
    ):
        view = snapshot(routed(region_routing={"prefer_local": False, **routing}), regions=with_replica("us"))
        wrote = endpoints(view, ask(view, head(method="POST")))
        assert {one.region for one in wrote} == {"eu", "ap"}, routing
        assert {one.region for one in endpoints(view, ask(view))} == {"eu", "us", "ap"}


def test_the_parts_of_a_split_keep_writes_from_replicas_too() -> None:
    split = [{"service": "api", "weight": 1}, {"service": "canary", "weight": 1}]
    services = [
        {"id": name, "endpoints": [{"region": region, "address": f"{name}-{region}:80"} for region in ("eu", "us")]}
        for name in ("api", "canary")
    ]
    route = routed(split=split)
    del route["service"]
    view = snapshot(route, regions=with_replica("eu"), services=services)
    for number in range(20):
        outcome = decide(view, head(method="POST"), "public", lambda: None, f"10.0.0.{number}")
        assert {one.region for one in endpoints(view, outcome)} == {"us"}


def test_a_write_with_nobody_but_replicas_is_refused_with_the_reason_among_the_excluded() -> None:
    view = snapshot(routed(data_types=["profile"]), regions=with_replica("eu"))
    outcome = ask(view, head(method="POST"))
    assert (answer(outcome).status, answer(outcome).reason) == (503, "no_region_allowed")
    assert outcome.route is not None
    assert ("eu", "read_replica") in {(one.region, one.reason) for one in outcome.route.excluded}


def test_the_data_of_a_replica_sends_writers_to_a_region_that_takes_them() -> None:
    sync = {"collections": [{"name": "notes", "data_type": "notes", "conflict": "manual"}]}
    route = {"id": "data", "match": {"path": "/data/v1/*"}, "service": "builtin:data"}
    regions = with_replica("us")
    view = snapshot(route, regions=regions, region="us", sync=sync)
    told = answer(ask(view, head("/data/v1/notes/a", method="PUT")))
    assert (told.status, told.reason, told.location) == (
        308,
        "read_replica",
        b"https://eu.gw.example.com/data/v1/notes/a",
    )
    assert isinstance(ask(view, head("/data/v1/notes/a")), Forward)
    unknown = snapshot(route, regions=[{**one, "gateway": None} for one in regions], region="us", sync=sync)
    assert answer(ask(unknown, head("/data/v1/notes/a", method="PUT"))).status == 421


SYNC = {"collections": [{"name": "notes", "data_type": "note", "conflict": "vector_clock"}]}
SIGNER = Signer([b"key"])
SEEN = f"Tidegate-Session: {seal(SessionToken('note', 1, {'notes': {'eu:a.1': 7}}), SIGNER)}\r\n"


def fresh(*caught_up: str, down: tuple[str, ...] = (), **route: Any) -> RoutingSnapshot:
    """Three regions, of which some have applied seven operations and the others six."""
    replicas = Replicas()
    applied = {name: {"notes": {"eu:a.1": 7 if name in caught_up else 6}} for name in ("eu", "us", "ap")}
    replicas.hear(applied, {name: {"notes": 0.0 if name in caught_up else 9.0} for name in applied}, now=0.0)
    asked = {"consistency": "read_your_writes", "strategy": "failover", **route}
    return snapshot(routed(**asked), down=down, replicas=replicas, signer=SIGNER, sync=SYNC)


def regions(view: RoutingSnapshot, fields: str = SEEN) -> list[str]:
    return list(dict.fromkeys(entry.region for entry in endpoints(view, ask(view, head(fields=fields)))))


def test_a_session_goes_only_to_regions_that_have_what_it_has_seen() -> None:
    assert regions(fresh("us")) == ["us"]
    assert regions(fresh("us", "ap")) == ["us", "ap"]
    assert regions(fresh("eu", "us", "ap")) == ["eu", "us", "ap"]
    assert regions(fresh("us"), "") == ["eu", "us", "ap"], "who has seen nothing is served anywhere"


def test_where_none_has_it_or_none_that_has_it_can_serve_the_request_waits() -> None:
    for view in (fresh(), fresh("eu", down=("eu",))):
        outcome = ask(view, head(fields=SEEN))
        assert isinstance(outcome, Refusal)
        assert outcome.wait_s == 0.2
        assert (outcome.answer.status, outcome.answer.reason) == (503, "behind_session")
        assert outcome.answer.retry_after_s == 1


def test_where_nobody_can_serve_at_all_nothing_is_waited_for() -> None:
    outcome = ask(fresh(down=("eu", "us", "ap")), head(fields=SEEN))
    assert isinstance(outcome, Refusal)
    assert (outcome.wait_s, outcome.answer.reason) == (0.0, "no_healthy_endpoint")


def test_a_bound_holds_without_a_session_too() -> None:
    assert regions(fresh("ap", consistency="bounded(5s)"), "") == ["ap"]
    assert answer(ask(fresh(consistency="bounded(5s)"))).reason == "too_far_behind"
    assert regions(fresh(consistency="bounded(10s)"), "") == ["eu", "us", "ap"]


def test_a_token_that_is_forged_is_refused_and_not_taken_for_none() -> None:
    outcome = ask(fresh("us"), head(fields="Tidegate-Session: AAAA\r\n"))
    assert (answer(outcome).status, answer(outcome).reason) == (400, "bad_session")
    assert isinstance(outcome, Refusal)
    assert outcome.wait_s == 0.0


def test_a_region_that_may_not_be_left_is_waited_for() -> None:
    stays: dict[str, Any] = {"region_routing": {"strategy": "failover", "failover": "manual"}}
    assert answer(ask(fresh("us", **stays), head(fields=SEEN))).reason == "behind_session"
