"""Who is let in when, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.core.bulkhead import Bulkhead
from gateway.core.compiling import compile_routing
from gateway.core.plans import ServicePlan
from gateway.proxy.lane import Lane
from gateway.proxy.roles import Waiter
from tests.harness.routing import config, routed


def plan(workers: int = 1, **concurrency: Any) -> ServicePlan:
    service = {"id": "api", "endpoints": [{"region": "eu", "address": "eu-1:80"}], "concurrency": concurrency}
    written = config(routed(), services=[service])
    return compile_routing(written, digest="d", now=0.0, workers=workers).services["api"]


class Request:
    """One that fails as soon as it is let in, so that the next one's turn comes at once."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.told: list[str] = []

    def admit(self) -> None:
        self.told.append("admitted")
        self.lane.release()

    def turn_away(self) -> None:
        self.told.append("turned away")


class Scene:
    def __init__(self, **concurrency: Any) -> None:
        self.soon: list[Callable[[], None]] = []
        bulkhead: Bulkhead[Waiter] = Bulkhead()
        self.lane = Lane(bulkhead, call_soon=self.soon.append, now=0.0)
        self.lane.adopt(plan(**concurrency), workers=1, now=0.0)

    def turn(self) -> None:
        """One turn of the loop."""
        soon, self.soon[:] = list(self.soon), []
        for call in soon:
            call()


def test_a_thousand_that_fail_one_after_the_other_are_let_in_one_after_the_other() -> None:
    scene = Scene(max_requests=1, max_pending=1000)
    assert scene.lane.bulkhead.enter()
    waiting = [Request(scene.lane) for _ in range(1000)]
    for request in waiting:
        assert scene.lane.bulkhead.wait(request, until=1.0, has_place=False)
    scene.lane.release()
    scene.turn()
    assert all(request.told == ["admitted"] for request in waiting)
    assert (scene.lane.bulkhead.active, scene.lane.bulkhead.pending) == (0, 0)


def test_whose_time_is_up_is_turned_away() -> None:
    scene = Scene(max_requests=1)
    assert scene.lane.bulkhead.enter()
    early, late = Request(scene.lane), Request(scene.lane)
    scene.lane.bulkhead.wait(early, until=1.0, has_place=False)
    scene.lane.bulkhead.wait(late, until=2.0, has_place=False)
    scene.lane.look(1.5)
    assert (early.told, late.told) == (["turned away"], [])


def test_a_reload_with_more_room_lets_in_who_waits() -> None:
    scene = Scene(max_requests=1)
    assert scene.lane.bulkhead.enter()
    request = Request(scene.lane)
    scene.lane.bulkhead.wait(request, until=9.0, has_place=False)
    scene.lane.adopt(plan(max_requests=2), workers=1, now=0.0)
    scene.turn()
    assert request.told == ["admitted"]


def test_limits_of_a_node_are_divided_among_its_workers_at_least_one_each() -> None:
    lane = Lane(Bulkhead(), call_soon=lambda call: None, now=0.0)
    lane.adopt(plan(workers=4, max_requests=10, max_connections=3, max_pending=8), workers=4, now=0.0)
    assert (lane.bulkhead.limit, lane.bulkhead.max_connections, lane.bulkhead.max_pending) == (2, 1, 2)


def test_what_was_learnt_outlives_a_reload_and_a_limit_that_grows_lets_in_who_waits() -> None:
    scene = Scene(adaptive=True)
    lane = scene.lane
    assert lane.bulkhead.limit == 20
    for _ in range(20):
        assert lane.bulkhead.enter()
    request = Request(lane)
    lane.bulkhead.wait(request, until=99.0, has_place=False)
    now = 0.0
    while lane.bulkhead.limit < 25:
        now += 0.05
        lane.took(0.01, now)
    scene.turn()
    assert request.told == ["admitted"]
    lane.adopt(plan(adaptive=True, max_requests=500), workers=1, now=now)
    assert lane.bulkhead.limit == 25
    lane.adopt(plan(adaptive=True, max_requests=10), workers=1, now=now)
    assert lane.bulkhead.limit == 10
    lane.adopt(plan(), workers=1, now=now)
    assert lane.bulkhead.limit == 1024
    assert lane.gradient is None


def test_counts_are_told_once_and_gauges_as_they_are() -> None:
    scene = Scene(max_requests=1, max_pending=1)
    lane = scene.lane
    assert lane.bulkhead.enter()
    for _ in range(2):
        lane.bulkhead.wait(Request(lane), until=1.0, has_place=False)
    told = lane.take("api")
    assert (told.active, told.pending, told.limit, told.waited, told.overflowed) == (1, 1, 1, 1, 1)
    assert lane.has_news
    assert (lane.take("api").waited, lane.take("api").overflowed) == (0, 0)
    assert not lane.is_idle
