"""Clients and endpoints that send, split, stop, close and reset as chance has it: nothing breaks, nothing is left.

    a plan for a client      requests, right or not, in pieces, and where it breaks off
    a plan for an endpoint   by request: pieces of an answer, right or not, and where it breaks off

Dozens of them run at once over one data plane and share its pool. Afterwards: no exception reached the loop, nothing
was logged as an error, every count is back at zero, no task is left, and no client has seen a byte of another's answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.harness.dataplane import Bench, until
from tests.harness.strict_http import Unclear, Unfinished, read_request

EXAMPLES = 25
ROUTES = [{"id": "in", "match": {"path": "/in/*"}, "service": "api"}]
TIMEOUTS = {"header": "200ms", "idle": "200ms", "body_idle": "200ms", "write": "200ms"}
SERVICE = {
    "timeouts": {"connect": "200ms", "response_head": "200ms", "idle": "200ms"},
    "retries": {"backoff": {"initial": "10ms", "max": "20ms"}},
}

Pieces = list[tuple[str, bytes]]
"""What to do, in order: ("send", data), ("turn", b""), ("close", b""), ("reset", b""), ("shut", b""), ("hang", b"")."""

_MARK = re.compile(rb"<([0-9]+)>")

# @ becomes the mark of who asks, <17>; a backtick becomes very much.
REQUESTS = (
    b"GET /in/@ HTTP/1.1\r\nHost: h\r\n\r\n",
    b"HEAD /in/@ HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /in/@ HTTP/1.0\r\n\r\n",
    b"GET /in/@ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"POST /in/@ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /in/@ HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\nhello",
    b"POST /in/@ HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n`",
    b"POST /in/@ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST /in/@ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ",
    b"PUT /in/@ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    b"GET /in/@ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n\x81\x00",
    b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\r\n\r\n",
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n@",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n@\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n@\r\nZZ",
    b"HTTP/1.0 200 OK\r\n\r\n@",
    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n@",
    b"HTTP/1.1 200 OK\r\nContent-Length: 300008\r\n\r\n@`",
    b"HTTP/1.1 503 Busy\r\nContent-Length: 8\r\n\r\n@",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n@",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n@",
)
INTERIM = (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n")
_endings = st.sampled_from((("close", b""), ("reset", b""), ("shut", b""), ("hang", b"")))


@st.composite
def _pieces(draw: st.DrawFn, message: bytes, glued: bytes) -> Pieces:
    """The message in pieces, what is glued to its last one, and perhaps a place where all breaks off."""
    cuts = sorted(draw(st.lists(st.integers(0, min(len(message) - 1, 200)), max_size=5)))
    plan: Pieces = []
    for start, end in itertools.pairwise([0, *cuts, len(message)]):
        plan.append(("send", message[start:end]))
        plan.extend(draw(st.lists(st.just(("turn", b"")), max_size=3)))
    last = max(at for at, (action, _) in enumerate(plan) if action == "send")
    plan[last] = ("send", plan[last][1] + glued)
    if draw(st.booleans()):
        plan.insert(draw(st.integers(0, len(plan))), draw(_endings))
    return plan


_garbage = st.one_of(st.just(b""), st.just(b""), st.binary(max_size=20))


@st.composite
def _asks(draw: st.DrawFn) -> Pieces:
    """One to three requests, perhaps with garbage behind."""
    return draw(_pieces(b"".join(draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=3))), draw(_garbage)))


@st.composite
def _answers(draw: st.DrawFn) -> Pieces:
    """Interim answers, a final one, and at once behind it perhaps more.

    At once: an answer that nobody asked for and that comes later, when another request is on the connection, is that
    one's answer to every HTTP/1.1 client there is.
    """
    interim = b"".join(draw(st.lists(st.sampled_from(INTERIM), max_size=2)))
    return draw(_pieces(interim + draw(st.sampled_from(ANSWERS)), draw(_garbage | st.sampled_from(ANSWERS))))


@dataclass
class Plan:
    """One client, and what the endpoint does with what it asks."""

    client: Pieces
    endpoint: Pieces
    is_early: bool
    """Whether the endpoint answers on the head alone."""
    reads: bool


plans = st.lists(
    st.builds(Plan, client=_asks(), endpoint=_answers(), is_early=st.booleans(), reads=st.booleans()),
    min_size=30,
    max_size=30,
)


@dataclass
class Arena:
    """One loop and one data plane for all examples of the test."""

    runner: asyncio.Runner
    bench: Bench
    server: asyncio.Server | None = None
    faults: list[str] = field(default_factory=list)
    plans: dict[bytes, Plan] = field(default_factory=dict)
    marks: itertools.count[int] = field(default_factory=lambda: itertools.count(100_000))


async def _perform(writer: asyncio.StreamWriter, pieces: Pieces, mark: bytes) -> bool:
    """Whether the connection is still there afterwards."""
    with contextlib.suppress(OSError, TimeoutError, RuntimeError):  # RuntimeError: uvloop's word for a closed transport
        for action, data in pieces:
            if writer.is_closing():
                return False
            if action == "send":
                writer.write(data.replace(b"@", mark).replace(b"`", b"x" * 300_000))
                async with asyncio.timeout(0.3):
                    await writer.drain()
            elif action == "turn":
                await asyncio.sleep(0)
            elif action == "shut":
                writer.write_eof()
                return True
            elif action == "reset":
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                writer.transport.abort()
                return False
            elif action == "close":
                return False
            else:
                await asyncio.sleep(0.3)
        return True
    return False


def _at_once(pieces: Pieces) -> Pieces:
    """In answer to a HEAD: a body that comes late would be the next request's answer, as above."""
    return [("send", b"".join(data for _, data in pieces))]


