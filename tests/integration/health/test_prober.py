"""The prober with real sockets and real time: endpoints die in every way, and are left and taken back in time."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from health.core.probe import ProbeSettings, ProbeTarget
from health.core.schedule import verdict_bound_s
from health.core.verdict import from_saved, to_saved
from health.prober import Prober

SETTINGS = ProbeSettings(
    interval_s=0.1, timeout_s=0.1, jitter=0.2, healthy_threshold=2, unhealthy_threshold=3, expected_body="all well"
)
GRACE_S = 0.1
STALL_ALLOWANCE_S = 0.4
"""What a machine that runs other tests at the same time may cost on top; measured alone, the bound holds without."""
DEADLINE_S = 20.0

WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall well"

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(WELL)
    await writer.drain()


async def unwell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 307 Elsewhere\r\nLocation: /healthz\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(WELL[:-3])
    await asyncio.Event().wait()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X")
        await writer.drain()
        await asyncio.sleep(0.01)  # what dripping is


async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\x01\x02 220 mail.example.com ESMTP\r\n")
    await writer.drain()
    await reader.read()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Backend:
    """A server on one port that can die, return, and behave in any way."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = well
        self.port = 0
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        handlers = list(self._handlers)
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self.behaviour(reader, writer)
        finally:
            writer.close()


