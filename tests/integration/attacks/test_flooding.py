"""A client that asks for more than it takes, or sends what means nothing, is stopped; what it asked for stays right."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.dataplane import Bench, until
from tests.harness.recording import RecordingEndpoint, converse
from tests.harness.strict_http import Message, read_answers

ROUTES = [{"id": "known", "match": {"path": "/known/*"}, "service": "api"}]
BOUND_BYTES = 24 * 1024 * 1024
"""What the kernel holds for one connection on its way here and back (several MiB), and far more than we do."""


def echo(request: Message) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target)


@pytest.mark.parametrize("target", [b"/known/x", b"/unknown"])
async def test_a_client_that_asks_and_does_not_read_is_stopped(target: bytes) -> None:
    block = b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target * 4000
    async with RecordingEndpoint(echo) as endpoint, Bench(routes=ROUTES) as bench:
        bench.add_address(endpoint.address)
        await bench.publish()
        client = await bench.connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport reads too
        sent = 0
        while sent < BOUND_BYTES:
            client.writer.write(block)
            sent += len(block)
            try:
                async with asyncio.timeout(1):
                    await client.writer.drain()
            except TimeoutError:
                break
        answered = len(bench.log)
        assert sent < BOUND_BYTES, "it is not read from any more"
        assert answered * 100 < BOUND_BYTES, "it is not answered any more"
        assert bench.plane.report().in_flight <= 1
        assert (await bench.ask(b"GET /known/y HTTP/1.1\r\nHost: h\r\n\r\n")).body == b"/known/y"
        client.reset()
        await until(lambda: bench.plane.report().connections == 0, "nothing of it is left")


async def test_thousands_of_pipelined_requests_are_answered_in_order() -> None:
    targets = [b"/%s/%d" % (b"known" if number % 3 else b"unknown", number) for number in range(3000)]
    last = b"GET /known/last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    data = b"".join(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target for target in targets)
    async with RecordingEndpoint(echo) as endpoint, Bench(routes=ROUTES) as bench:
        bench.add_address(endpoint.address)
        await bench.publish()
        received, closed = await converse(bench.port, [data + last])
        assert closed
        answers = read_answers(received, [b"GET"] * (len(targets) + 1))
        assert len(answers) == len(targets) + 1
        for target, answer in zip(targets, answers, strict=False):
            if target.startswith(b"/known"):
                assert (answer.status, answer.body) == (200, target)
            else:
                assert answer.status == 404
        assert len(endpoint.streams) <= 2, "one request at a time needs one connection"


async def test_empty_lines_for_ever_do_not_hold_a_connection() -> None:
    timeouts = {"header": "300ms", "idle": "600ms"}
    async with RecordingEndpoint() as endpoint, Bench(listener={"timeouts": timeouts}) as bench:
        bench.add_address(endpoint.address)
        await bench.publish()
        client = await bench.connect()

        async def drip() -> None:
            while True:
                client.writer.write(b"\r\n")
                await asyncio.sleep(0.05)

        async with asyncio.TaskGroup() as group:
            dripping = group.create_task(drip())
            try:
                async with asyncio.timeout(3):
                    await client.reader.read()
            finally:
                dripping.cancel()
        assert not endpoint.received


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: h\n\n",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\r\nHost: h\n\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\n",
    ],
)
async def test_a_bare_line_feed_is_refused_at_once(data: bytes) -> None:
    """Whoever waits for its other half waits until a time-out, with a connection held."""
    async with RecordingEndpoint() as endpoint, Bench() as bench:
        bench.add_address(endpoint.address)
        await bench.publish()
        received, closed = await converse(bench.port, [data], within_s=3)
        assert closed
        assert received.startswith(b"HTTP/1.1 400 ")
        assert not endpoint.received
