"""What a region hands over, and to whom."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.gate import Endpoint, RegionPool, build_pool
from gateway.core.spill import UNLIMITED, RegionLoads, fitness, spilled_to
from gateway.messages import Health

PLACES = [index / 1000 for index in range(1000)]
REGIONS = ("eu", "us", "ap")


def endpoint(number: int, health: Health = "up", **fields: object) -> Endpoint:
    settings: dict[str, object] = {
        "id": f"api/eu/{number}:80",
        "service": "api",
        "region": "eu",
        "host": str(number),
        "port": 80,
        "weight": 1,
        "priority": 0,
        "is_backup": False,
        "probe_interval_s": 5.0,
        "health": health,
        "health_reason": "",
        **fields,
    }
    return Endpoint(**settings)  # type: ignore[arg-type]  # a table of fields


def pool(up: int, down: int) -> RegionPool:
    endpoints = [endpoint(number) for number in range(up)]
    endpoints += [endpoint(up + number, "down") for number in range(down)]
    return build_pool("api", "eu", endpoints, verdict_age_s=0.0)


@pytest.mark.parametrize(
    ("up", "down", "fit"), [(10, 0, 1.0), (8, 2, 1.0), (5, 5, 0.7), (1, 9, 0.14), (0, 10, 0.0), (72, 28, 1.0)]
)
def test_a_region_is_fit_for_its_healthy_share_times_the_overprovisioning(up: int, down: int, fit: float) -> None:
    assert fitness(pool(up, down), 1.4) == pytest.approx(fit)


def test_no_endpoint_is_fit_for_nothing() -> None:
    assert fitness(None, 1.4) == 0.0


def test_backups_stand_in_for_those_that_are_down() -> None:
    endpoints = [endpoint(0, "down"), endpoint(1, is_backup=True)]
    assert fitness(build_pool("api", "eu", endpoints, verdict_age_s=0.0), 1.4) == 1.0


shares = st.lists(st.integers(min_value=0, max_value=100).map(lambda cent: cent / 100), min_size=3, max_size=3)


def naive(fit: list[float]) -> list[float]:
    """Envoy's priorities: each level takes what is left, up to its health; a sum below one is normalised."""
    total = sum(fit)
    if total == 0:
        return [1.0, 0.0, 0.0]
    scaled = [each / total for each in fit] if total < 1 else fit
    left, loads = 1.0, []
    for each in scaled:
        loads.append(min(left, each))
        left -= loads[-1]
    return loads


@given(shares)
def test_each_region_gets_the_share_that_the_cascade_says(fit: list[float]) -> None:
    counts = [0, 0, 0]
    for place in PLACES:
        counts[spilled_to(REGIONS, fit, UNLIMITED, place)] += 1
    for count, expected in zip(counts, naive(fit), strict=True):
        assert count / 1000 == pytest.approx(expected, abs=0.003)


@given(st.floats(min_value=0.0, max_value=1.0), st.floats(min_value=0.0, max_value=1.0))
def test_when_the_first_region_weakens_only_the_excess_moves(before: float, after: float) -> None:
    moved = sum(
        spilled_to(REGIONS, (before, 1.0, 1.0), UNLIMITED, place)
        != spilled_to(REGIONS, (after, 1.0, 1.0), UNLIMITED, place)
        for place in PLACES
    )
    assert moved / 1000 == pytest.approx(abs(before - after), abs=0.003)


@dataclass
class Crowd:
    """Requests from many clients, at a steady rate."""

    loads: RegionLoads
    now: float = 0.0

    def second(self, rate: int) -> list[int]:
        counts = [0, 0, 0]
        for tick in range(10):
            for number in range(rate // 10):
                counts[spilled_to(REGIONS, (1.0, 1.0, 1.0), self.loads, (number + tick / 10) / (rate / 10))] += 1
            self.now += 0.1
            self.loads.advance(self.now)
        return counts


def test_a_region_over_its_capacity_hands_over_just_the_excess() -> None:
    crowd = Crowd(RegionLoads({"eu": 100.0}, now=0.0))
    for _ in range(20):
        counts = crowd.second(300)
    assert counts[0] == pytest.approx(100, abs=5)
    assert counts[1] == pytest.approx(200, abs=5)


def test_a_second_region_over_its_capacity_hands_on() -> None:
    crowd = Crowd(RegionLoads({"eu": 100.0, "us": 100.0}, now=0.0))
    for _ in range(30):
        counts = crowd.second(400)
    assert counts == [pytest.approx(100, abs=8), pytest.approx(100, abs=8), pytest.approx(200, abs=12)]


def test_the_excess_moves_gradually_and_comes_back_when_it_is_gone() -> None:
    crowd = Crowd(RegionLoads({"eu": 100.0}, now=0.0))
    assert crowd.second(200)[0] > 150
    for _ in range(20):
        crowd.second(200)
    for _ in range(20):
        counts = crowd.second(80)
    assert counts[0] == 80


def test_nobody_with_room_means_the_first_region_that_can_serve() -> None:
    loads = RegionLoads({"eu": 1.0, "us": 1.0, "ap": 1.0}, now=0.0)
    crowd = Crowd(loads)
    for _ in range(10):
        counts = crowd.second(1000)
    assert sum(counts) == 1000
    assert spilled_to(REGIONS, (0.0, 1.0, 1.0), loads, 0.99) == 1


def test_reloaded_capacities_keep_what_was_measured() -> None:
    crowd = Crowd(RegionLoads({"eu": 100.0}, now=0.0))
    for _ in range(10):
        crowd.second(200)
    crowd.loads.adopt({"eu": 1000.0, "us": 5.0})
    assert crowd.loads.limited == {"eu", "us"}
    assert crowd.loads.free("eu") == pytest.approx(0.8, abs=0.05)
    crowd.loads.adopt({})
    assert crowd.loads.share("eu") == 1.0