async def _be_endpoint(arena: Arena, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pending = b""
    try:
        while data := await reader.read(65536):
            pending += data
            with contextlib.suppress(Unfinished):
                while pending:
                    pending = await _answer(arena, reader, writer, pending)
    except (Unclear, OSError, EOFError):
        pass
    finally:
        writer.close()


async def _answer(arena: Arena, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pending: bytes) -> bytes:
    """Answer the request that `pending` begins with; what follows it. Raises `EOFError` where the connection ends."""
    head, mark, _ = pending.partition(b"\r\n\r\n")
    if not mark:
        raise Unfinished
    asked = _MARK.search(head.split(b"\r\n")[0])
    assert asked is not None, f"something else than a client's request arrived: {head!r}"
    plan = arena.plans.get(asked[0])
    if plan is None:
        raise EOFError  # of an earlier example: its client has left long ago
    pieces = _at_once(plan.endpoint) if head.startswith(b"HEAD ") else plan.endpoint
    if not plan.is_early:
        _, pending = read_request(pending)
    if not await _perform(writer, pieces, asked[0]):
        raise EOFError
    if plan.is_early:
        while True:  # the rest of the request may still come
            with contextlib.suppress(Unfinished):
                return read_request(pending)[1]
            pending += await reader.read(65536) or _raise_end()
    if b"\r\nupgrade: websocket" in head.lower() and any(b" 101 " in data for _, data in pieces):
        await reader.read()  # a tunnel
        raise EOFError
    return pending


def _raise_end() -> bytes:
    raise EOFError


async def _be_client(arena: Arena, plan: Plan) -> None:
    number = next(arena.marks)
    mark = b"<%d>" % number
    arena.plans[mark] = plan
    reader, writer = await asyncio.open_connection("127.0.0.1", arena.bench.port)
    received = b""
    try:
        there = await _perform(writer, [(action, data) for action, data in plan.client], mark)
        if there and plan.reads:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    while data := await reader.read(65536):
                        received += data
    finally:
        writer.close()
    strange = {found[0] for found in _MARK.finditer(received)} - {mark}
    assert not strange, f"a client got what was meant for {strange}"


async def _clash(arena: Arena, drawn: list[Plan]) -> None:
    bench = arena.bench
    arena.plans.clear()
    async with asyncio.TaskGroup() as group:
        for plan in drawn:
            group.create_task(_be_client(arena, plan))
    await until(lambda: bench.plane.report().connections == 0, "no client is left")
    await until(lambda: bench.plane.report().in_flight == 0, "nothing is in flight")
    await until(lambda: not bench.plane._tasks, "no task is left")
    assert arena.faults == []


@pytest.fixture
def arena(caplog: pytest.LogCaptureFixture) -> Iterator[Arena]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        made = Arena(runner, Bench(listener={"timeouts": TIMEOUTS}, service=SERVICE, routes=ROUTES))
        runner.get_loop().set_exception_handler(lambda _, context: made.faults.append(repr(context)))
        runner.run(_open(made))
        yield made
        runner.run(_close(made))
        assert made.faults == [], "no exception reached the loop"
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _open(arena: Arena) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _be_endpoint(arena, reader, writer)

    server = arena.server = await asyncio.start_server(serve, "127.0.0.1", 0)
    await arena.bench.__aenter__()
    arena.bench.add_address(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await arena.bench.publish()


async def _close(arena: Arena) -> None:
    await until(lambda: not arena.bench.plane.pool.open_by_service.get("api"), "no connection to the endpoint is left")
    await arena.bench.__aexit__()
    assert arena.server is not None
    arena.server.close()
    await arena.server.wait_closed()
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "no task is left")


@settings(
    max_examples=EXAMPLES,
    phases=[Phase.reuse, Phase.generate],  # a clash of thirty depends on time as well: it does not shrink
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
@given(drawn=plans)
def test_no_order_of_events_breaks_anything_or_leaves_anything(arena: Arena, drawn: list[Plan]) -> None:
    arena.runner.get_loop().run_until_complete(_clash(arena, drawn))
