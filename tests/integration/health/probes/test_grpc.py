"""The health service of real HTTP/2 servers, plain and over TLS, well and otherwise."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import h2.config
import h2.connection
import h2.events
import pytest

from health.core.probe import Outcome, ProbeSettings, ProbeTarget, ProbeTls
from health.probes.grpc import GrpcAttempt
from health.probes.names import Names
from health.probes.tcp import Surroundings
from tests.harness.certificates import Authority

Behave = Callable[[h2.connection.H2Connection, int, bytes], None]


def says(status: int) -> Behave:
    """Answers every check with `status`."""

    def answer(connection: h2.connection.H2Connection, stream: int, request: bytes) -> None:
        connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        connection.send_data(stream, b"\x00\x00\x00\x00\x02\x08" + bytes([status]))
        connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    return answer


def by_service(connection: h2.connection.H2Connection, stream: int, request: bytes) -> None:
    says(1 if request.endswith(b"shop.Cart") else 3)(connection, stream, request)


def silent(connection: h2.connection.H2Connection, stream: int, request: bytes) -> None:
    pass


class Http2(asyncio.Protocol):
    """One connection of a server."""

    def __init__(self, behave: Behave) -> None:
        self._behave = behave
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._bodies: dict[int, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connection.initiate_connection()
        self._transport.write(self._connection.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self._connection.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self._bodies[event.stream_id] = self._bodies.get(event.stream_id, b"") + (event.data or b"")
            elif isinstance(event, h2.events.StreamEnded):
                self._behave(self._connection, event.stream_id, self._bodies.get(event.stream_id, b""))
        self._transport.write(self._connection.data_to_send())

    def connection_lost(self, error: Exception | None) -> None:
        self._transport.close()


class Bytes(asyncio.Protocol):
    """Sends some bytes and is then silent."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._data)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport.close()


@asynccontextmanager
async def serving(make: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def ask(port: int, *, service: str | None = None, tls: ProbeTls | None = None) -> Outcome:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Outcome] = loop.create_future()
    names = Names(loop)
    settings = ProbeSettings(protocol="grpc", timeout_s=1.0, grpc_service=service, tls=tls)
    target = ProbeTarget(f"api/eu/127.0.0.1:{port}", "api", "eu", "127.0.0.1", port, settings)
    around = Surroundings(loop, time.monotonic, "tidegate-probe/0 (gw)", names.lookup)
    attempt = GrpcAttempt(target, around, ended.set_result)
    attempt.start()
    try:
        async with asyncio.timeout(settings.timeout_s):
            return await asyncio.shield(ended)
    except TimeoutError:
        return attempt.expire()
    finally:
        attempt.abandon()
        names.close()


async def test_a_serving_server_passes_and_the_round_trip_is_measured() -> None:
    async with serving(lambda: Http2(says(1))) as port:
        outcome = await ask(port)
    assert (outcome.passed, outcome.reason) == (True, "grpc serving")
    assert outcome.rtt_s is not None


async def test_a_server_that_says_that_it_does_not_serve_fails() -> None:
    async with serving(lambda: Http2(says(2))) as port:
        outcome = await ask(port)
    assert (outcome.passed, outcome.reason) == (False, "grpc not serving")


async def test_one_service_of_a_server_may_be_asked_about() -> None:
    async with serving(lambda: Http2(by_service)) as port:
        assert (await ask(port, service="shop.Cart")).passed
        assert (await ask(port, service="shop.Other")).reason == "grpc service unknown"


async def test_over_tls_it_is_the_same_and_the_certificate_is_looked_at(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.server(authority.issue("api.test"))
    server.set_alpn_protocols(["h2"])
    async with serving(lambda: Http2(says(1)), server) as port:
        well = await ask(port, tls=ProbeTls(ca=str(authority.file), server_name="api.test"))
        assert (well.passed, well.reason) == (True, "grpc serving")
        other = await ask(port, tls=ProbeTls(ca=str(authority.file), server_name="other.test"))
        assert other.passed is False
        assert other.reason.startswith("certificate not trusted")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "malformed answer"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 9000, "answer longer than 64KiB"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", "answer not complete in 1s"),
        (b"", "no answer in 1s"),
    ],
)
async def test_servers_that_speak_something_else_flood_or_stop_are_told_apart(sent: bytes, reason: str) -> None:
    async with serving(lambda: Bytes(sent)) as port:
        outcome = await ask(port)
    assert (outcome.passed, outcome.reason) == (False, reason)


async def test_a_server_that_takes_the_call_and_never_answers_fails_in_time() -> None:
    async with serving(lambda: Http2(silent)) as port:
        outcome = await ask(port)
    assert (outcome.passed, outcome.reason) == (False, "answer not complete in 1s")


async def test_nobody_there_is_a_refusal() -> None:
    async with serving(lambda: Http2(silent)) as port:
        pass
    assert (await ask(port)).reason == "connection refused"
