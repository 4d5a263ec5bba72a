"""An acceptor's memory in one hash of an independent Redis server: read and replaced by two scripts.

A Redis that keeps nothing, or keeps it every second, forgets what it promised when it dies. Unless it says that every
write is on the disk before it answers (`appendonly yes`, `appendfsync always`), what it holds counts only for the run
in which it was written: after a restart it is an acceptor that lost its memory, and is re-admitted by the others.
A replica promoted under the same name would bring an older memory back: use masters of their own, one a region.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from health.quorum.cells import HINTS_AGAIN_S, CellsUnavailable, Held, is_news
from health.redis_client import redis_client

TIMEOUT_S = 2.0
DURABILITY_AGAIN_S = 60.0
"""How often a server is asked again how it keeps things."""

_RUN = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local trusted = ARGV[1] == 'durable' or redis.call('HGET', KEYS[1], 'run') == run
"""
_LOAD = (
    _RUN
    + """
if not trusted then return {} end
if ARGV[2] == 'all' then return redis.call('HGETALL', KEYS[1]) end
local names, found = {'meta', 'r' .. ARGV[3]}, {}
for _, name in ipairs(names) do
  local value = redis.call('HGET', KEYS[1], name)
  if value then found[#found + 1] = name; found[#found + 1] = value end
end
return found
"""
)
_SWAP = (
    _RUN
    + """
local held = trusted and redis.call('HGET', KEYS[1], 'meta') or ''
if held ~= ARGV[2] then return 0 end
if held == '' then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'meta', ARGV[3], 'run', run)
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], 'r' .. ARGV[i])
  else redis.call('HSET', KEYS[1], 'r' .. ARGV[i], ARGV[i + 1]) end
end
-- A hint: a user who may not publish has written all the same.
if ARGV[4] == 'news' then redis.pcall('PUBLISH', KEYS[1] .. ':news', '') end
return 1
"""
)


class RedisCells:
    """One server, by its URL."""

    def __init__(self, url: str, *, cluster: str) -> None:
        """`cluster` keeps meshes apart that share a server."""
        self._client = redis_client(url, timeout_s=TIMEOUT_S, most=8)
        self._url = url
        self._key = f"tidegate:{cluster}:acceptor"
        self._load = self._client.register_script(_LOAD)
        self._swap = self._client.register_script(_SWAP)
        self._durability: tuple[str, float] | None = None

    async def load(self, register: str | None, *, everything: bool) -> Held:
        try:
            arguments = [await self._durable(), "all" if everything else "one", register or ""]
            found = await self._load(keys=[self._key], args=arguments)
        except (RedisError, OSError) as error:
            raise self._unavailable(error) from error
        pairs = dict(zip(found[::2], found[1::2], strict=True))
        meta = pairs.pop(b"meta", None)
        pairs.pop(b"run", None)
        return Held(meta, {name[1:].decode(): value for name, value in pairs.items()})

    async def swap(self, expected: bytes | None, meta: bytes, changes: Mapping[str, bytes | None]) -> bool:
        try:
            hint = "news" if is_news(changes) else ""
            arguments: list[bytes | str] = [await self._durable(), expected or b"", meta, hint]
            for name, value in changes.items():
                arguments += [name, value or b""]
            return bool(await self._swap(keys=[self._key], args=arguments))
        except (RedisError, OSError) as error:
            raise self._unavailable(error) from error

    async def listen(self, hint: Callable[[], None]) -> None:
        """By SUBSCRIBE, on a connection of its own."""
        while True:
            client: Any = redis.asyncio.Redis.from_url(
                self._url, socket_connect_timeout=TIMEOUT_S, socket_keepalive=True, retry=Retry(NoBackoff(), 0)
            )
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(f"{self._key}:news")
                    hint()  # what happened before is not told
                    async for _ in subscription.listen():
                        hint()
            except (RedisError, OSError, RuntimeError):  # the last is uvloop's, of a connection just lost
                await asyncio.sleep(HINTS_AGAIN_S)
            finally:
                await client.aclose()

    async def _durable(self) -> str:
        now = time.monotonic()
        if self._durability is None or now - self._durability[1] > DURABILITY_AGAIN_S:
            try:
                told = await self._client.config_get("appendonly", "appendfsync")
                settings = {_text(name): _text(value) for name, value in told.items()}
            except (NoPermissionError, ResponseError):
                settings = {}
            is_durable = settings == {"appendonly": "yes", "appendfsync": "always"}
            self._durability = ("durable" if is_durable else "volatile", now)
        return self._durability[0]

    def _unavailable(self, error: Exception) -> CellsUnavailable:
        self._durability = None
        return CellsUnavailable(f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        await self._client.aclose()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
