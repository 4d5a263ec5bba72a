"""One listening socket, accepted from as the settings say."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

from gateway.proxy.acceptor import Acceptor
from tests.harness.certificates import Authority
from tests.harness.dataplane import Bench, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def answers(bench: Bench, tls: ssl.SSLContext | None) -> bool:
    try:
        return (await bench.ask(GET, tls=tls)).status == 200
    except (OSError, asyncio.IncompleteReadError):
        return False


async def test_a_listener_turns_to_tls_and_back_on_the_same_socket(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("localhost")
    async with Bench() as bench:
        await bench.endpoint()
        await bench.publish()
        assert await answers(bench, None)
        for settings, tls in (({"tls": {"certificates": [pair]}}, authority.client()), ({}, None)):
            bench.settings["listener"] = settings
            await bench.publish()
            async with asyncio.timeout(10):
                while not await answers(bench, tls):  # noqa: ASYNC110 - only a new connection can tell
                    await asyncio.sleep(0.02)


async def test_what_waits_in_the_queue_is_accepted_when_a_tls_listener_closes(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with Bench(listener={"tls": {"certificates": [authority.issue("localhost")]}}) as bench:
        await bench.endpoint()
        await bench.publish()
        settings = bench.plane._listeners["public"]
        listening = socket.create_server(("127.0.0.1", 0), backlog=200)
        port = listening.getsockname()[1]
        acceptor = Acceptor(bench.plane, settings, listening)
        await acceptor.open()
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]  # without a turn of the loop
        acceptor.close()
        assert bench.plane.clients.handshakes == 100
        for client in clients:
            client.close()
        await until(lambda: bench.plane.clients.handshakes == 0, "they have left")
