"""WebSockets through the data plane: bytes both ways, from the first, until either side ends."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
import websockets
from websockets.asyncio.server import ServerConnection, serve

from gateway.messages import OperatorState
from tests.harness.dataplane import Bench, Connection, until

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


OVERDUE = OperatorState(share=0.0, is_draining=True, is_overdue=True)


async def echo(connection: Connection) -> None:
    """Agree, then send back every byte."""
    await connection.head()
    await connection.send(SWITCH + b"hello")
    while data := await connection.reader.read(65536):
        await connection.send(data)


async def test_bytes_go_both_ways_also_those_in_the_handshakes_own_segments() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint(echo)
        await bench.publish()
        client = await bench.connect()
        await client.send(HANDSHAKE + b"early")
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
        assert await client.exactly(10) == b"helloearly"
        assert [(one.in_flight, one.streams) for one in bench.plane.report().endpoints] == [(1, 1)]
        await client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await client.exactly(18) == b"GET / HTTP/1.1\r\n\r\n", "no byte is read as HTTP any more"
        assert b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" in endpoint.received[0]
        client.close()
        await until(lambda: bool(bench.log), "the tunnel has ended")
        assert (bench.log[0]["status"], bench.log[0]["bytes_in"], bench.log[0]["bytes_out"]) == (101, 23, 28)
        assert bench.plane.report().in_flight == 0
        assert [load.streams for load in bench.plane.book.loads.values()] == [0], (
            "a drain waits for no stream that ended"
        )


async def test_the_websockets_library_talks_through_it() -> None:
    async def answer(websocket: ServerConnection) -> None:
        async for message in websocket:
            await websocket.send(message)

    async with serve(answer, "127.0.0.1", 0) as server, Bench() as bench:
        bench.add_address(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await bench.publish()
        async with websockets.connect(f"ws://127.0.0.1:{bench.port}/ws") as websocket:
            for message in ("a", "b" * 100_000, b"\0" * 300_000):
                await websocket.send(message)
                assert await websocket.recv() == message


@pytest.mark.parametrize(
    "answer",
    [
        SWITCH.replace(b"s3pP", b"AAAA"),
        SWITCH.replace(b"Upgrade: websocket", b"Upgrade: other"),
        SWITCH.replace(b"Connection: Upgrade\r\n", b""),
    ],
)
async def test_a_101_that_does_not_prove_itself_opens_no_tunnel(answer: bytes) -> None:
    async def agree(connection: Connection) -> None:
        await connection.head()
        await connection.send(answer)
        await connection.rest()

    async with Bench(service={"retries": {"max_retries": 0}}) as bench:
        await bench.endpoint(agree)
        await bench.publish()
        reply = await bench.ask(HANDSHAKE)
        assert (reply.status, reply.field(b"proxy-status")) == (502, b"gw-test; error=http_upgrade_failed")


async def test_an_endpoint_that_declines_answers_like_any_other() -> None:
    async def decline(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench() as bench:
        await bench.endpoint(decline)
        await bench.publish()
        async with bench.client() as client:
            await client.send(HANDSHAKE)
            assert (await client.reply()).status == 403
            await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await client.reply()).body == b"ok"


async def test_a_silent_tunnel_is_ended() -> None:
    async with Bench(listener={"timeouts": {"tunnel_idle": "300ms"}}) as bench:
        await bench.endpoint(echo)
        await bench.publish()
        client = await bench.connect()
        await client.send(HANDSHAKE)
        await client.head()
        assert await client.rest() == b"hello"
        assert bench.log[0]["reason"] == "tunnel_idle"


async def test_an_endpoint_that_ends_the_tunnel_is_heard_to_its_last_byte() -> None:
    async def last_words(connection: Connection) -> None:
        await connection.head()
        await connection.send(SWITCH + b"x" * 1_000_000)

    async with Bench() as bench:
        await bench.endpoint(last_words)
        await bench.publish()
        client = await bench.connect()
        await client.send(HANDSHAKE)
        await client.head()
        assert len(await client.rest()) == 1_000_000


async def test_a_tunnel_outlives_the_time_that_an_answer_may_take_and_is_told_once() -> None:
    async with Bench(service={"timeouts": {"total": "100ms"}}) as bench:
        await bench.endpoint(echo)
        await bench.publish()
        client = await bench.connect()
        await client.send(HANDSHAKE)
        await client.head()
        assert await client.exactly(5) == b"hello"
        is_past = asyncio.Event()
        asyncio.get_running_loop().call_later(0.2, is_past.set)
        await is_past.wait()
        await client.send(b"still there")
        assert await client.exactly(11) == b"still there"
        client.close()
        await until(lambda: bool(bench.log), "the tunnel has ended")
        assert [(line["status"], line.get("reason")) for line in bench.log] == [(101, None)]


async def test_tunnels_are_counted_and_bounded() -> None:
    async with Bench(listener={"limits": {"max_streams": 1}}) as bench:
        await bench.endpoint(echo)
        await bench.publish()
        first = await bench.connect()
        await first.send(HANDSHAKE)
        await first.head()
        reply = await bench.ask(HANDSHAKE)
        assert (reply.status, reply.problem["reason"]) == (503, "stream_limit")
        first.close()
        await until(lambda: bool([line for line in bench.log if line["status"] == 101]), "the first has ended")
        second = await bench.connect()
        await second.send(HANDSHAKE)
        assert (await second.head()).startswith(b"HTTP/1.1 101 ")


async def test_a_slow_side_holds_the_other_back() -> None:
    sent = 0

    async def flood(connection: Connection) -> None:
        nonlocal sent
        await connection.head()
        await connection.send(SWITCH)
        while sent < 64 * 1024 * 1024:
            connection.writer.write(b"x" * 65536)
            sent += 65536
            await connection.writer.drain()

    async with Bench() as bench:
        await bench.endpoint(flood)
        await bench.publish()
        client = await bench.connect()
        await client.send(HANDSHAKE)
        await client.head()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport reads too
        steady = -1
        while steady != sent:
            steady = sent
            await asyncio.sleep(0.3)
        assert sent < 32 * 1024 * 1024


async def test_a_client_that_half_closes_before_the_switch_gets_no_tunnel_and_leaves_nothing_behind() -> None:
    go = asyncio.Event()

    async def late(connection: Connection) -> None:
        await connection.head()
        await go.wait()
        await connection.send(SWITCH)
        await connection.rest()

    async with Bench() as bench:
        endpoint = await bench.endpoint(late)
        await bench.publish()
        client = await bench.connect()
        await client.send(HANDSHAKE)
        await until(lambda: bool(endpoint.received), "the handshake arrived")
        client.writer.write_eof()
        await until(lambda: bool(bench.log), "the request has ended")
        go.set()
        client.close()
        await until(lambda: not bench.plane.pool.open_by_service["api"], "nothing is left")
        assert (bench.plane.report().connections, bench.plane.report().in_flight) == (0, 0)


async def test_a_drains_deadline_ends_a_websocket_by_a_close_frame_to_both_after_the_frame_under_way() -> None:
    half_sent, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection) -> None:
        await connection.head()
        await connection.send(SWITCH + b"\x81\x05he")
        half_sent.set()
        await go_on.wait()
        await connection.send(b"llo\x81\x09never")
        told.append(await connection.rest())

    told: list[bytes] = []
    async with Bench() as bench:
        endpoint = await bench.endpoint(slow)
        await bench.publish()
        client = await bench.connect()
        await client.send(HANDSHAKE)
        await client.head()
        await half_sent.wait()
        assert await client.exactly(4) == b"\x81\x05he"
        bench.operator[f"api/eu/127.0.0.1:{endpoint.port}"] = OVERDUE
        await bench.publish()
        go_on.set()
        assert await client.exactly(3) == b"llo"
        close = await client.rest()
        assert close[:1] == b"\x88"
        assert int.from_bytes(close[2:4], "big") == 1001
        await until(lambda: bool(told), "the endpoint has been told")
        key, masked = told[0][2:6], told[0][6:8]
        assert told[0][:1] == b"\x88"
        assert int.from_bytes(bytes(a ^ b for a, b in zip(masked, key[:2], strict=True)), "big") == 1001
        assert bench.log[0]["reason"] == "drain_deadline"


async def test_a_frame_that_never_ends_is_not_waited_for() -> None:
    async def stuck(connection: Connection) -> None:
        await connection.head()
        await connection.send(SWITCH + b"\x81\x05he")
        await connection.rest()

    async with Bench() as bench:
        endpoint = await bench.endpoint(stuck)
        await bench.publish()
        client = await bench.connect()
        await client.send(HANDSHAKE)
        await client.head()
        await client.exactly(4)
        bench.operator[f"api/eu/127.0.0.1:{endpoint.port}"] = OVERDUE
        await bench.publish()
        assert await client.rest() == b""
        await until(lambda: bool(bench.log), "the tunnel has ended")
        assert bench.log[0]["reason"] == "drain_deadline"


async def test_the_end_of_a_nodes_drain_tells_a_websocket_library_that_the_service_restarts() -> None:
    async def idle(websocket: ServerConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            await websocket.recv()

    async with serve(idle, "127.0.0.1", 0) as server, Bench() as bench:
        bench.add_address(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await bench.publish()
        async with websockets.connect(f"ws://127.0.0.1:{bench.port}/ws") as websocket:
            assert await bench.plane.drain(0.1) == 1
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await websocket.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "the gateway is being stopped")
