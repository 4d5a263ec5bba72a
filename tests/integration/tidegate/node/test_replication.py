"""Two regions of real nodes: what is written through one gateway is read through the other, also after kill -9."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from tests.harness.node import Backend, Node, ports

PATIENCE_S = 90.0
"""For a process that died to come back, on a machine that does much else."""
REGIONS = ("eu", "us")
SYNC = {
    "collections": [
        {"name": "notes", "data_type": "note", "conflict": "vector_clock"},
        {"name": "profiles", "data_type": "profile", "conflict": "last_write_wins"},
    ]
}
RESIDENCY = {
    "rules": [
        {"data_type": "note", "allowed_regions": "*"},
        {"data_type": "profile", "allowed_regions": ["eu"]},
    ]
}


@asynccontextmanager
async def two_regions(
    tmp_path: Path,
    *,
    edit: Callable[[Node], None] = lambda node: None,
    secrets: Mapping[str, str] | None = None,
    databases: Mapping[str, str] | None = None,
    places: Sequence[tuple[str, str]] = tuple(zip(REGIONS, REGIONS, strict=True)),
    **node_facts: Any,
) -> AsyncIterator[list[Node]]:
    """`databases`: the DSN by region, for data that is kept in PostgreSQL; `places`: each node's name and region."""
    peer_ports = ports(len(places))
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(Backend())
        mesh: list[Node] = []
        for (name, region), port in zip(places, peer_ports, strict=True):
            (tmp_path / name).mkdir()
            environ = {"MESH_KEY": "key", "MESH_SECRET": "secret", **(secrets or {})}
            if databases is not None:
                environ["DATABASE"] = databases[region]
            node = Node(tmp_path / name, backend.address, environ=environ, **node_facts)
            node.config["node"] |= {"id": f"gw-{name}", "region": region}
            addresses = [(of, f"http://127.0.0.1:{at}") for (_, of), at in zip(places, peer_ports, strict=True)]
            node.config["regions"] = [
                {"id": one, "peers": [url for of, url in addresses if of == one]} for one in REGIONS
            ]
            node.config["peer"] = {"bind": f"127.0.0.1:{port}", "secret": "env:MESH_SECRET"}
            node.config["secrets"] = {"signing_keys": ["env:MESH_KEY"]}
            node.config["sync"] = SYNC
            if databases is not None:
                node.config["stores"] = {"data": {"kind": "postgres", "dsn": "env:DATABASE"}}
            node.config["residency"] = RESIDENCY
            node.config["routes"] = [
                {"id": "data", "match": {"path": "/data/v1/*"}, "service": "builtin:data"},
                *node.config["routes"],
            ]
            edit(node)
            mesh.append(await stack.enter_async_context(node))
        for node in mesh:
            node.write()
            node.launch()
        for node in mesh:
            await node.until(partial(serves_data, node), "data is served", within_s=60)
        yield mesh


async def serves_data(node: Node) -> bool:
    """Not `ready`: these nodes' files differ in their ports, which each says of the other."""
    try:
        return (await ask(node, "GET", "notes"))[0] == 200
    except (aiohttp.ClientError, OSError):
        return False


