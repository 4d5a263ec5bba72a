"""A data plane in its process: what it hears from control and supervisor, what it tells, and how it ends.

    supervisor  --Accept k, Release k-->  sockets        control  --Publication, Heartbeat-->  DataPlane
                <--Ready---------------                            <--Hello, Report---------

Static stability: with control gone it serves on and asks again for ever; started without control, it takes the last
good configuration and verdicts from the disk; with the supervisor gone it keeps its slots and offers them to the next.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from gateway.errors import PublicationRefused
from gateway.messages import FromDataPlane, Heartbeat, Hello, Parts, Publication, Replicated, Report, ToDataPlane
from tidegate.node.channel import Channel, ChannelClosed
from tidegate.node.logs import Log
from tidegate.node.sockets import queued
from tidegate.node.tasks import Tasks

REPORT_EVERY_S = 1.0
WITHOUT_CONTROL_S = 3.0
"""How long a new worker waits for control before it serves from the disk."""
EMPTY_QUEUES_WITHIN_S = 1.0
RECONNECT_FIRST_S = 0.05
RECONNECT_MAX_S = 1.0

ToControl = Channel[FromDataPlane, ToDataPlane]


class Acceptor(Protocol):
    """Accepts from one socket until it is closed."""

    def close(self) -> None: ...


class DataPlane(Protocol):
    """What the worker needs of `gateway.dataplane.DataPlane`."""

    @property
    def version(self) -> int | None: ...
    @property
    def config_digest(self) -> str | None: ...
    def publish(self, message: Publication) -> None: ...
    def heartbeat(self, message: Heartbeat) -> None: ...
    def replicated(self, message: Replicated) -> None: ...
    def share(self, message: Parts) -> None: ...
    async def listen(self, listener: str, sock: socket.socket) -> Acceptor: ...
    async def drain(self, grace_s: float) -> int: ...
    def report(self) -> Report: ...


class Worker:
    """One data plane's life. `connect` reaches control or raises `OSError`; `from_disk` reads what was last good."""

    def __init__(
        self,
        *,
        slot: int,
        data_plane: DataPlane,
        sockets: dict[str, list[socket.socket]],
        connect: Callable[[], Awaitable[ToControl]],
        from_disk: Callable[[], Publication | None],
        on_ready: Callable[[], None],
        on_second: Callable[[], None],
        take_dropped: Callable[[], int] = lambda: 0,
        log: Log,
        tasks: Tasks,
        without_control_s: float = WITHOUT_CONTROL_S,
    ) -> None:
        self._slot = slot
        self._data_plane = data_plane
        self._sockets = sockets
        self._connect = connect
        self._from_disk = from_disk
        self._on_ready = on_ready
        self._on_second = on_second
        self._take_dropped = take_dropped
        self._log = log
        self._tasks = tasks
        self._without_control_s = without_control_s
        self._acceptors: dict[int, list[Acceptor]] = {}
        self._slot_lock = asyncio.Lock()
        self._channel: ToControl | None = None
        self._is_ready = False
        self._has_snapshot = asyncio.Event()

    def start(self) -> None:
        self._tasks.keep("control link", self._link)
        self._tasks.keep("reports", self._report_each_second)
        self._tasks.start("start without control", self._start_without_control)

    # Slots

    async def accept(self, slot: int) -> None:
        """Accept from all sockets of a slot; nothing when it already does."""
        async with self._slot_lock:
            if slot in self._acceptors:
                return
            acceptors = self._acceptors[slot] = []
            for listener, of_listener in self._sockets.items():
                if slot < len(of_listener):
                    acceptors.append(await self._data_plane.listen(listener, of_listener[slot].dup()))
        if slot != self._slot:
            self._log.info("accepting for another slot", for_slot=slot)

    async def release(self, slot: int) -> None:
        """Accept from it no more; its connections stay."""
        async with self._slot_lock:
            for acceptor in self._acceptors.pop(slot, []):
                acceptor.close()

    def keep_only_own_slots(self) -> dict[tuple[str, int], int]:
        """Let go of the slots that others serve, and say which descriptors are left.

        For when there is no supervisor any more: were they kept, a sibling's death would leave a queue that nobody
        serves; as it is, the kernel passes it by.
        """
        held = {}
        for listener, of_listener in self._sockets.items():
            for slot, listening in enumerate(of_listener):
                if slot in self._acceptors:
                    held[listener, slot] = listening.fileno()
                else:
                    listening.close()
        return held

    # Control

    async def _link(self) -> None:
        """Stay connected to control, for as long as this worker lives."""
        delay_s = RECONNECT_FIRST_S
        while True:
            try:
                channel = await self._connect()
            except OSError:
                await asyncio.sleep(delay_s)
                delay_s = min(RECONNECT_MAX_S, delay_s * 2)
                continue
            delay_s = RECONNECT_FIRST_S
            try:
                await self._converse(channel)
            finally:
                self._channel = None
                channel.close()
            self._log.warning("control is away, serving on with what is known", version=self._data_plane.version)
            await asyncio.sleep(delay_s)

    async def _converse(self, channel: ToControl) -> None:
        plane = self._data_plane
        try:
            await channel.send(Hello(self._slot, os.getpid(), plane.version, plane.config_digest))
            self._channel = channel
            while (message := await channel.receive()) is not None:
                if isinstance(message, Heartbeat):
                    plane.heartbeat(message)
                elif isinstance(message, Replicated):
                    plane.replicated(message)
                elif isinstance(message, Parts):
                    plane.share(message)
                else:
                    self._publish(message)
                    await self.report()  # so control knows at once what this data plane routes by
        except ChannelClosed:
            return
        except ValueError as error:
            self._log.problem("nonsense from control, hanging up", error=str(error))

    def _publish(self, message: Publication) -> None:
        try:
            self._data_plane.publish(message)
        except PublicationRefused as error:
            self._log.problem("a publication was refused, the old one stays", refused=message.version, error=str(error))
            return
        self._has_snapshot.set()
        if not self._is_ready:
            self._is_ready = True
            self._on_ready()

    async def _start_without_control(self) -> None:
        try:
            async with asyncio.timeout(self._without_control_s):
                await self._has_snapshot.wait()
        except TimeoutError:
            publication = await asyncio.to_thread(self._from_disk)
            if self._has_snapshot.is_set():
                return
            if publication is None:
                self._log.problem("control is away and nothing is on the disk: waiting for control")
                return
            self._log.warning("control is away: serving from the last good configuration on the disk")
            self._publish(publication)

    async def _report_each_second(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            await self.report()
            self._on_second()

    async def report(self) -> None:
        """Tell control what happened; without control, counts wait in the data plane."""
        if self._channel is not None:
            dropped = self._take_dropped()
            if dropped:
                self._log.warning("access log lines were dropped: its reader is slow or the disk full", lines=dropped)
            try:
                report = msgspec.structs.replace(self._data_plane.report(), access_log_dropped=dropped)
                await self._channel.send(report)
            except ChannelClosed:
                return  # the link task hears it too, and connects again

    # The end

    async def _empty_queues(self) -> None:
        """Accept all who wait: whoever is still in a queue when its last holder closes it is reset.

        The loop accepts one connection a turn, so it is asked until nobody waits; for a bounded time, since under load
        there is always a next one, and it had better be refused than half taken.
        """
        mine = [
            of_listener[slot]
            for of_listener in self._sockets.values()
            for slot in self._acceptors
            if slot < len(of_listener)
        ]
        loop = asyncio.get_running_loop()
        until = loop.time() + EMPTY_QUEUES_WITHIN_S
        while loop.time() < until and any(queued(listening) for listening in mine):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)

    async def drain(self, grace_s: float) -> int:
        """Finish what is in flight, and tell control the last counts. Returns the requests cut off."""
        self._log.info("draining", grace_s=grace_s)
        # Others serve the rest, and should be the last to hold it: then a queue ends with who empties it.
        self.keep_only_own_slots()
        await self._empty_queues()
        for of_listener in self._sockets.values():
            for listening in of_listener:
                listening.close()  # the data plane has duplicates of its own, and closes them now
        cut = await self._data_plane.drain(grace_s)
        await self.report()
        self._log.info("drained", requests_cut_off=cut)
        return cut
