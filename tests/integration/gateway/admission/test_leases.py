"""Four nodes count together on a real Redis, which is killed, frozen and brought back; an exact log says how well."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config.models.shaping import RateLimit
from gateway.admission.counters import Counters
from gateway.admission.leases import SharedTokens
from gateway.admission.table import Table
from gateway.core.limits import limit_plans
from tests.harness.redis import RedisServer
from tidegate.demo.waiting import until

NODES = 4
RATE, BURST = 400, 200
BOUND = max(BURST / 4, 4 * NODES)
"""As gateway/core/leases.py states it."""
(LIMIT,) = limit_plans(
    "r", [RateLimit.model_validate({"key": ("ip",), "rate": f"{RATE}/s", "burst": BURST, "scope": "global"})]
)


@dataclass
class Mesh:
    """Four nodes' limiters, each with a line of its own to the server, and what they admitted."""

    server: RedisServer
    stores: list[SharedTokens]
    counters: list[Counters]
    log: list[float] = field(default_factory=list)
    refused: int = 0

    async def are_up(self, *, up: bool = True) -> None:
        await until(lambda: all(store.is_up == up for store in self.stores), within_s=20, what=f"all are up: {up}")

    async def flood(self, seconds: float, *, per_node_s: float = 1000.0) -> None:
        """Every node is asked at random, far above the limit."""
        rng, began = random.Random(5), time.monotonic()
        due = [began] * NODES
        while (now := time.monotonic()) < began + seconds:
            for node in range(NODES):
                while due[node] <= now:
                    due[node] += rng.expovariate(per_node_s)
                    self.ask(node)
            await asyncio.sleep(0.001)

    def ask(self, node: int) -> None:
        now = time.monotonic()
        if self.counters[node].take(LIMIT, b"client", now, 0.0).wait_s:
            self.refused += 1
        else:
            self.log.append(now)

    def excess(self) -> float:
        """By how many more than burst and rate allow, in the worst of all windows of any length."""
        worst, lowest = -float("inf"), float("inf")
        for index, at in enumerate(self.log):
            lowest = min(lowest, index - RATE * at)
            worst = max(worst, index + 1 - RATE * at - lowest)
        return worst - BURST


@asynccontextmanager
async def four_nodes(tmp_path: Path) -> AsyncIterator[Mesh]:
    server = RedisServer(tmp_path / "redis", durable=False)
    counters = [Counters(Table(), workers=1) for _ in range(NODES)]
    stores = [SharedTokens(server.url, scope="global", nodes=NODES, workers=1, now=time.monotonic) for _ in counters]
    for each, store in zip(counters, stores, strict=True):
        each.stores["global"] = store
    mesh = Mesh(server, stores, counters)
    lines = [asyncio.get_running_loop().create_task(store.run()) for store in stores]
    try:
        yield mesh
    finally:
        for line, store in zip(lines, stores, strict=True):
            line.cancel()
            await store.close()
        server.kill()


async def test_a_flood_on_four_nodes_gets_the_rate_within_the_stated_bound(tmp_path: Path) -> None:
    async with four_nodes(tmp_path) as mesh:
        await mesh.are_up()
        began = time.monotonic()
        await mesh.flood(2.0)
        allowed = BURST + RATE * (time.monotonic() - began)
        assert mesh.excess() <= BOUND
        assert len(mesh.log) >= 0.8 * allowed
        assert mesh.refused > len(mesh.log)


async def test_with_redis_killed_in_the_middle_each_node_counts_its_share_and_its_return_reconciles(
    tmp_path: Path,
) -> None:
    async with four_nodes(tmp_path) as mesh:
        await mesh.are_up()
        await mesh.flood(0.7)
        mesh.server.kill()
        await mesh.flood(1.2)
        await mesh.are_up(up=False)
        assert all("Error" in store.problem for store in mesh.stores)
        mesh.server.start()
        await asyncio.gather(mesh.flood(1.5), mesh.are_up())
        assert mesh.excess() <= 2 * BOUND, "nodes come back one after the other"
        flooded_s = 0.7 + 1.2 + 1.5
        assert len(mesh.log) >= 0.75 * (BURST + RATE * flooded_s), "nobody is shut out by it"


async def test_a_frozen_redis_is_away_within_a_second_and_no_request_waits_for_it(tmp_path: Path) -> None:
    async with four_nodes(tmp_path) as mesh:
        await mesh.are_up()
        await mesh.flood(0.3)
        mesh.server.signal(signal.SIGSTOP)
        try:
            frozen_at = time.monotonic()
            longest = 0.0
            while any(store.is_up for store in mesh.stores):
                asked_at = time.monotonic()
                mesh.ask(0)
                longest = max(longest, time.monotonic() - asked_at)
                await asyncio.sleep(0.001)
                assert time.monotonic() - frozen_at < 10
            assert longest < 0.2
            admitted = len(mesh.log)
            for number in range(200):
                mesh.counters[number % NODES].take(LIMIT, b"another client", time.monotonic(), 0.0)
            assert len(mesh.log) == admitted
        finally:
            mesh.server.signal(signal.SIGCONT)
        await mesh.are_up()
        for store in mesh.stores:
            taken = store.take(b"another client", LIMIT.quota, time.monotonic(), 0.0, spend=False)
            assert taken is not None
        keys, _ = mesh.stores[0].book.collect(time.monotonic(), most=10)
        assert keys == [], "what was admitted meanwhile has been charged"


async def test_what_is_leased_is_given_back_at_the_end(tmp_path: Path) -> None:
    async with four_nodes(tmp_path) as mesh:
        await mesh.are_up()
        for _ in range(30):
            mesh.ask(0)
            await asyncio.sleep(0.002)
        await until(lambda: not mesh.stores[0].book.has_to_tell, within_s=5, what="all is told")
        await mesh.stores[0].close()
        taken = mesh.stores[1].take(b"client", LIMIT.quota, time.monotonic(), 0.0, spend=True)
        assert taken is not None
        await until(lambda: not mesh.stores[1].book.has_to_tell, within_s=5, what="it has asked")
        looked = mesh.stores[1].take(b"client", LIMIT.quota, time.monotonic(), 0.0, spend=False)
        assert looked is not None
        owed = (looked.tat - time.monotonic()) * RATE
        assert owed <= len(mesh.log) + BURST / NODES
