"""Tidegate: two nodes as a user starts them, one worker each; clients at the data API, through the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import msgspec

from bench.sync.client import Refused, Side
from bench.sync.documents import Document
from bench.sync.http import Connection
from bench.sync.products.product import Pair, Region, Through
from tests.harness.data_mesh import data_mesh
from tests.harness.node import Node

COLLECTION = {"name": "notes", "data_type": "notes", "conflict": "last_write_wins"}
PAGE = 1000
CREATED = 201


class Tidegate:
    settings = (
        "one worker a node, `conflict: last_write_wins`, SQLite; a write is acknowledged when it is on A's disk "
        "(`Tidegate-Write-Level: local`); batches by `POST /data/v1/batch`"
    )
    observed = "the changes feed of B by server-sent events"
    share = 1.0

    def __init__(self, name: str = "Tidegate", compiled: Path | None = None) -> None:
        self.name = name
        self._compiled = compiled
        """A copy of the tree with its hot modules compiled, to run from."""

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        how = "from source" if self._compiled is None else "data plane compiled as `make fast` does"
        return f"{metadata.version('tidegate')}, {how}"

    @asynccontextmanager
    async def pair(self, folder: Path, through: Through) -> AsyncIterator[Pair]:
        def change(node: Node) -> None:
            for region in node.config["regions"]:
                if region["id"] != node.config["node"]["region"]:
                    port = int(region["peers"][0].rpartition(":")[2])
                    region["peers"] = [f"http://127.0.0.1:{through(port)}"]

        # Without the second, Python would look into the working directory first, for the children too.
        tree = {"PYTHONPATH": str((self._compiled or Path.cwd()).resolve()), "PYTHONSAFEPATH": "1"}
        async with data_mesh(
            folder, collections=[COLLECTION], regions=("a", "b"), change=change, environ=tree, workers=1
        ) as nodes:
            yield Pair(_region(nodes["a"]), _region(nodes["b"]))


def _region(node: Node) -> Region:
    assert node.supervisor is not None  # noqa: S101
    return Region(Side("tidegate", node.port), node.supervisor.pid)


class _Result(msgspec.Struct):
    status: int


class _Results(msgspec.Struct):
    results: list[_Result]


class _Change(msgspec.Struct):
    key: str
    value: msgspec.Raw = msgspec.Raw(b"")


class _Page(msgspec.Struct):
    changes: list[_Change]
    next: str


_results = msgspec.json.Decoder(_Results)
_page = msgspec.json.Decoder(_Page)
_change = msgspec.json.Decoder(_Change)


def batch_of(documents: Sequence[Document]) -> bytes:
    operations = b",".join(
        b'{"method":"PUT","collection":"notes","key":"%b","value":%b}' % (key.encode(), value)
        for key, value in documents
    )
    return b'{"operations":[' + operations + b"]}"


class TidegateClient:
    def __init__(self, port: int) -> None:
        self._http = Connection(port)
        self._cursor = ""

    async def open(self) -> None:
        await self._http.open()

    async def put(self, document: Document) -> None:
        status, body = await self._http.ask("PUT", f"/data/v1/notes/{document.key}", document.value)
        if status != CREATED:
            raise Refused(f"found {status} {body[:200]!r}, expected 201")

    async def put_many(self, documents: Sequence[Document]) -> None:
        status, body = await self._http.ask("POST", "/data/v1/batch", batch_of(documents))
        if status != 200:
            raise Refused(f"found {status} {body[:200]!r}, expected 200")
        if wrong := [one for one in _results.decode(body).results if one.status != CREATED]:
            raise Refused(f"found {len(wrong)} of a batch with {wrong[0].status}, expected 201")

    async def present(self, keys: Sequence[str]) -> Collection[str]:
        return [key for key in keys if (await self._http.ask("GET", f"/data/v1/notes/{key}"))[0] == 200]

    async def watch(self, keys: Sequence[str], since: str) -> AsyncIterator[Collection[str]]:
        unseen = set(keys)
        accept = "Accept: text/event-stream\r\n"
        async for line in self._http.lines(f"/data/v1/notes/changes?since={quote(since)}", accept):
            if line.startswith(b": open"):
                yield ()
            elif line.startswith(b"data: ") and (key := _change.decode(line[6:]).key) in unseen:
                unseen.discard(key)
                yield (key,)
                if not unseen:
                    return

    async def mark(self) -> str:
        async for _ in self._changes():
            pass
        return self._cursor

    async def read_back(self, run: str, keys: Sequence[str]) -> AsyncIterator[tuple[str, bytes]]:
        async for change in self._changes():
            if change.key.startswith(f"{run}-"):
                yield change.key, bytes(change.value)

    async def close(self) -> None:
        await self._http.close()

    async def _changes(self) -> AsyncIterator[_Change]:
        """All since the last time."""
        while True:
            query = f"limit={PAGE}" + (f"&since={quote(self._cursor)}" if self._cursor else "")
            status, body = await self._http.ask("GET", f"/data/v1/notes/changes?{query}")
            if status != 200:
                raise Refused(f"found {status} {body[:200]!r}, expected a page of changes")
            page = _page.decode(body)
            self._cursor = page.next
            for change in page.changes:
                yield change
            if not page.changes:
                return
