"""How does anything get from one region to another? Late, twice, or not at all; and whoever is asked may stand still.

    call(source, target, handle)    there, `handle()` run by the process at the other end, and back; or Unanswered

A question that was lost is noticed when its time is up, as on a real network. One that comes late is answered all the
same: the process at the other end cannot know that nobody waits any more.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tests.harness.lives import Life
from tests.harness.mesh_of_stores import Network

Answer = TypeVar("Answer")

NEAR_S = (0.0002, 0.001)
"""Within a region."""


class Unanswered(Exception):
    """No answer in time, or no process that listens; what was asked may have been done."""


class Wire:
    """All ways between all regions. `network` says how bad they are."""

    def __init__(self, network: Network, lives: dict[str, Life], rng: random.Random) -> None:
        self.network = network
        self.twice = 0.0
        """Share of questions that arrive a second time, some time later."""
        self.deaf: set[str] = set()
        """Regions whose stores get no answers from others, though all else of them does."""
        self.heard: dict[tuple[str, str], float] = {}
        """(from, to): when a process there heard one here last."""
        self._lives = lives
        """The process that runs in each region now."""
        self._rng = rng

    async def call(
        self, source: str, target: str, handle: Callable[[], Awaitable[Answer]], *, timeout_s: float, what: str
    ) -> Answer:
        """`what` is asked, for people. Raises Unanswered."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        await self._cross(source, target, until)
        self.heard[source, target] = loop.time()
        life = self._lives[target]
        if life.is_over:
            raise Unanswered("connection refused")
        if source != target and self._rng.random() < self.twice:
            again = _late(handle, self._rng.uniform(0.01, 3.0))
            life.spawn(again, name=f"{what}, again")
        work = life.spawn(_run(handle), name=what)
        work.add_done_callback(_heard)
        waiting: set[asyncio.Future[Any]] = {work, life.ended}
        await asyncio.wait(waiting, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Unanswered("connection reset" if life.is_over else f"no answer in {timeout_s:g} s")
        answer = work.result()
        await self._cross(target, source, until)
        self.heard[target, source] = loop.time()
        return answer

    async def reach(self, source: str, target: str, *, timeout_s: float) -> None:
        """There and back, whatever runs at the other end. Raises Unanswered."""
        until = asyncio.get_running_loop().time() + timeout_s
        await self._cross(source, target, until)
        await self._cross(target, source, until)

    async def _cross(self, source: str, target: str, until: float) -> None:
        loop = asyncio.get_running_loop()
        network = self.network
        is_near = source == target
        if not is_near and ((source, target) in network.blocked or self._rng.random() < network.loss):
            await asyncio.sleep(until - loop.time())
            raise Unanswered("no answer in time")
        delay_s = self._rng.uniform(*(NEAR_S if is_near else network.delay_s))
        if loop.time() + delay_s > until:
            await asyncio.sleep(until - loop.time())
            raise Unanswered("no answer in time")
        await asyncio.sleep(delay_s)


def _heard(work: asyncio.Task[Any]) -> None:
    """What fails when nobody waits any more is told to nobody; whoever waits gets it."""
    if not work.cancelled():
        work.exception()


async def _run(handle: Callable[[], Awaitable[Answer]]) -> Answer:
    return await handle()


async def _late(handle: Callable[[], Awaitable[Answer]], seconds: float) -> None:
    await asyncio.sleep(seconds)
    try:
        await handle()
    except Exception:  # noqa: BLE001 - nobody waits for it; whoever asked first was told
        return
