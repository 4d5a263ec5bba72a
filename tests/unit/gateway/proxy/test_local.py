"""A Unix socket is reached whatever the length of its path; one that is not there is an OSError."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gateway.proxy.local import MAX_ADDRESS_BYTES, connect_local


class Greeting(asyncio.Protocol):
    """Says hello to whoever connects."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


class Heard(asyncio.Protocol):
    def __init__(self) -> None:
        self.data = b""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


@pytest.mark.parametrize("length", [10, MAX_ADDRESS_BYTES + 100])
async def test_a_socket_is_reached_however_long_its_path(tmp_path: Path, length: int) -> None:
    folder = tmp_path / ("d" * length)
    folder.mkdir()
    loop = asyncio.get_running_loop()
    here = Path.cwd()
    os.chdir(folder)  # to bind it by a short name
    try:
        server = await loop.create_unix_server(Greeting, "s")
    finally:
        os.chdir(here)
    async with server:
        heard = await connect_local(loop, Heard, str(folder / "s"))
        await heard.ended.wait()
    assert heard.data == b"hello"


async def test_a_socket_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / ("d" * 150)):
        with pytest.raises(OSError, match="No such file"):
            await connect_local(asyncio.get_running_loop(), Heard, str(folder / "none"))
