"""Clients among the services of a split."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from config.core.signing import Signer
from config.models import Route
from gateway.core.decision import decide
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.snapshot import Forward
from gateway.core.splitting import SplitRules, split_rules
from tests.harness.routing import head, routed, snapshot

SIGNER = Signer((b"k" * 32,))


def rules(weights: dict[str, int], *, sticky: bool = False, route: str = "r") -> SplitRules:
    parts = [{"service": name, "weight": weight} for name, weight in weights.items()]
    written = {"id": route, "split": parts, "sticky_split": "cookie" if sticky else "none"}
    found = split_rules(Route.model_validate_json(json.dumps(written)))
    assert found is not None
    return found


def chosen(rule: SplitRules, client: str) -> str:
    return rule.services[rule.index(head(), client, None)]


def with_cookie(value: str) -> RequestHead:
    return parse_request_head(f"GET / HTTP/1.1\r\nHost: h\r\nCookie: a=b; {value}\r\n\r\n".encode("latin-1"))


def test_shares_are_the_weights() -> None:
    rule = rules({"a": 90, "b": 9, "c": 1})
    counts = Counter(chosen(rule, f"10.0.{n // 256}.{n % 256}") for n in range(20_000))
    assert abs(counts["a"] / 20_000 - 0.9) < 0.01
    assert abs(counts["b"] / 20_000 - 0.09) < 0.01
    assert 100 < counts["c"] < 300


@given(weights=st.lists(st.integers(0, 1000), min_size=2, max_size=6).filter(any), client=st.text(max_size=20))
def test_nobody_gets_a_service_without_weight_and_everybody_keeps_theirs(weights: list[int], client: str) -> None:
    named = {f"s{index}": weight for index, weight in enumerate(weights)}
    rule = rules(named)
    first = chosen(rule, client)
    assert named[first] > 0
    assert chosen(rule, client) == first


@given(before=st.integers(0, 100), after=st.integers(0, 100), client=st.text(max_size=20))
def test_a_change_of_weights_moves_clients_one_way_only(before: int, after: int, client: str) -> None:
    was, now = (chosen(rules({"a": 100 - share, "b": share}), client) for share in (before, after))
    assert was == now or (now == "b") == (after > before)


def test_the_cookie_of_another_route_or_mesh_counts_for_nothing() -> None:
    rule, other = rules({"a": 1, "b": 1}, sticky=True), rules({"a": 1, "b": 1}, sticky=True, route="q")
    line = rule.cookie_line("b", SIGNER, is_secure=True)
    assert line.endswith(b"; Secure\r\n")
    value = line.split(b"=", 1)[1].split(b";")[0].decode()
    assert rule.kept(with_cookie(f"tidegate_split_r={value}"), SIGNER) == 1
    assert rule.kept(with_cookie(f"tidegate_split_r={value}"), Signer((b"x" * 32,))) is None
    assert other.kept(with_cookie(f"tidegate_split_q={value}"), SIGNER) is None
    assert rule.kept(with_cookie(f"tidegate_split_r={value}"), None) is None


@given(
    value=st.text(
        alphabet=st.characters(min_codepoint=33, max_codepoint=255, exclude_characters=";\x7f\x85"), max_size=60
    )
)
def test_no_made_up_cookie_is_believed(value: str) -> None:
    rule = rules({"a": 1, "b": 1}, sticky=True)
    assert rule.kept(with_cookie(f"tidegate_split_r={value}"), SIGNER) is None


def test_each_part_is_the_route_with_the_same_regions_and_its_own_pools() -> None:
    def route(a: int, b: int) -> dict[str, object]:
        plain = routed(data_types=["profile"])
        del plain["service"]
        return {**plain, "split": [{"service": "api", "weight": a}, {"service": "canary", "weight": b}]}

    services = [
        {"id": name, "endpoints": [{"region": region, "address": f"{name}-{region}:80"} for region in ("eu", "us")]}
        for name in ("api", "canary")
    ]
    for weights, wanted in (((1, 0), "api"), ((0, 1), "canary")):
        outcome = decide(snapshot(route(*weights), services=services), head(), "public", lambda: None, "10.0.0.1")
        assert isinstance(outcome, Forward)
        assert (outcome.service.id, outcome.route.id, [entry.region for entry in outcome.regions]) == (
            wanted,
            "r",
            ["eu"],
        )
