"""The adapter against the real server, and an upstream that echoes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chaos.toxiproxy import Link, Toxic, Toxiproxy, ToxiproxyError, find_server, running
from tests.architecture.tree import REPOSITORY

PATIENCE_S = 5.0


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # a toxic cut it, as tests want
    finally:
        writer.close()


@pytest.fixture
async def upstream() -> AsyncIterator[str]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"{host}:{port}"
    server.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Toxiproxy]:
    async with running(find_server(REPOSITORY), log=tmp_path / "toxiproxy.log", rng=random.Random()) as toxiproxy:
        yield toxiproxy


@pytest.fixture
async def link(server: Toxiproxy, upstream: str) -> Link:
    return await server.link("to-echo", upstream=upstream)


class Client:
    """One connection through a link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, link: Link) -> Client:
        host, _, port = link.listen.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def says(self, words: bytes, *, within_s: float = PATIENCE_S) -> bytes:
        self._writer.write(words)
        return await asyncio.wait_for(self._reader.read(1024), within_s)

    def close(self) -> None:
        self._writer.close()


async def test_a_link_without_faults_passes_everything_on(link: Link) -> None:
    client = await Client.connect(link)
    assert await client.says(b"hello") == b"hello"
    client.close()


async def test_a_cut_link_drops_its_connections_and_refuses_new_ones_until_restored(link: Link) -> None:
    client = await Client.connect(link)
    assert await client.says(b"hello") == b"hello"
    await link.cut()
    assert await client.says(b"anyone?") == b""
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await Client.connect(link)
    await link.restore()
    again = await Client.connect(link)
    assert await again.says(b"back") == b"back"
    client.close()
    again.close()


async def test_a_black_hole_accepts_and_answers_nothing_until_cleared(link: Link) -> None:
    await link.black_hole()
    client = await Client.connect(link)
    with pytest.raises(TimeoutError):
        await client.says(b"hello", within_s=0.2)
    client.close()
    await link.clear()
    assert await link.toxics() == ()
    again = await Client.connect(link)
    assert await again.says(b"back") == b"back"
    again.close()


async def test_a_toxic_is_changed_for_connections_that_exist(link: Link) -> None:
    slow = await link.add("latency", latency=150)
    client = await Client.connect(link)
    began = time.monotonic()
    assert await client.says(b"hello") == b"hello"
    assert time.monotonic() - began >= 0.15
    changed = await link.change(slow, latency=300)
    assert changed == Toxic("latency_downstream", "latency", "downstream", {"latency": 300})
    (told,) = await link.toxics()
    assert told.attributes["latency"] == 300
    began = time.monotonic()
    assert await client.says(b"again") == b"again"
    assert time.monotonic() - began >= 0.3
    client.close()


async def test_reset_clears_every_link(server: Toxiproxy, link: Link) -> None:
    await link.add("latency", latency=10)
    await link.cut()
    await server.reset()
    assert await link.toxics() == ()
    client = await Client.connect(link)
    assert await client.says(b"hello") == b"hello"
    client.close()


async def test_what_the_server_refuses_is_said_in_its_words(server: Toxiproxy, link: Link, upstream: str) -> None:
    with pytest.raises(ToxiproxyError, match="proxy already exists"):
        await server.link("to-echo", upstream=upstream)
    with pytest.raises(ToxiproxyError, match="invalid toxic type"):
        await link.add("gremlins")
    with pytest.raises(ToxiproxyError, match="toxic not found"):
        await link.remove(Toxic("never-added", "latency", "downstream", {}))


async def test_two_servers_of_one_process_do_not_meet(server: Toxiproxy, upstream: str, tmp_path: Path) -> None:
    await server.link("here", upstream=upstream)
    async with running(find_server(REPOSITORY), log=tmp_path / "other.log", rng=random.Random()) as other:
        await other.link("there", upstream=upstream)
        assert await other.names() == ("there",)
    assert await server.names() == ("here",)


async def test_a_server_that_has_gone_is_an_error_and_not_a_wait(upstream: str) -> None:
    gone = Toxiproxy("127.0.0.1", int(upstream.rpartition(":")[2]))
    assert not await Toxiproxy("127.0.0.1", 1).is_answering()
    with pytest.raises(ToxiproxyError):
        await gone.call("get", "/version")


def test_a_missing_server_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToxiproxyError, match="run `make setup`, which needs Go"):
        find_server(tmp_path)
