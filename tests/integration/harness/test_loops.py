"""A server that is closed between the two turns in which a connection is accepted."""

from __future__ import annotations

import asyncio
import contextlib
import socket


async def test_what_is_accepted_for_a_server_that_is_being_closed_is_closed_whichever_turn_it_is() -> None:
    for turns in range(6):
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            client.settimeout(0)
            for _ in range(turns):
                await asyncio.sleep(0)
            server.close()
            async with asyncio.timeout(10):
                with contextlib.suppress(ConnectionResetError):
                    assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
