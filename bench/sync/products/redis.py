"""Redis: a primary and a replica. It can lose what it acknowledged unless told to be durable; both are measured."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.sync.client import Refused, Side, polled
from bench.sync.documents import Document
from bench.sync.products.product import Pair, Region, Through
from tests.harness.redis import RedisServer
from tidegate.demo.waiting import until

DEFAULT_SAVE = ("--save", "3600 1 300 100 60 10000")
"""What Redis does when no file says otherwise."""
AT_ONCE = ("--repl-diskless-sync-delay", "0")
"""An empty primary need not wait for more replicas to come."""
READ_AT_ONCE = 500


class Redis:
    observed = "a connection to B that asks for the next 32 unseen keys again and again"
    share = 1.0

    def __init__(self, *, is_durable: bool) -> None:
        self.name = "Redis" if is_durable else "Redis, defaults"
        self._is_durable = is_durable
        self.settings = (
            "`appendonly yes`, `appendfsync always` on both; batches by one `MSET` of 500"
            if is_durable
            else "defaults: no append-only file, snapshots now and then; an acknowledged write is in memory alone"
        )

    def missing(self) -> str | None:
        try:
            self.version()
        except OSError as error:
            return f"cannot be started: {error}"
        return None

    def version(self) -> str:
        shown = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
        return shown.partition("v=")[2].partition(" ")[0]

    @asynccontextmanager
    async def pair(self, folder: Path, through: Through) -> AsyncIterator[Pair]:
        common = AT_ONCE if self._is_durable else (*AT_ONCE, *DEFAULT_SAVE)
        a = RedisServer(folder / "a", durable=self._is_durable, arguments=common)
        try:
            follows = ("--replicaof", f"127.0.0.1 {through(a.port)}")
            b = RedisServer(folder / "b", durable=self._is_durable, arguments=(*common, *follows))
            try:
                await _follows(b.port)
                yield Pair(*(Region(Side("redis", one.port), one.pid) for one in (a, b)))
            finally:
                b.kill()
        finally:
            a.kill()


async def _follows(port: int) -> None:
    client = RedisClient(port)
    await client.open()
    try:
        await until(client.is_linked, within_s=60, what="the replica follows")
    finally:
        await client.close()


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class RedisClient:
    """RESP, as little of it as is needed."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)

    async def put(self, document: Document) -> None:
        await self._acknowledged(command(b"SET", document.key.encode(), document.value))

    async def put_many(self, documents: Sequence[Document]) -> None:
        words = [word for key, value in documents for word in (key.encode(), value)]
        await self._acknowledged(command(b"MSET", *words))

    async def present(self, keys: Sequence[str]) -> Collection[str]:
        self._writer.write(b"".join(command(b"EXISTS", key.encode()) for key in keys))
        return [key for key in keys if await self._reader.readuntil(b"\r\n") == b":1\r\n"]

    async def watch(self, keys: Sequence[str], since: str) -> AsyncIterator[Collection[str]]:
        yield ()
        async for found in polled(self.present, keys):
            yield found

    async def mark(self) -> str:
        return ""

    async def read_back(self, run: str, keys: Sequence[str]) -> AsyncIterator[tuple[str, bytes]]:
        for some in (keys[at : at + READ_AT_ONCE] for at in range(0, len(keys), READ_AT_ONCE)):
            self._writer.write(command(b"MGET", *(key.encode() for key in some)))
            await self._reader.readuntil(b"\r\n")
            for key in some:
                if (value := await self._bulk()) is not None:
                    yield key, value

    async def is_linked(self) -> bool:
        self._writer.write(command(b"INFO", b"replication"))
        told = await self._bulk()
        return told is not None and b"master_link_status:up" in told

    async def close(self) -> None:
        self._writer.close()

    async def _acknowledged(self, request: bytes) -> None:
        self._writer.write(request)
        answer = await self._reader.readuntil(b"\r\n")
        if answer != b"+OK\r\n":
            raise Refused(f"found {answer!r}, expected OK")

    async def _bulk(self) -> bytes | None:
        length = int((await self._reader.readuntil(b"\r\n"))[1:])
        return None if length < 0 else (await self._reader.readexactly(length + 2))[:-2]
