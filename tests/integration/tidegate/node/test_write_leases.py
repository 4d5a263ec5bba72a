"""Three regions of real nodes, one of which takes the writes: when it dies another takes over, and nothing forks."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.harness.data_mesh import administer, ask, data_mesh, reads, run
from tests.harness.node import Backend, Node

REGIONS = ("eu", "us", "ap")
pytestmark = pytest.mark.timeout(300)
"""Three nodes, a failover and a return: a minute where nothing else runs."""
CATALOG = {
    "name": "catalog",
    "data_type": "catalog",
    "conflict": "vector_clock",
    "strategy": "primary",
    "primary": "eu",
    "write_level": "majority",
}


def configured(node: Node, backends: dict[str, Backend]) -> None:
    for number, region in enumerate(node.config["regions"]):
        region["priority"] = number
    node.config["regions"][0]["role"] = "primary"
    service = node.config["services"][0]
    service["endpoints"] = [{"region": name, "address": backend.address} for name, backend in backends.items()]
    service["health_check"] = {"interval": "200ms", "timeout": "1s"}
    node.config["election"] = {"lease": "6s", "renew": "1s"}
    node.config["failover"] = {"trigger": "automatic", "detection": {"interval": "250ms", "timeout": "1s"}}
    node.config["disaster_recovery"] = {"rpo": "10s"}


async def put(node: Node, key: str, value: bytes, **headers: str) -> int:
    try:
        return (await ask(node, "PUT", f"catalog/{key}", value, **headers))[0]
    except (aiohttp.ClientError, OSError):
        return 0


async def takes(node: Node, key: str) -> bool:
    return await put(node, key, b"v") in {200, 201}


def kill_whole(node: Node) -> None:
    """Supervisor first, then all that it left."""
    assert node.supervisor is not None
    node.supervisor.kill()
    for pid in node.alive():
        os.kill(pid, signal.SIGKILL)


async def test_writes_go_to_one_region_and_to_its_successor_when_it_dies_and_none_that_was_acknowledged_is_lost(  # noqa: C901 - one story
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        backends = {name: await stack.enter_async_context(Backend(name)) for name in REGIONS}
        mesh = await stack.enter_async_context(
            data_mesh(
                tmp_path,
                collections=[CATALOG],
                regions=REGIONS,
                change=partial(configured, backends=backends),
                workers=0,
            )
        )
        eu, us, ap = (mesh[name] for name in REGIONS)
        await us.until(partial(takes, us, "first"), "a write through us is carried to eu", within_s=60)
        status, headers, _ = await ask(ap, "PUT", "catalog/second", b"v")
        assert (status, headers["ETag"].split("@")[1].startswith("eu:")) == (201, True), "written in eu"
        assert (await ask(ap, "PUT", "catalog/second", b"w", If_None_Match="*"))[0] == 412, "judged in eu"
        items = b'{"operations": [{"method": "PUT", "collection": "catalog", "key": "b", "value": 1, "op_id": "d:1"}]}'
        status, _, body = await ask(us, "POST", "batch", items)
        assert (status, b'"status":201' in body) == (200, True), body
        assert (await ask(us, "GET", "catalog/b", None, Tidegate_Read_Level="global"))[2] == b"1"
        told = (await run(eu, "sync", "status")).stdout
        assert "eu takes the writes" in told, told

        # A register that clients count up by compare-and-set, through whatever node, while its region dies.
        done: list[int] = []
        is_over = False

        async def client(number: int) -> None:
            node = (us, ap)[number % 2]
            count = 0
            while not is_over:
                count += 1
                operation = f"c{number}:{count}"
                while not is_over:
                    status = await put(node, f"k{number}", b"%d" % count, Tidegate_Op_Id=operation)
                    if status in {200, 201}:
                        done.append(number)
                        last[number] = count
                        break
                    await asyncio.sleep(0.02)

        last = dict.fromkeys(range(4), 0)

        def more_than(count: int) -> bool:
            return len(done) > count

        async with asyncio.TaskGroup() as group:
            for number in last:
                group.create_task(client(number))
            await us.until(partial(more_than, 40), "writes", within_s=60)
            kill_whole(eu)
            await backends["eu"].stop()
            before = len(done)
            await us.until(partial(more_than, before + 40), "writes after the failover", within_s=60)
            is_over = True
        status, failover = await administer(us, "GET", "/v1/failover")
        assert failover["primary"] == "us"
        for number, count in last.items():
            for node in (us, ap):
                await node.until(partial(at_least, node, f"catalog/k{number}", count), f"k{number}", within_s=60)

        # The old one comes back: it is no primary any more, its store joins, and no key has two versions.
        eu.launch()
        await backends["eu"].start()
        await eu.until(partial(takes, eu, "third"), "eu carries its writes to us", within_s=60)
        _, headers, _ = await ask(eu, "PUT", "catalog/third", b"w")
        assert headers["ETag"].split("@")[1].startswith("us:")
        for node in (eu, us, ap):
            for number, count in last.items():
                await node.until(partial(at_least, node, f"catalog/k{number}", count), f"k{number}", within_s=60)
            status, _, body = await ask(node, "GET", "catalog/conflicts")
            assert (status, body) == (200, b'{"items":[],"next":null}')


async def at_least(node: Node, path: str, count: int) -> bool:
    """The last write may have been done though nobody heard of it."""
    status, _, found = await ask(node, "GET", path)
    return status == 200 and int(found) in {count, count + 1}


async def test_a_primary_that_can_renew_no_lease_refuses_before_another_may_begin(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        backends = {name: await stack.enter_async_context(Backend(name)) for name in REGIONS}
        collection = CATALOG | {"write_level": "local"}
        mesh = await stack.enter_async_context(
            data_mesh(
                tmp_path,
                collections=[collection],
                regions=REGIONS,
                change=partial(configured, backends=backends),
                workers=0,
            )
        )
        eu, us, ap = (mesh[name] for name in REGIONS)
        await eu.until(partial(takes, eu, "first"), "eu takes writes", within_s=60)
        for node in (us, ap):
            kill_whole(node)

        async def refuses() -> bool:
            return await put(eu, "lone", b"v") == 503

        await eu.until(refuses, "eu refuses, for it is alone", within_s=60)
        assert await reads(eu, "catalog/first", b"v"), "reads go on"
