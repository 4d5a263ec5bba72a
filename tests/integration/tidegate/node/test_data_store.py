"""Two regions of real nodes on PostgreSQL: what was acknowledged is read back, whoever was killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.harness.node import Node
from tests.harness.postgres import PostgresServer
from tests.integration.tidegate.node.test_replication import (
    ask,
    has,
    put_until_done,
    reads,
    serves_data,
    two_regions,
    writing,
)


@pytest.fixture
async def server() -> AsyncIterator[PostgresServer]:
    made = await asyncio.to_thread(PostgresServer, "fsync=off")
    yield made
    await asyncio.to_thread(made.close)


async def test_no_acknowledged_write_is_lost_by_kill_9_of_sync_and_of_the_database(
    tmp_path: Path, server: PostgresServer
) -> None:
    databases = {region: server.database(f"of_{region}") for region in ("eu", "us")}
    async with two_regions(tmp_path, databases=databases, workers=1) as (eu, us):
        async with writing(eu) as done:
            for turn in range(1, 5):
                await eu.until(partial(has, done, 20 * turn), "more writes", within_s=60)
                if turn % 2:
                    server.kill()
                    await eu.until(partial(is_refused, eu), "a refusal that says why")
                    await asyncio.to_thread(server.start)
                else:
                    pid = await eu.pid("sync")
                    os.kill(pid, signal.SIGKILL)
                    await eu.gone(pid)
        assert len(done) > 80
        assert [node.log("task failed, starting it again") for node in (eu, us)] == [[], []]
        for node in (eu, us):
            for key, body in done.items():
                await node.until(partial(reads, node, f"notes/{key}", body), key, within_s=60)


async def is_refused(node: Node) -> bool:
    try:
        status, headers, body = await ask(node, "GET", "notes/none")
    except (aiohttp.ClientError, OSError):
        return False
    return status == 503 and "Retry-After" in headers and b"store_unavailable" in body


async def test_a_node_starts_without_its_database_and_takes_it_up_when_it_is_there(
    tmp_path: Path, server: PostgresServer
) -> None:
    databases = {region: server.database(f"of_{region}") for region in ("eu", "us")}
    async with two_regions(tmp_path, databases=databases, workers=0) as (eu, us):
        await put_until_done(us, "notes/a", b"before")
        await eu.until(lambda: reads(eu, "notes/a", b"before"), "the note in eu")
        await eu.stop()
        server.kill()
        eu.launch()
        await eu.until(partial(is_refused, eu), "a refusal that says why", within_s=30)
        await asyncio.to_thread(server.start)
        await eu.until(lambda: reads(eu, "notes/a", b"before"), "what was kept", within_s=30)
        await put_until_done(eu, "notes/b", b"after")
        await us.until(lambda: reads(us, "notes/b", b"after"), "what was written after it", within_s=30)
        assert [node.log("task failed, starting it again") for node in (eu, us)] == [[], []]


async def test_of_two_nodes_on_one_database_one_is_killed_and_nothing_is_lost_and_the_other_goes_on(
    tmp_path: Path, server: PostgresServer
) -> None:
    databases = {region: server.database(f"of_{region}") for region in ("eu", "us")}
    places = [("one", "eu"), ("other", "eu"), ("us", "us")]
    async with two_regions(tmp_path, databases=databases, places=places, workers=0) as (one, other, us):
        await put_until_done(one, "notes/k", b"by one")
        await other.until(partial(reads, other, "notes/k", b"by one"), "what the other node wrote")
        async with writing(one, other) as done:
            await other.until(partial(has, done, 60), "writes through both", within_s=60)
            one.kill()
            killed_at = len(done)
            await other.until(partial(has, done, killed_at + 60), "writes through the one that is left", within_s=60)
        for key, body in done.items():
            for node in (other, us):
                await node.until(partial(reads, node, f"notes/{key}", body), key, within_s=60)
        await put_until_done(us, "notes/back", b"from us")
        await other.until(partial(reads, other, "notes/back", b"from us"), "what us wrote", within_s=60)
        one.launch()
        await one.until(partial(serves_data, one), "the killed one is back", within_s=60)
        await put_until_done(one, "notes/again", b"by one")
        for node in (other, us):
            await node.until(partial(reads, node, "notes/again", b"by one"), "what it writes then", within_s=60)
        for key, body in done.items():
            assert await reads(one, f"notes/{key}", body), key
        assert {origin_of(told) for told in await versions(us, done)} == {origin_of(await version(us, "again"))}
        assert [node.log("task failed, starting it again") for node in (one, other, us)] == [[], [], []]


async def version(node: Node, key: str) -> str:
    """The entity tag; it names the store that wrote it."""
    _, headers, _ = await ask(node, "GET", f"notes/{key}")
    return str(headers["ETag"]).strip('"')


async def versions(node: Node, keys: Iterable[str]) -> list[str]:
    return [await version(node, key) for key in keys]


def origin_of(told: str) -> str:
    return told.partition("@")[2]
