"""Asking real servers that behave in every way a server can."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from health.core.probe import Outcome, ProbeSettings, ProbeTarget
from health.probes.http import HttpAttempt, request_head
from health.probes.names import Names
from health.probes.tcp import Surroundings

DEADLINE_S = 10.0
AGENT = "tidegate-probe/0.1.0 (gw-1)"
WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall well"

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def target(host: str, port: int, settings: ProbeSettings | None = None) -> ProbeTarget:
    return ProbeTarget("api/eu/x", "api", "eu", host, port, settings or ProbeSettings(timeout_s=0.25))


@asynccontextmanager
async def serving(behaviour: Behaviour) -> AsyncIterator[int]:
    """A server that does as it is told with each connection, and is done with all when the block ends."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await behaviour(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


def answering(data: bytes, *, then_wait: bool = False) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        if then_wait:
            await asyncio.Event().wait()

    return behave


async def ask(port: int, settings: ProbeSettings | None = None, *, expire_when: asyncio.Event | None = None) -> Outcome:
    """The outcome of one attempt; it is expired, as the prober would, once `expire_when` is set."""
    loop = asyncio.get_running_loop()
    names = Names(loop)
    outcome: asyncio.Future[Outcome] = loop.create_future()
    attempt = HttpAttempt(
        target("127.0.0.1", port, settings),
        Surroundings(loop, time.monotonic, AGENT, names.lookup),
        outcome.set_result,
    )
    attempt.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            if expire_when is None:
                return await outcome
            await expire_when.wait()
            return attempt.expire()
    finally:
        attempt.abandon()
        names.close()


@pytest.mark.parametrize(
    ("data", "passed", "reason"),
    [
        (WELL, True, "http 200"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", True, "http 200"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", False, "http 503"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", False, "http 302"),
        (b"\x16\x03\x01\x00garbage\r\n\r\n", False, "malformed answer"),
        (b"", False, "closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall", False, "answer cut short"),
    ],
)
async def test_each_answer_has_its_own_reason(data: bytes, passed: bool, reason: str) -> None:
    async with serving(answering(data)) as port:
        outcome = await ask(port)
    assert (outcome.passed, outcome.reason) == (passed, reason)
    assert (outcome.rtt_s is not None) is bool(data)


async def test_the_expected_body_is_looked_for() -> None:
    async with serving(answering(WELL)) as port:
        assert (await ask(port, ProbeSettings(expected_body="all well"))).passed is True
        assert (await ask(port, ProbeSettings(expected_body="not so well"))).reason == "body mismatch"


async def test_the_round_trip_is_the_wait_for_the_answers_first_byte() -> None:
    waited_s = 0.0

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waited_s
        await reader.readuntil(b"\r\n\r\n")
        began = time.monotonic()
        await asyncio.sleep(0.05)  # the distance, as the demo's backends add it
        waited_s = time.monotonic() - began
        writer.write(WELL)
        await writer.drain()

    async with serving(late) as port:
        outcome = await ask(port)
    assert outcome.rtt_s is not None
    assert waited_s <= outcome.rtt_s < waited_s + 1


async def test_an_endless_body_is_judged_and_left() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with serving(flood) as port:
        assert (await ask(port)).reason == "http 200"
        mismatch = await ask(port, ProbeSettings(expected_body="all well"))
    assert mismatch.reason == "body mismatch in the first 64KiB"


async def test_an_endless_head_is_given_up() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Filler: 0123456789\r\n" * 100)
            await writer.drain()

    async with serving(flood) as port:
        outcome = await ask(port)
    assert (outcome.passed, outcome.reason) == (False, "answer head longer than 16KiB")


async def test_a_server_that_never_answers_expires_without_an_answer() -> None:
    asked = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await asyncio.Event().wait()

    async with serving(mute) as port:
        outcome = await ask(port, expire_when=asked)
    assert outcome == Outcome(passed=False, reason="no answer in 250ms")


async def test_a_reset_is_told_from_a_close() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with serving(reset) as port:
        assert (await ask(port)).reason == "connection reset"


async def test_nobody_listening_is_a_refusal() -> None:
    async with serving(answering(WELL)) as port:
        pass
    assert (await ask(port)).reason == "connection refused"


async def test_a_probe_says_who_asks_and_asks_for_the_connection_to_be_closed() -> None:
    heads: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(WELL)
        await writer.drain()

    async with serving(note) as port:
        await ask(port, ProbeSettings(path="/ready?deep=1", host="api.example.com"))
    lines = heads[0].split(b"\r\n")
    assert lines[0] == b"GET /ready?deep=1 HTTP/1.1"
    assert b"Host: api.example.com" in lines
    assert b"User-Agent: tidegate-probe/0.1.0 (gw-1)" in lines
    assert b"Connection: close" in lines


@pytest.mark.parametrize(
    ("host", "port", "named", "field"),
    [
        ("10.0.0.1", 8000, None, b"10.0.0.1:8000"),
        ("10.0.0.1", 80, None, b"10.0.0.1"),
        ("::1", 8000, None, b"[::1]:8000"),
        ("10.0.0.1", 8000, "api.example.com", b"api.example.com"),
        ("10.0.0.1", 8000, "2001:db8::1", b"[2001:db8::1]"),
    ],
)
def test_the_host_field_is_what_was_configured_or_the_address(
    host: str, port: int, named: str | None, field: bytes
) -> None:
    of = target(host, port)
    of = replace(of, settings=replace(of.settings, host=named))
    assert b"\r\nHost: " + field + b"\r\n" in request_head(of, agent=AGENT)
