"""Connections to endpoints are kept, bounded, and never trusted when in doubt."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from gateway.core.gate import Endpoint
from gateway.proxy.openings import OPENINGS_A_TURN
from gateway.proxy.pool import MAX_IDLE, Pool
from gateway.proxy.upstream import UpstreamConnection, connect
from tests.harness.dataplane import Bench, Connection, until

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def endpoint_at(bench: Bench, port: int) -> Endpoint:
    snapshot = bench.plane.snapshot
    assert snapshot is not None
    return next(entry for entry in snapshot.routing.services["api"].endpoints if entry.port == port)


async def opened(bench: Bench, count: int) -> list[UpstreamConnection]:
    scripted = await bench.endpoint(hold)
    await bench.publish()
    endpoint = endpoint_at(bench, scripted.port)
    return [await connect(bench.plane, endpoint, timeout_s=5.0) for _ in range(count)]


async def hold(connection: Connection) -> None:
    await connection.rest()


async def test_the_connection_used_last_is_taken_first() -> None:
    async with Bench() as bench:
        pool = Pool()
        first, second = await opened(bench, 2)
        pool.put(first)
        pool.put(second)
        assert pool.take(second.endpoint) is second
        assert pool.take(second.endpoint) is first
        assert pool.take(second.endpoint) is None


async def test_a_burst_leaves_only_so_many_behind() -> None:
    async with Bench() as bench:
        pool = Pool()
        (connection,) = await opened(bench, 1)
        assert [pool.put(connection) for _ in range(MAX_IDLE + 1)] == [True] * MAX_IDLE + [False]


async def test_an_endpoint_that_is_removed_has_its_idle_connections_closed() -> None:
    async with Bench() as bench:
        (connection,) = await opened(bench, 1)
        bench.plane.pool.put(connection)
        bench.plane.pool.close_endpoint(connection.endpoint.id)
        await until(lambda: connection.is_closed, "it is closed")
        await until(lambda: bench.plane.pool.open_by_service["api"] == 0, "it is counted no more")


async def test_an_idle_connection_that_the_endpoint_closes_is_not_taken_again() -> None:
    go = asyncio.Event()

    async def one_then_close(connection: Connection) -> None:
        await connection.head()
        await connection.send(OK)
        await go.wait()

    async with Bench() as bench:
        scripted = await bench.endpoint(one_then_close)
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
        go.set()
        await until(lambda: bench.plane.pool.open_by_service["api"] == 0, "the endpoint has closed it")
        assert (await bench.ask(GET)).status == 200
        assert scripted.connections == 2
        assert bench.log[1]["attempts"] == 1


async def test_bytes_on_an_idle_connection_are_nobodys_answer() -> None:
    go = asyncio.Event()

    async def speak_unasked(connection: Connection) -> None:
        await connection.head()
        await connection.send(OK)
        await go.wait()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await connection.rest()

    async with Bench() as bench:
        await bench.endpoint(speak_unasked)
        await bench.publish()
        assert (await bench.ask(GET)).body == b"ok"
        go.set()
        await until(lambda: bench.plane.pool.open_by_service["api"] == 0, "the connection is dropped")
        assert (await bench.ask(GET)).body == b"ok"


async def closed_after_s(keep_alive: str) -> float:
    """How long the only connection is kept."""
    async with Bench(service={"timeouts": {"keep_alive": keep_alive}}) as bench:
        await bench.endpoint()
        await bench.publish()
        before = bench.plane.now()
        assert (await bench.ask(GET)).status == 200
        await until(lambda: bench.plane.pool.open_by_service["api"] == 0, "it is closed")
        return bench.plane.now() - before


async def test_an_idle_connection_is_closed_after_the_time_that_its_service_says() -> None:
    assert 0.2 <= await closed_after_s("300ms") <= 1.8
    assert 1.9 <= await closed_after_s("2s") <= 3.5


async def test_by_default_it_is_closed_before_servers_close_theirs() -> None:
    async with Bench() as bench:
        await bench.endpoint()
        await bench.publish()
        assert bench.plane.snapshot is not None
        assert bench.plane.snapshot.routing.services["api"].keep_alive_s < 5.0


class QuickEndpoint:
    """Accepts and answers all that has come in one turn of the loop; uvloop's own server accepts one a turn."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listening.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        self._loop.add_reader(self._listening, self._accept)
        self.port = self._listening.getsockname()[1]
        self.accepted: list[socket.socket] = []

    def close(self) -> None:
        for sock in (self._listening, *self.accepted):
            self._loop.remove_reader(sock)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                accepted, _ = self._listening.accept()
                accepted.setblocking(False)  # noqa: FBT003 - see above
                self.accepted.append(accepted)
                self._loop.add_reader(accepted, self._answer, accepted)

    def _answer(self, sock: socket.socket) -> None:
        if sock.recv(65536):
            sock.send(OK)
        else:
            self._loop.remove_reader(sock)


async def test_a_burst_that_is_answered_at_once_opens_few_connections() -> None:
    async with Bench() as bench:
        quick = QuickEndpoint()
        bench.add_address(f"127.0.0.1:{quick.port}")
        await bench.publish()
        clients = [await bench.connect() for _ in range(400)]
        for client in clients:
            client.writer.write(GET)
        for client in clients:
            assert (await client.reply()).body == b"ok"
        assert OPENINGS_A_TURN <= len(quick.accepted) <= 200
        quick.close()


async def test_a_burst_that_is_answered_late_opens_a_connection_each() -> None:
    everybody = asyncio.Event()
    waiting = 0

    async def answer_when_all_are_there(connection: Connection) -> None:
        nonlocal waiting
        await connection.head()
        waiting += 1
        if waiting == 90:
            everybody.set()
        await everybody.wait()
        await connection.send(OK)

    async with Bench() as bench:
        await bench.endpoint(answer_when_all_are_there)
        await bench.publish()
        clients = [await bench.connect() for _ in range(90)]
        for client in clients:
            client.writer.write(GET)
        for client in clients:
            assert (await client.reply()).body == b"ok"


async def test_who_leaves_while_it_waits_for_a_connection_to_be_opened_leaves_nothing_behind() -> None:
    async with Bench() as bench:
        await bench.endpoint()
        await bench.publish()
        clients = [await bench.connect() for _ in range(90)]
        for client in clients:
            client.writer.write(GET)
            client.reset()
        await until(lambda: bench.plane.door.in_flight == 0 and len(bench.log) == 90, "all have left")
        bulkhead = bench.plane.pool.bulkhead("api")
        await until(lambda: (bulkhead.active, bulkhead.opening, bulkhead.in_use) == (0, 0, 0), "nothing is held")
        assert (await bench.ask(GET)).body == b"ok"
