"""What every data plane should route by, and what each of them gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.messages import (
    EndpointState,
    FromDataPlane,
    Heartbeat,
    Hello,
    Parts,
    Publication,
    Replicated,
    Report,
    ToDataPlane,
)
from tidegate.demo.waiting import until
from tidegate.node.channel import Channel, memory_pair
from tidegate.node.logs import silent
from tidegate.node.publisher import Publisher, View
from tidegate.node.tasks import Tasks


class Stage:
    """A publisher with a view that a test sets."""

    def __init__(self, first_version: int = 1) -> None:
        self.view = View("digest-1", "{}", {}, {})
        self.published: list[int] = []
        self.reports: list[Report] = []
        self.now = 0.0
        self.tasks = Tasks(silent())
        self.publisher = Publisher(
            first_version=first_version,
            view=lambda: self.view,
            on_published=lambda version, view: self.published.append(version),
            on_report=self.reports.append,
            clock=lambda: self.now,
            log=silent(),
        )

    async def connect(self, hello: Hello) -> Channel[FromDataPlane, ToDataPlane]:
        ours, theirs = memory_pair()
        self.tasks.start("session", lambda: self.publisher.serve(theirs))
        await ours.send(hello)
        return ours

    def verdict(self, health: Any) -> None:
        self.view = View(
            self.view.config_digest, self.view.config, {"e": EndpointState(health, "probe")}, self.view.region_rtts
        )
        self.publisher.publish()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.tasks.close()


def routes_by(version: int) -> Report:
    return Report(version, 0, 0, [], [])


async def next_publication(channel: Channel[FromDataPlane, ToDataPlane]) -> Publication:
    async with asyncio.timeout(5):
        while True:
            message = await channel.receive()
            assert message is not None
            if isinstance(message, Publication):
                return message


async def test_a_new_data_plane_gets_everything_at_once(stage: Stage) -> None:
    stage.publisher.publish()
    channel = await stage.connect(Hello(0, 7))
    publication = await next_publication(channel)
    assert (publication.version, publication.config_digest, publication.config) == (1, "digest-1", "{}")
    channel.close()


async def test_one_that_holds_the_configuration_is_not_sent_it_again(stage: Stage) -> None:
    stage.publisher.publish()
    channel = await stage.connect(Hello(0, 7, version=0, config_digest="digest-1"))
    assert (await next_publication(channel)).config is None
    channel.close()


async def test_a_verdict_travels_without_the_configuration_once_that_is_in_force(stage: Stage) -> None:
    stage.publisher.publish()
    channel = await stage.connect(Hello(0, 7))
    await next_publication(channel)
    stage.verdict("down")
    assert (await next_publication(channel)).config == "{}", "nobody has said yet that it compiled"
    await channel.send(routes_by(2))
    await until(lambda: bool(stage.reports), within_s=5, what="stage.reports", every_s=0)
    stage.verdict("up")
    publication = await next_publication(channel)
    assert (publication.version, publication.config) == (3, None)
    assert publication.endpoints == {"e": EndpointState("up", "probe")}
    channel.close()


async def test_what_did_not_change_is_not_published(stage: Stage) -> None:
    stage.publisher.publish()
    stage.publisher.publish()
    assert stage.published == [1]


async def test_a_data_plane_that_knows_a_later_version_gets_one_later_still(stage: Stage) -> None:
    stage.publisher.publish()
    channel = await stage.connect(Hello(0, 7, version=41, config_digest="digest-1"))
    assert (await next_publication(channel)).version == 42
    assert stage.published == [1, 42]
    channel.close()


async def test_one_that_comes_back_with_what_it_was_sent_gets_nothing(stage: Stage) -> None:
    stage.publisher.publish()
    first = await stage.connect(Hello(0, 7))
    await next_publication(first)
    first.close()
    second = await stage.connect(Hello(0, 7, version=1, config_digest="digest-1"))
    await until(lambda: bool(stage.publisher.sessions), within_s=5, what="stage.publisher.sessions", every_s=0)
    stage.verdict("down")
    assert (await next_publication(second)).version == 2
    second.close()


async def test_a_quiet_data_plane_hears_that_verdicts_are_still_checked(stage: Stage) -> None:
    stage.publisher.publish()
    channel = await stage.connect(Hello(0, 7))
    await next_publication(channel)
    async with asyncio.timeout(5):
        assert await channel.receive() == Heartbeat(1)
    channel.close()


async def test_changes_go_out_first_at_once_then_together(stage: Stage) -> None:
    stage.tasks.start("publisher", stage.publisher.run)
    stage.view = View("digest-1", "{}", {"e": EndpointState("down", "x")}, {})
    stage.publisher.changed()
    await until(lambda: bool(stage.published), within_s=5, what="stage.published", every_s=0)
    assert stage.published == [1]


async def test_a_session_ends_with_its_data_plane(stage: Stage) -> None:
    stage.publisher.publish()
    channel = await stage.connect(Hello(3, 7))
    await next_publication(channel)
    assert list(stage.publisher.sessions) == [3]
    channel.close()
    await until(lambda: not stage.publisher.sessions, within_s=5, what="no stage.publisher.sessions", every_s=0)


@pytest.mark.parametrize("first", [Hello(0, 7, protocol=99), routes_by(1)])
async def test_a_stranger_is_hung_up_on(stage: Stage, first: FromDataPlane) -> None:
    ours, theirs = memory_pair()
    await ours.send(first)
    await stage.publisher.serve(theirs)
    assert await ours.receive() is None
    assert stage.publisher.sessions == {}


async def test_a_nodes_part_of_capacities_reaches_everybody_once_and_again_when_it_changes(stage: Stage) -> None:
    stage.publisher.publish()
    stage.publisher.share(Parts({"eu": 0.5}))
    channel = await stage.connect(Hello(0, 7))
    heard: list[Parts] = []

    async def next_parts() -> Parts:
        async with asyncio.timeout(5):
            while not isinstance(message := await channel.receive(), Parts):
                assert message is not None
        return message

    heard.append(await next_parts())
    stage.publisher.share(Parts({"eu": 0.5}))
    stage.publisher.share(Parts({"eu": 0.25}))
    heard.append(await next_parts())
    assert heard == [Parts({"eu": 0.5}), Parts({"eu": 0.25})]
    channel.close()


async def test_how_far_the_data_is_reaches_everybody_the_newest_only_and_whoever_comes_later(stage: Stage) -> None:
    stage.publisher.publish()
    channel = await stage.connect(Hello(0, 7))
    await next_publication(channel)
    last = Replicated({"eu": {"notes": {"eu:a.1": 2}}}, {})
    stage.publisher.replicated(Replicated({}, {}))
    stage.publisher.replicated(last)
    later = await stage.connect(Hello(1, 8))
    await next_publication(later)
    for each in (channel, later):
        async with asyncio.timeout(5):
            while not isinstance(message := await each.receive(), Replicated):
                assert message is not None
        assert message == last
    channel.close()
    later.close()
