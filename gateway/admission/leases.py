"""Tokens from a Redis server that nodes share, leased beforehand: one short script now and then, for many keys at once.

    requests ──take──> LeaseBook (gateway/core/leases.py) <──collect, answered──> run ──script──> Redis

No request waits here. A server that is gone, or frozen for longer than `TIMEOUT_S`, is away: the node counts its own
share (counters.py), which is written down, and asks again ten times a second; with its first answer what was written
down is charged. The server's own clock is the only one that is compared with itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final

from redis.exceptions import RedisError

from gateway.core.gcra import Quota, Taken
from gateway.core.leases import Ask, Given, LeaseBook
from health.redis_client import redis_client

TIMEOUT_S: Final = {"region": 0.25, "global": 1.0}
"""By scope. A server of this region answers in a millisecond, one at the other end of the world in 0.3 s."""
AGAIN_S: Final = 0.1
SETTLE_S: Final = 0.5
"""A server that answers again is told for so long what the nodes' shares admit, and not asked for leases: until all
nodes have come back, and have charged theirs, its buckets look fuller than they are."""
ALIVE_S: Final = 1.0
"""Without anything to say it is asked whether it is there, so that what is shown of it is true."""
PAUSE_S: Final = 0.005
"""Between two questions, so that one has the keys of many requests."""
MOST_KEYS: Final = 1024
"""In one question: two milliseconds of the server's time."""
PREFIX: Final = b"tidegate:limit:"

# One number a key: when its bucket is full again, by the server's clock, in seconds.
SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local answers = {}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 6
  local interval, burst, known = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local owed, wanted, most = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  local full = tonumber(redis.call('GET', key) or now + known)
  if full < now then full = now end
  full = full + owed * interval
  if full < now then full = now end
  if full > now + most then full = now + most end
  local free = math.floor((now + burst * interval - full) / interval + 0.000001)
  local granted = math.max(0, math.min(wanted, free))
  full = full + granted * interval
  if full > now then
    redis.call('SET', key, string.format('%.6f', full), 'PX', math.ceil((full - now) * 1000) + 1000)
  else
    redis.call('DEL', key)
  end
  answers[i] = granted .. ' ' .. string.format('%.6f', full - now)
end
return answers
"""

_log = logging.getLogger("gateway.admission")


class SharedTokens:
    """One worker's line to one server; `Leased` of counters.py. `now` is monotonic."""

    def __init__(self, url: str, *, scope: str, nodes: int, workers: int, now: Callable[[], float]) -> None:
        self.nodes = nodes
        self.is_up = False
        """Until its first answer it is away, as after its last."""
        self.problem = "it has not answered yet"
        self.book = LeaseBook(holders=nodes * workers)
        self._scope = scope
        self._heard_at: float | None = None
        """Since when it has answered without a gap."""
        self._now = now
        self._timeout_s = TIMEOUT_S[scope]
        self._wake = asyncio.Event()
        self._client = redis_client(url, timeout_s=self._timeout_s, most=2)
        self._script = self._client.register_script(SCRIPT)

    def take(self, key: bytes, of: Quota, now: float, max_wait_s: float, *, spend: bool) -> Taken | None:
        taken = self.book.take(key, of, now, max_wait_s, spend=spend)
        if self.book.has_to_tell:
            self._wake.set()
        return taken

    def note(self, key: bytes, of: Quota, now: float) -> None:
        self.book.note(key, of, now, is_heard=self._heard_at is not None)

    def owed_until(self, key: bytes) -> float:
        return self.book.owed_until(key)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if self.is_up:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ALIVE_S):
                        await self._wake.wait()
            self._wake.clear()
            self.book.advance(self._now())
            await self._exchange()
            await asyncio.sleep(PAUSE_S if self.is_up else AGAIN_S)

    async def _exchange(self) -> None:
        """Ask what there is to ask; nothing asks only whether the server is there."""
        now = self._now()
        keys, asks = self.book.collect(now, most=MOST_KEYS)
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                answers = await self._ask(asks)
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            self.book.failed(keys, self._now())
            self._is_away(f"{type(error).__name__}: {error}")
            return
        except BaseException:  # cancelled, or a defect of ours: what was asked for may have been given, or not
            self.book.failed(keys, self._now())
            raise
        self.book.answered(keys, answers, sent_at=now, now=self._now())
        self._heard_at = now if self._heard_at is None else self._heard_at
        if not self.is_up and now - self._heard_at >= SETTLE_S:
            self.is_up, self.problem = True, ""
            _log.warning("limits of scope %s are counted together with other nodes", self._scope)
        if self.book.has_to_tell:
            self._wake.set()

    async def _ask(self, asks: Sequence[Ask]) -> list[Given]:
        values: list[str | int] = []
        for ask in asks:
            values += [repr(ask.interval_s), ask.burst, repr(ask.known_s), ask.owed, ask.wanted, repr(ask.most_s)]
        found = await self._script(keys=[PREFIX + ask.key for ask in asks], args=values)
        answers = []
        for line in found:
            granted, _, owed_s = line.decode().partition(" ")
            answers.append(Given(int(granted), float(owed_s)))
        if len(answers) != len(asks):
            raise ValueError(f"found {len(answers)} answers, expected {len(asks)}")
        return answers

    def _is_away(self, why: str) -> None:
        self.problem, self._heard_at = why, None
        if self.is_up:
            self.is_up = False
            _log.warning(
                "limits of scope %s are counted by this node's share alone, a part of %d: %s",
                self._scope,
                self.nodes,
                why,
            )

    async def close(self) -> None:
        """Give back what is leased, if there is somebody to take it."""
        if self.is_up:
            self.book.give_back()
            while self.is_up and self.book.has_to_tell:
                await self._exchange()
        with contextlib.suppress(RedisError, OSError):
            await self._client.aclose()
