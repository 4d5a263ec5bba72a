"""What is written in one turn of the loop leaves at its end, once a connection; what is large leaves at once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from gateway.core.gate import Endpoint
from gateway.core.timer_wheel import TimerWheel
from gateway.errors import ConnectionLost, UpstreamError
from gateway.proxy.late import LATE_BYTES, LateWrites
from gateway.proxy.pool import Pool
from gateway.proxy.upstream import UpstreamConnection


class Transport(asyncio.Transport):
    """Remembers what reached it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.is_aborted = True


class Sink:
    """A request that has been sent, as its connection sees it."""

    head = None
    idle_timeout_s = 1.0

    def __init__(self) -> None:
        self.failures: list[UpstreamError] = []

    def on_failed(self, endpoint_id: str, error: UpstreamError) -> None:
        self.failures.append(error)


class Turn:
    """The part of a data plane that an upstream connection needs."""

    def __init__(self) -> None:
        self.late = LateWrites(asyncio.get_running_loop())
        self.pool = Pool()
        self.wheel = TimerWheel(now=0.0, tick_s=0.1)

    def now(self) -> float:
        return 0.0

    def connection(self) -> tuple[UpstreamConnection, Transport]:
        endpoint = Endpoint(
            id="api/eu/h:1",
            service="api",
            region="eu",
            host="h",
            port=1,
            weight=1,
            priority=0,
            is_backup=False,
            probe_interval_s=1.0,
            health="up",
            health_reason="",
        )
        connection, transport = UpstreamConnection(cast(Any, self), endpoint), Transport()
        connection.connection_made(transport)
        return connection, transport


async def test_pieces_of_one_turn_leave_as_one_write_when_it_is_over() -> None:
    connection, transport = Turn().connection()
    connection.write(b"head ")
    connection.write(b"body")
    assert transport.written == []
    await asyncio.sleep(0)
    assert transport.written == [b"head body"]


async def test_each_turn_flushes_what_is_new_in_it() -> None:
    connection, transport = Turn().connection()
    for piece in (b"one", b"two"):
        connection.write(piece)
        await asyncio.sleep(0)
    assert transport.written == [b"one", b"two"]


async def test_a_large_piece_leaves_at_once_behind_what_was_kept() -> None:
    connection, transport = Turn().connection()
    connection.write(b"head")
    connection.write(b"x" * LATE_BYTES)
    assert transport.written == [b"head" + b"x" * LATE_BYTES]


async def test_a_closed_tunnel_sends_what_was_kept_and_an_aborted_connection_does_not() -> None:
    turn = Turn()
    ended, ended_transport = turn.connection()
    cut, cut_transport = turn.connection()
    for connection in (ended, cut):
        connection.write(b"last words")
    ended_transport.close = lambda: ended_transport.written.append(b"<closed>")  # type: ignore[method-assign]
    ended.finish()
    cut.close()
    await asyncio.sleep(0)
    assert ended_transport.written == [b"last words", b"<closed>"]
    assert cut_transport.written == []


async def test_bytes_that_come_before_the_request_has_left_are_nobodys_answer() -> None:
    connection, transport = Turn().connection()
    sink = Sink()
    connection.send(cast(Any, sink), b"GET / HTTP/1.1\r\n\r\n", timeout_s=1.0)
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await asyncio.sleep(0)
    assert transport.is_aborted
    assert transport.written == []
    assert [type(error) for error in sink.failures] == [ConnectionLost]
    assert not cast(ConnectionLost, sink.failures[0]).was_request_sent


async def test_a_connection_lost_before_the_request_has_left_says_so() -> None:
    connection, _ = Turn().connection()
    sink = Sink()
    connection.send(cast(Any, sink), b"POST / HTTP/1.1\r\n\r\n", timeout_s=1.0)
    connection.connection_lost(None)
    assert not cast(ConnectionLost, sink.failures[0]).was_request_sent


async def test_a_connection_lost_after_the_request_has_left_may_have_done_it() -> None:
    connection, _ = Turn().connection()
    sink = Sink()
    connection.send(cast(Any, sink), b"POST / HTTP/1.1\r\n\r\n", timeout_s=1.0)
    await asyncio.sleep(0)
    connection.connection_lost(None)
    assert cast(ConnectionLost, sink.failures[0]).was_request_sent