async def ask(node: Node, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{node.url}/data/v1/{path}", data=body, headers=fields) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


async def put_until_done(node: Node, path: str, body: bytes, *, elsewhere: Sequence[Node] = (), **headers: str) -> Any:
    """A client's way through a node that dies and comes back, or to others of its region: the same operation id until
    somebody says done."""
    nodes = itertools.cycle((node, *elsewhere))
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                status, told, _ = await ask(next(nodes), "PUT", path, body, **headers)
            except (aiohttp.ClientError, OSError):
                status, told = 0, {}
            if status in {200, 201}:
                return told
            await asyncio.sleep(0.05)


@asynccontextmanager
async def writing(*nodes: Node) -> AsyncIterator[dict[str, bytes]]:
    """Clients that write to them until the block ends, each to another first; by key, what they were told is done."""
    done: dict[str, bytes] = {}
    is_over = asyncio.Event()

    async def client(name: str, node: Node) -> None:
        number = 0
        others = [other for other in nodes if other is not node]
        while not is_over.is_set():
            number += 1
            key, body = f"{name}-{number}", f"{name} {number}".encode()
            await put_until_done(node, f"notes/{key}", body, elsewhere=others, Tidegate_Op_Id=f"{name}:{number}")
            done[key] = body

    async with asyncio.TaskGroup() as group:
        for name, node in zip("abc", itertools.cycle(nodes), strict=False):
            group.create_task(client(name, node))
        yield done
        is_over.set()


def has(done: Mapping[str, bytes], count: int) -> bool:
    return len(done) > count


async def reads(node: Node, path: str, body: bytes) -> bool:
    status, _, found = await ask(node, "GET", path)
    return (status, found) == (200, body)


async def ask_until_it_has(node: Node, path: str, session: str) -> tuple[int, Any, bytes]:
    """With its session a client is told to wait where its write is not yet, and nothing else."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status, headers, body = await ask(node, "GET", path, Tidegate_Session=session)
            if status != 503 or b"behind_session" not in body:
                return status, headers, body


async def test_what_is_written_in_one_region_is_read_in_the_other_with_its_session(tmp_path: Path) -> None:
    async with two_regions(tmp_path, workers=1) as (eu, us):
        told = await put_until_done(eu, "notes/a", b"hello", Tidegate_Op_Id="desk:1", Content_Type="text/plain")
        status, headers, body = await ask_until_it_has(us, "notes/a", told["Tidegate-Session"])
        assert (status, body, headers["Content-Type"]) == (200, b"hello", "text/plain")
        await us.until(lambda: reads(us, "notes/a", b"hello"), "the note in us")
        status, headers, _ = await ask(us, "PUT", "notes/b", b"v", Tidegate_Write_Level="global")
        assert (status, headers["Tidegate-Durability"]) == (201, "global")
        assert await reads(eu, "notes/b", b"v")


async def test_concurrent_writes_stand_side_by_side_in_both_until_one_has_read_both(tmp_path: Path) -> None:
    async with two_regions(tmp_path, workers=1) as (eu, us):
        await asyncio.gather(ask(eu, "PUT", "notes/k", b"one"), ask(us, "PUT", "notes/k", b"other"))

        async def both(node: Node) -> bool:
            status, _, _ = await ask(node, "GET", "notes/k")
            return status == 300

        for node in (eu, us):
            await node.until(partial(both, node), "two siblings")
        _, headers, _ = await ask(us, "GET", "notes/k")
        await ask(us, "PUT", "notes/k", b"settled", Tidegate_Context=headers["Tidegate-Context"])
        for node in (eu, us):
            await node.until(partial(reads, node, "notes/k", b"settled"), "one version")


async def test_a_forbidden_region_has_no_byte_of_a_collection_and_says_where_to_ask(tmp_path: Path) -> None:
    async with two_regions(tmp_path, workers=1) as (eu, us):
        canary = b"canary-5f2a9c"
        status, _, _ = await ask(eu, "PUT", "profiles/p", canary)
        assert status == 201
        await put_until_done(eu, "notes/after", b"v")
        await us.until(lambda: reads(us, "notes/after", b"v"), "what was written after it")
        status, _, _ = await ask(us, "GET", "profiles/p")
        assert status == 421
        kept = [path for path in (tmp_path / "us").rglob("*") if path.is_file()]
        assert kept
        assert not any(canary in path.read_bytes() for path in kept)


async def test_no_acknowledged_write_is_lost_by_kill_9_of_the_sync_process_again_and_again(tmp_path: Path) -> None:
    async with two_regions(tmp_path, workers=1) as (eu, us):
        async with writing(eu) as done:
            for turn in range(1, 5):
                await eu.until(partial(has, done, 20 * turn), "more writes", within_s=60)
                pid = await eu.pid("sync")
                os.kill(pid, signal.SIGKILL)
                await eu.gone(pid)
        assert len(done) > 80
        for node in (eu, us):
            for key, body in done.items():
                await node.until(partial(reads, node, f"notes/{key}", body), key)


async def test_all_of_it_works_in_one_process_too(tmp_path: Path) -> None:
    async with two_regions(tmp_path, workers=0) as (eu, us):
        await put_until_done(eu, "notes/a", b"hello")
        await us.until(lambda: reads(us, "notes/a", b"hello"), "the note in us")
