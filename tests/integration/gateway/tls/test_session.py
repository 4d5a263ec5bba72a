"""Slow, broken and silent TLS clients at a real listener."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
import struct
from pathlib import Path
from typing import Any

import pytest

from gateway.tls.session import SHUTDOWN_S
from tests.harness.certificates import Authority
from tests.harness.dataplane import DEADLINE_S, Bench, Connection, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
LARGE = 48 << 20
HELD_AT_MOST = 24 << 20
"""By the kernel's buffers of all four sockets, the test's own streams, and the gateway."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def listener(authority: Authority, **settings: Any) -> dict[str, Any]:
    return {"tls": {"certificates": [authority.issue("localhost")]}, **settings}


class RawClient:
    """TLS by hand over a plain connection, so that the bytes on the wire are the test's to choose."""

    def __init__(self, connection: Connection, context: ssl.SSLContext) -> None:
        self.wire = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    async def shake_hands(self) -> RawClient:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.wire.send(self._outgoing.read())
                await self._more()
            else:
                await self.wire.send(self._outgoing.read())
                return self

    def record(self, text: bytes) -> bytes:
        """Encrypted, not sent."""
        self._tls.write(text)
        return self._outgoing.read()

    async def read(self) -> bytes:
        """Empty after the peer's close_notify. Raises `ssl.SSLError` for its alert."""
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                await self._more()

    async def _more(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            data = await self.wire.reader.read(65536)
        if not data:
            raise ConnectionResetError("an end without close_notify")
        self._incoming.write(data)


async def raw_client(bench: Bench, authority: Authority) -> RawClient:
    return await RawClient(await bench.connect(), authority.client()).shake_hands()


async def never(connection: Connection) -> None:
    """Take a request, and leave it unanswered."""
    await connection.head()
    with contextlib.suppress(ConnectionError):
        await connection.rest()


async def test_a_request_whose_record_comes_a_byte_at_a_time_is_answered(authority: Authority) -> None:
    async with Bench(listener=listener(authority)) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await raw_client(bench, authority)
        record = client.record(GET)
        for at in range(len(record)):
            await client.wire.send(record[at : at + 1])
            await asyncio.sleep(0)
        assert (await client.read()).startswith(b"HTTP/1.1 200")


async def test_a_record_that_was_changed_on_its_way_ends_the_connection_with_an_alert(authority: Authority) -> None:
    async with Bench(listener=listener(authority)) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        client = await raw_client(bench, authority)
        record = bytearray(client.record(GET))
        record[20] ^= 1
        await client.wire.send(bytes(record))
        with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
            await client.read()
        await until(lambda: bench.plane.pool.open_by_service.get("api", 0) == 0, "nothing was asked for")
        assert endpoint.received == []


async def test_a_client_that_ends_without_close_notify_has_left(authority: Authority) -> None:
    async with Bench(listener=listener(authority)) as bench:
        endpoint = await bench.endpoint(never)
        await bench.publish()
        client = await raw_client(bench, authority)
        await client.wire.send(client.record(GET))
        await until(lambda: bool(endpoint.received), "the request is in flight")
        client.wire.writer.write_eof()
        await until(lambda: bool(bench.log), "it is logged")
        assert bench.log[0]["reason"] == "client_left"


async def test_a_body_cut_off_without_close_notify_is_not_whole(authority: Authority) -> None:
    async with Bench(listener=listener(authority)) as bench:
        endpoint = await bench.endpoint(never)
        await bench.publish()
        client = await raw_client(bench, authority)
        await client.wire.send(client.record(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf"))
        await until(lambda: bool(endpoint.received), "the request is in flight")
        client.wire.writer.write_eof()
        await until(lambda: bool(bench.log), "it is logged")
        assert bench.log[0]["reason"] == "client_left"


async def test_a_last_answer_is_followed_by_close_notify_and_fin(authority: Authority) -> None:
    async with Bench(listener=listener(authority)) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await raw_client(bench, authority)
        await client.wire.send(client.record(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
        assert (await client.read()).startswith(b"HTTP/1.1 200")
        assert await client.read() == b""
        assert await client.wire.rest() == b""


async def test_a_client_that_never_ends_its_side_is_cut(authority: Authority) -> None:
    async with Bench(listener=listener(authority)) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await raw_client(bench, authority)
        await client.wire.send(client.record(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
        while await client.read():
            pass
        before = bench.plane.now()
        with pytest.raises(ConnectionError):
            await send_on(client.wire)
        assert SHUTDOWN_S / 2 < bench.plane.now() - before < SHUTDOWN_S + 2.0


async def test_a_client_that_reads_nothing_stops_the_endpoint(authority: Authority) -> None:
    sent = 0
    digest = hashlib.sha256()

    async def large(connection: Connection) -> None:
        nonlocal sent
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        for number in range(LARGE >> 16):
            piece = struct.pack(">I", number) * (1 << 14)
            digest.update(piece)
            connection.writer.write(piece)
            await connection.writer.drain()
            sent += len(piece)

    async with Bench(listener=listener(authority)) as bench:
        await bench.endpoint(large)
        await bench.publish()
        client = await raw_client(bench, authority)
        await client.wire.send(client.record(GET))
        await until(lambda: sent > 0, "the answer has begun")
        await settled(lambda: sent)
        assert sent < HELD_AT_MOST
        received = hashlib.sha256()
        head, _, body = (await client.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        while not body:
            body = await client.read()
        left = LARGE
        while True:
            received.update(body)
            left -= len(body)
            if not left:
                break
            body = await client.read()
        assert received.digest() == digest.digest()


async def test_an_endpoint_that_reads_nothing_stops_the_client(authority: Authority) -> None:
    go = asyncio.Event()
    digest = hashlib.sha256()
    taken = hashlib.sha256()

    async def slow(connection: Connection) -> None:
        await connection.head()
        await go.wait()
        left = LARGE
        while left:
            piece = await connection.reader.read(1 << 16)
            assert piece
            taken.update(piece)
            left -= len(piece)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench(listener=listener(authority)) as bench:
        await bench.endpoint(slow)
        await bench.publish()
        client = await bench.connect(tls=authority.client())
        sent = 0

        async def upload() -> None:
            nonlocal sent
            await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % LARGE)
            for number in range(LARGE >> 16):
                piece = struct.pack(">I", number) * (1 << 14)
                digest.update(piece)
                client.writer.write(piece)
                await client.writer.drain()
                sent += len(piece)

        async with asyncio.TaskGroup() as group:
            uploading = group.create_task(upload())
            await until(lambda: sent > 0, "the body has begun")
            await settled(lambda: sent)
            assert sent < HELD_AT_MOST
            go.set()
            await uploading
        assert (await client.reply()).body == b"ok"
        assert taken.digest() == digest.digest()


async def send_on(connection: Connection) -> None:
    """Until it is cut."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            await connection.send(b"?")
            await asyncio.sleep(0.01)


async def settled(counted: Any) -> None:
    """Until it has stood still for a hundred looks."""
    before, still = -1, 0
    while still < 100:
        await asyncio.sleep(0.002)
        still = still + 1 if counted() == before else 0
        before = counted()
