"""Nodes that hear each other send a region what it can serve, and no more, whoever has the traffic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.region_shares import capacities, equal_part, part_of
from gateway.core.spill import RegionLoads, spilled_to
from tests.harness.routing import config

rates = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.floats(0.0, 1e5), min_size=1, max_size=8)


@given(rates, st.floats(0.1, 1e5))
def test_all_parts_together_are_the_whole_and_none_is_nothing(demands: dict[str, float], capacity: float) -> None:
    parts = [part_of(node, demands, capacity) for node in demands]
    assert sum(parts) == pytest.approx(1.0)
    assert all(part >= 0.0 for part in parts)
    if sum(demands.values()) > capacity:
        assert min(parts) > 0.0, "who begins to send can"


@given(rates, st.floats(0.1, 1e5))
def test_as_long_as_there_is_room_for_all_nobody_has_to_hand_over(demands: dict[str, float], capacity: float) -> None:
    if sum(demands.values()) <= capacity:
        for node, own in demands.items():
            assert part_of(node, demands, capacity) * capacity >= own * 0.999999


class Node:
    """One node of a mesh whose nodes all prefer `eu`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.loads = RegionLoads({"eu": 0.0}, now=0.0)
        self.asked = self.sent = 0

    def ask(self, requests: int) -> None:
        for _ in range(requests):
            self.asked += 1
            place = self.asked * 0.6180339887498949 % 1.0  # evenly over all clients
            self.sent += spilled_to(("eu", "us"), (1.0, 1.0), self.loads, place) == 0


@pytest.mark.parametrize("asked", [[100] * 6, [400, 40, 40, 40, 40, 40], [600, 0, 0, 0, 0, 0], [20] * 6], ids=str)
def test_six_nodes_in_three_regions_send_one_region_what_it_can_serve(asked: list[int]) -> None:
    """Each knows its own demand at once, and that of the others a second later."""
    capacity, now = 200.0, 0.0
    nodes = [Node(f"n{number}") for number in range(6)]
    told = {node.name: 0.0 for node in nodes}
    for _ in range(30):
        for node in nodes:
            node.loads.adopt({"eu": capacity * part_of(node.name, told, capacity)})
            node.sent = 0
        for _ in range(10):
            now += 0.1
            for node, rate in zip(nodes, asked, strict=True):
                node.ask(rate // 10)
                node.loads.advance(now)
        told = {node.name: node.loads.demands()["eu"] for node in nodes}
    sent = [node.sent for node in nodes]
    assert sum(sent) == pytest.approx(min(sum(asked), capacity), rel=0.07)
    if sum(asked) > capacity:
        for one, rate in zip(sent, asked, strict=True):
            assert one == pytest.approx(capacity * rate / sum(asked), abs=15), "each by what it has to send"


def test_who_hears_nobody_keeps_to_an_equal_part_of_all_nodes_in_all_regions() -> None:
    regions = [
        {"id": "eu", "capacity": "600/s", "peers": ["http://a:1", "http://b:1"]},
        {"id": "us", "peers": ["http://c:1"]},
        {"id": "ap", "capacity": "60/s"},
    ]
    written = config(regions=regions)
    assert equal_part(written) == pytest.approx(1 / 3)
    assert capacities(written, {}, workers=2) == {"eu": pytest.approx(100.0), "ap": pytest.approx(10.0)}
    assert capacities(written, {"eu": 0.5}, workers=1) == {"eu": 300.0, "ap": pytest.approx(20.0)}


def test_a_single_node_has_it_all() -> None:
    written = config(regions=[{"id": name, "capacity": "100/s"} for name in ("eu", "us", "ap")])
    assert capacities(written, {}, workers=1) == {"eu": 100.0, "us": 100.0, "ap": 100.0}
    assert part_of("a", {"a": 500.0}, 100.0) == pytest.approx(1.0)