class Watch:
    """A running prober, and a way to wait for what it says."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self.prober = Prober(node_id="gw-1", on_change=self._changed.set, rng=random.Random(), wall=lambda: 0.0)

    async def until(self, condition: Callable[[], bool]) -> float:
        """How long it took from now until the condition held; it is asked at each change of a verdict."""
        began = time.monotonic()
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
        return time.monotonic() - began

    def health(self, of: ProbeTarget) -> str:
        return self.prober.endpoints()[of.endpoint].health

    def reason(self, of: ProbeTarget) -> str:
        return self.prober.endpoints()[of.endpoint].reason


@asynccontextmanager
async def watching(*targets: ProbeTarget) -> AsyncIterator[Watch]:
    watch = Watch()
    watch.prober.reconcile(targets)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watch.prober.run(), name="prober")
        try:
            yield watch
        finally:
            running.cancel()


@asynccontextmanager
async def backends(count: int = 1) -> AsyncIterator[list[Backend]]:
    started = [Backend() for _ in range(count)]
    for backend in started:
        await backend.start()
    try:
        yield started
    finally:
        for backend in started:
            await backend.kill()


def target(backend: Backend, region: str = "eu", settings: ProbeSettings = SETTINGS) -> ProbeTarget:
    name = f"api/{region}/127.0.0.1:{backend.port}"
    return ProbeTarget(name, "api", region, "127.0.0.1", backend.port, settings)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (unwell, "http 503"),
        (redirecting, "http 307"),
        (mute, "no answer in 100ms"),
        (half, "answer not complete in 100ms"),
        (dripping, "answer not complete in 100ms"),
        (flooding, "body mismatch in the first 64KiB"),
        (garbage, "malformed answer"),
        (closing, "closed without an answer"),
        (resetting, "connection reset"),
    ],
)
async def test_an_endpoint_that_turns_bad_is_left_and_taken_back_in_time(behaviour: Behaviour, reason: str) -> None:
    async with backends() as [backend], watching(one := target(backend)) as watch:
        await watch.until(lambda: watch.health(one) == "up")

        backend.behaviour = behaviour
        left_after_s = await watch.until(lambda: watch.health(one) == "down")
        assert left_after_s <= verdict_bound_s(SETTINGS, threshold=3) + GRACE_S + STALL_ALLOWANCE_S
        assert watch.reason(one) == reason
        assert watch.prober.regions()["eu"].reason == "0 of 1 endpoint up"

        backend.behaviour = well
        back_after_s = await watch.until(lambda: watch.health(one) == "up")
        assert back_after_s <= verdict_bound_s(SETTINGS, threshold=2) + GRACE_S + STALL_ALLOWANCE_S
        assert watch.reason(one) == "http 200"


@pytest.mark.parametrize("protocol", ["http", "tcp"])
async def test_an_endpoint_that_dies_is_left_and_one_that_returns_is_taken_back_in_time(protocol: str) -> None:
    settings = replace(SETTINGS, protocol="tcp" if protocol == "tcp" else "http")
    async with backends() as [backend], watching(one := target(backend, settings=settings)) as watch:
        await watch.until(lambda: watch.health(one) == "up")

        await backend.kill()
        left_after_s = await watch.until(lambda: watch.health(one) == "down")
        assert left_after_s <= verdict_bound_s(settings, threshold=3) + GRACE_S + STALL_ALLOWANCE_S
        assert watch.reason(one) == "connection refused"

        await backend.start()
        back_after_s = await watch.until(lambda: watch.health(one) == "up")
        assert back_after_s <= verdict_bound_s(settings, threshold=2) + GRACE_S + STALL_ALLOWANCE_S


async def test_a_region_that_dies_is_left_while_another_is_not_touched() -> None:
    async with backends(4) as of:
        eu = [target(of[0]), target(of[1])]
        us = [target(of[2], "us"), target(of[3], "us")]
        async with watching(*eu, *us) as watch:
            await watch.until(lambda: all(region.healthy == 2 for region in watch.prober.regions().values()))
            await of[0].kill()
            of[1].behaviour = mute
            left_after_s = await watch.until(lambda: watch.prober.regions()["eu"].health == "down")
            assert left_after_s <= verdict_bound_s(SETTINGS, threshold=3) + GRACE_S + STALL_ALLOWANCE_S
            assert watch.prober.regions()["us"].reason == "2 of 2 endpoints up"
            assert watch.prober.regions()["us"].changes == 0


async def test_a_crowd_of_mute_endpoints_does_not_delay_the_others() -> None:
    async with backends(2) as [silent, healthy]:
        silent.behaviour = mute
        crowd = [replace(target(silent), endpoint=f"api/us/{number}", region="us") for number in range(100)]
        async with watching(one := target(healthy), *crowd) as watch:
            await watch.until(lambda: watch.prober.regions()["us"].health == "down" and watch.health(one) == "up")
            await healthy.kill()
            left_after_s = await watch.until(lambda: watch.health(one) == "down")
            assert left_after_s <= verdict_bound_s(SETTINGS, threshold=3) + GRACE_S + STALL_ALLOWANCE_S
            assert watch.prober.load().in_flight <= 101
            assert watch.prober.load().inconclusive == 0


async def test_verdicts_survive_a_restart_of_the_process() -> None:
    async with backends() as [backend], watching(one := target(backend)) as watch:
        backend.behaviour = unwell
        await watch.until(lambda: watch.health(one) == "down")
        saved = to_saved(watch.prober.endpoints())
    later = Watch()
    later.prober.restore(from_saved(saved))
    later.prober.reconcile([one])
    assert (later.health(one), later.reason(one)) == ("down", "http 503")
    assert later.prober.regions()["eu"].health == "down"


async def test_a_prober_that_was_stopped_leaves_nothing_in_flight_and_can_run_again() -> None:
    async with backends() as [backend]:
        backend.behaviour = mute
        one = target(backend, settings=replace(SETTINGS, timeout_s=60, interval_s=60))
        watch = Watch()
        watch.prober.reconcile([one])
        connected = asyncio.Event()

        async def noting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.set()
            await mute(reader, writer)

        backend.behaviour = noting
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            running = group.create_task(watch.prober.run())
            await connected.wait()
            assert watch.prober.load().in_flight == 1
            running.cancel()
        assert watch.prober.load().in_flight == 0

        backend.behaviour = well
        watch.prober.reconcile([target(backend)])
        async with asyncio.TaskGroup() as group:
            running = group.create_task(watch.prober.run())
            await watch.until(lambda: watch.health(one) == "up")
            running.cancel()


async def test_an_endpoint_added_to_a_sleeping_prober_is_probed_soon() -> None:
    async with backends() as [backend], watching() as watch:
        one = target(backend)
        watch.prober.reconcile([one])
        took_s = await watch.until(lambda: watch.health(one) == "up")
        assert took_s <= SETTINGS.interval_s + GRACE_S + STALL_ALLOWANCE_S
