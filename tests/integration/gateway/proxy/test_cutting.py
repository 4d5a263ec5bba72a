"""What a drain's deadline, or the end of the node, does to requests under way in a real data plane."""

from __future__ import annotations

import asyncio

import pytest

from gateway.messages import OperatorState
from tests.harness.dataplane import Bench, Connection, never_answer, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
OVERDUE = OperatorState(share=0.0, is_draining=True, is_overdue=True)


async def test_what_a_drain_cuts_is_told_so_where_that_can_be_told() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint(never_answer)
        await bench.publish()
        client = await bench.connect()
        await client.send(GET)
        await until(lambda: bool(endpoint.received), "the request is in flight")
        assert await bench.plane.drain(0.1) == 1
        reply = await client.reply()
        assert (reply.status, reply.problem["reason"]) == (503, "drain_deadline")


async def test_at_a_drains_deadline_a_read_is_tried_elsewhere_and_a_write_is_told() -> None:
    async with Bench() as bench:
        drained = await bench.endpoint(never_answer)
        await bench.publish()
        reader, writer = await bench.connect(), await bench.connect()
        await reader.send(GET)
        await writer.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        await until(lambda: len(drained.received) == 2, "both are in flight")
        await bench.endpoint()
        bench.operator[f"api/eu/127.0.0.1:{drained.port}"] = OVERDUE
        await bench.publish()
        reply = await writer.reply()
        assert (reply.status, reply.problem["reason"]) == (503, "drain_deadline")
        load = bench.plane.book.load(f"api/eu/127.0.0.1:{drained.port}")
        assert load.in_flight == 0
        # The snapshot that the request was decided by knows no other endpoint: it is told too, and asks again.
        assert (await reader.reply()).status == 503
        assert (await bench.ask(GET)).status == 200


async def test_at_a_drains_deadline_a_read_moves_to_an_endpoint_that_was_there_before() -> None:
    hold = asyncio.Event()

    async def never(connection: Connection) -> None:
        await connection.head()
        hold.set()
        await connection.rest()

    async with Bench(service={"load_balancing": {"algorithm": "round_robin"}}) as bench:
        drained, other = await bench.endpoint(never), await bench.endpoint()
        await bench.publish()
        clients = [await bench.connect() for _ in range(2)]
        for client in clients:
            await client.send(GET)
        await hold.wait()
        bench.operator[f"api/eu/127.0.0.1:{drained.port}"] = OVERDUE
        await bench.publish()
        assert [(await client.reply()).status for client in clients] == [200, 200]
        assert len(other.received) == 2


async def test_at_a_drains_deadline_an_event_stream_ends_and_half_a_body_is_cut_off() -> None:
    async def answer(connection: Connection) -> None:
        head = await connection.head()
        kind = b"text/event-stream" if b"/events" in head else b"application/octet-stream"
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % kind)
        await connection.send(b"9\r\ndata: 1\n\n\r\n")
        await connection.rest()

    async with Bench() as bench:
        drained = await bench.endpoint(answer)
        await bench.publish()
        events, file = await bench.connect(), await bench.connect()
        await events.send(GET.replace(b"/a", b"/events"))
        await file.send(GET)
        for client in (events, file):
            await client.head()
            assert await client.exactly(14) == b"9\r\ndata: 1\n\n\r\n"
        bench.operator[f"api/eu/127.0.0.1:{drained.port}"] = OVERDUE
        await bench.publish()
        assert await events.rest() == b"0\r\n\r\n"
        with pytest.raises(ConnectionResetError):
            await file.rest()
        assert {line["reason"] for line in bench.log} == {"drain_deadline"}
