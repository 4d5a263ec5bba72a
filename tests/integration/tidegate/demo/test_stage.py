"""An act waits for what it expects, and an effect that does not come is a broken promise, not a crash."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate.demo.cluster import Cluster
from tidegate.demo.distance import BY_REGION
from tidegate.demo.promises import Promise
from tidegate.demo.stage import Act, Outcome, Stage, away_from, on, perform
from tidegate.demo.traffic import Answer, Traffic
from tidegate.demo.waiting import NotInTimeError
from tidegate.demo.watch import NodeView, Verdict, Watch

ANSWER = Answer("eu-west", "feed", "GET", "/feed/1", 1.0, 1.1, 200, "eu-west-1", "eu-west", None, None, None, None)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage on which nothing runs yet: the processes are planned, not started."""
    cluster = Cluster(tmp_path, rng=random.Random(1), environ={})
    traffic = Traffic({}, rng=random.Random(1))
    return Stage(cluster, traffic, Watch(cluster.plan), wall=lambda: 5_000.0)


def verdicts(stage: Stage, health: str, *, is_reachable: bool = True) -> None:
    for node in stage.cluster.plan.nodes:
        endpoints = {one.endpoint: Verdict(health) for one in stage.cluster.plan.backends}
        stage.watch.views[node.region] = NodeView(node.id, is_reachable=is_reachable, endpoints=endpoints)


async def test_what_a_script_finds_is_the_outcome(stage: Stage) -> None:
    outcome = Outcome("3 requests", (Promise("p", is_kept=True, found="f"),))

    async def script(_: Stage) -> Outcome:
        return outcome

    assert await perform(Act("title", "what", script), stage) is outcome


async def test_what_does_not_come_in_time_is_a_broken_promise(stage: Stage) -> None:
    async def script(_: Stage) -> Outcome:
        raise NotInTimeError("the rain stops", 3.0)

    outcome = await perform(Act("title", "what", script), stage)
    assert outcome.promises == (Promise("the rain stops", is_kept=False, found="not within 3.0 s"),)
    assert outcome.sentence == "0 requests: 0 answered, none failed"


async def test_of_several_that_wait_at_once_one_is_the_broken_promise_and_a_defect_is_none(stage: Stage) -> None:
    async def late(_: Stage) -> Outcome:
        raise ExceptionGroup("", [ExceptionGroup("", [NotInTimeError("the rain stops", 3.0)])])

    assert [one.text for one in (await perform(Act("title", "what", late), stage)).promises] == ["the rain stops"]

    async def defect(_: Stage) -> Outcome:
        raise ExceptionGroup("", [NotInTimeError("the rain stops", 3.0), KeyError("x")])

    with pytest.raises(ExceptionGroup):
        await perform(Act("title", "what", defect), stage)


async def test_everyone_must_say_it_and_must_be_reachable(stage: Stage) -> None:
    verdicts(stage, "down")
    await stage.everyone_says("down", "eu-west-1", "us-east-2", within_s=0)
    verdicts(stage, "down", is_reachable=False)
    with pytest.raises(NotInTimeError, match="every node says that us-east-2 is down"):
        await stage.everyone_says("down", "us-east-2", within_s=0)


async def test_a_killed_backend_is_gone_when_the_moment_is_returned(stage: Stage) -> None:
    backend = stage.cluster.backends["us-east-1"]
    backend.start()
    before = stage.clock()
    moment, wall = stage.kill("us-east-1")
    assert before <= moment <= stage.clock()
    assert wall == 5_000.0
    assert not backend.is_running
    assert backend.exit_code == -9


async def test_enough_traffic_means_enough_for_the_clients_of_each_region(tmp_path: Path, stage: Stage) -> None:
    for region in BY_REGION:
        for number in range(3):
            stage.traffic.remember(replace(ANSWER, region=region, path=f"/feed/{region}/{number}"))
    await stage.watch_traffic(3, since=0.0)
    few = replace(stage, clock=stage.clock)
    few.traffic.remember(replace(ANSWER, route="orders"))
    with pytest.raises(NotInTimeError):
        async with asyncio.timeout(5):
            await few.watch_traffic(1, since=0.0, counts=is_orders, within_s=0.0)


def is_orders(answer: Answer) -> bool:
    return answer.route == "orders"


async def test_the_answers_of_a_span_are_those_that_began_in_it(stage: Stage) -> None:
    ticks: Callable[[], float] = itertools.count(10).__next__
    stage = replace(stage, clock=ticks)
    stage.traffic.remember(replace(ANSWER, began=2.0, ended=2.5))
    stage.traffic.remember(replace(ANSWER, began=11.0, ended=11.5, path="/later"))
    assert [answer.path for answer in await stage.answers(since=1.5)] == ["/feed/1"]


def test_a_route_can_be_picked_and_left_out() -> None:
    answers = [ANSWER, replace(ANSWER, route="orders")]
    assert [one.route for one in on("feed", answers)] == ["feed"]
    assert [one.route for one in away_from("feed", answers)] == ["orders"]
