"""A worker's life, with a data plane that only remembers what it was told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.errors import PublicationRefused
from gateway.messages import FromDataPlane, Heartbeat, Hello, Parts, Publication, Replicated, Report, ToDataPlane
from tests.harness.node import ports
from tidegate.demo.waiting import until
from tidegate.node import sockets
from tidegate.node.channel import Channel, memory_pair
from tidegate.node.logs import Log
from tidegate.node.plan import Address
from tidegate.node.tasks import Tasks
from tidegate.node.worker import Worker


class Accepting:
    """Accepts from a socket, until closed."""

    def __init__(self, plane: Remembering, listening: socket.socket) -> None:
        self._plane = plane
        self._listening = listening
        plane.accepting.append(listening)

    def close(self) -> None:
        self._plane.accepting.remove(self._listening)
        self._listening.close()


class Remembering:
    """A data plane by hand."""

    def __init__(self) -> None:
        self.version: int | None = None
        self.config_digest: str | None = None
        self.accepting: list[socket.socket] = []
        self.heartbeats = 0
        self.told: Replicated | None = None
        self.parts: Parts | None = None
        self.drained_for: float | None = None
        self.refuses = False

    def publish(self, message: Publication) -> None:
        if self.refuses:
            raise PublicationRefused("does not compile")
        self.version, self.config_digest = message.version, message.config_digest

    def heartbeat(self, message: Heartbeat) -> None:
        self.heartbeats += 1

    def replicated(self, message: Replicated) -> None:
        self.told = message

    def share(self, message: Parts) -> None:
        self.parts = message

    async def listen(self, listener: str, sock: socket.socket) -> Accepting:
        return Accepting(self, sock)

    async def drain(self, grace_s: float) -> int:
        self.drained_for = grace_s
        for each in self.accepting:
            each.close()
        return 2

    def report(self) -> Report:
        return Report(self.version, 0, 0, [], [])


Peer = Channel[ToDataPlane, FromDataPlane]


class Stage:
    """One worker of two, and the control it reaches while `is_there`."""

    def __init__(self) -> None:
        self.plane = Remembering()
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.is_there = True
        self.saved: Publication | None = None
        self.ready = 0
        self.dropped = 0
        self.lines: list[dict[str, Any]] = []
        self.tasks = Tasks(Log(self.lines.append))
        self.port = ports(1)[0]
        address = Address("public", "127.0.0.1", self.port, "")
        self.sockets = {"public": [sockets.listen(address), sockets.listen(address)]}
        self.worker = Worker(
            slot=0,
            data_plane=self.plane,
            sockets=self.sockets,
            connect=self.connect,
            from_disk=lambda: self.saved,
            on_ready=self.on_ready,
            on_second=lambda: None,
            take_dropped=lambda: self.dropped,
            log=Log(self.lines.append),
            tasks=self.tasks,
            without_control_s=0.05,
        )

    def on_ready(self) -> None:
        self.ready += 1

    async def connect(self) -> Channel[FromDataPlane, ToDataPlane]:
        if not self.is_there:
            raise ConnectionRefusedError
        ours, theirs = memory_pair()
        self.peers.put_nowait(theirs)
        return ours

    async def control(self) -> tuple[Peer, Hello]:
        """The next connection to control, and what the worker says first."""
        async with asyncio.timeout(5):
            peer = await self.peers.get()
            hello = await peer.receive()
        assert isinstance(hello, Hello)
        return peer, hello


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.tasks.close()
    for each in (*made.plane.accepting, *made.sockets["public"]):
        each.close()


async def test_a_worker_is_ready_once_it_routes_by_something_and_says_by_what(stage: Stage) -> None:
    stage.worker.start()
    control, hello = await stage.control()
    assert (hello.slot, hello.version, hello.config_digest) == (0, None, None)
    assert stage.ready == 0
    await control.send(Publication(4, "digest", "{}"))
    report = await control.receive()
    assert isinstance(report, Report)
    assert report.version == 4
    await control.send(Heartbeat(4))
    await control.send(Publication(5, "digest"))
    await until(lambda: stage.plane.version == 5, within_s=5, what="version 5")
    await control.send(Replicated({"eu": {"notes": {"eu:a.1": 7}}}, {}))
    await until(lambda: stage.plane.told is not None, within_s=5, what="it is told of the data", every_s=0)
    await control.send(Parts({"eu": 0.5}))
    await until(lambda: stage.plane.parts == Parts({"eu": 0.5}), within_s=5, what="its node's part", every_s=0)
    assert (stage.ready, stage.plane.heartbeats) == (1, 1)


async def test_when_control_dies_the_worker_serves_on_and_says_hello_with_what_it_has(stage: Stage) -> None:
    stage.worker.start()
    control, _ = await stage.control()
    await control.send(Publication(4, "digest", "{}"))
    await until(lambda: stage.plane.version == 4, within_s=5, what="version 4")
    control.close()
    _, hello = await stage.control()
    assert (hello.version, hello.config_digest) == (4, "digest")


async def test_a_worker_that_finds_no_control_serves_from_the_disk(stage: Stage) -> None:
    stage.is_there = False
    stage.saved = Publication(3, "digest", "{}")
    stage.worker.start()
    await until(lambda: stage.ready == 1, within_s=5, what="ready")
    assert stage.plane.version == 3
    stage.is_there = True
    _, hello = await stage.control()
    assert hello.version == 3


async def test_without_control_and_disk_a_worker_waits_and_says_so(stage: Stage) -> None:
    stage.is_there = False
    stage.worker.start()
    await until(lambda: bool(stage.lines), within_s=5, what="a word")
    assert "nothing is on the disk" in stage.lines[0]["event"]
    assert stage.ready == 0


async def test_a_publication_that_cannot_be_used_is_said_and_the_old_one_stays(stage: Stage) -> None:
    stage.worker.start()
    control, _ = await stage.control()
    stage.plane.refuses = True
    await control.send(Publication(4, "digest", "{}"))
    assert await control.receive() == Report(None, 0, 0, [], [])
    assert stage.lines[0]["refused"] == 4
    assert stage.ready == 0


async def test_lost_log_lines_are_reported_and_said(stage: Stage) -> None:
    stage.worker.start()
    control, _ = await stage.control()
    stage.dropped = 5
    await control.send(Publication(4, "digest", "{}"))
    report = await control.receive()
    assert isinstance(report, Report)
    assert report.access_log_dropped == 5
    assert stage.lines[0]["lines"] == 5


async def test_slots_are_accepted_from_once_and_released(stage: Stage) -> None:
    await stage.worker.accept(0)
    await stage.worker.accept(1)
    await stage.worker.accept(1)
    assert len(stage.plane.accepting) == 2
    await stage.worker.release(1)
    await stage.worker.release(1)
    assert len(stage.plane.accepting) == 1


async def test_an_orphan_keeps_only_the_slots_it_serves(stage: Stage) -> None:
    await stage.worker.accept(0)
    held = stage.worker.keep_only_own_slots()
    own, other = stage.sockets["public"]
    assert held == {("public", 0): own.fileno()}
    assert other.fileno() == -1


async def test_a_drain_closes_its_sockets_and_tells_the_last_counts(stage: Stage) -> None:
    stage.worker.start()
    control, _ = await stage.control()
    await stage.worker.accept(0)
    assert await stage.worker.drain(1.5) == 2
    assert stage.plane.drained_for == 1.5
    assert isinstance(await control.receive(), Report)
    assert all(each.fileno() == -1 for each in stage.sockets["public"])
