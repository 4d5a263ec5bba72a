"""A board in a Redis server: what each node pinned in one hash, and until when in a sorted set beside it.

One script pins, takes down what is over and reads, so nobody sees half of it. By the server's clock; both keys expire
by themselves when no node of the mesh is left.
"""

from __future__ import annotations

from collections.abc import Mapping

from redis.exceptions import RedisError

from health.redis_client import redis_client
from health.state.board import BoardUnavailable

TIMEOUT_S = 2.0

_EXCHANGE = """
local time = redis.call('TIME')
local now, life = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + life, ARGV[1])
for _, owner in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('HDEL', KEYS[1], owner)
  redis.call('ZREM', KEYS[2], owner)
end
redis.call('PEXPIRE', KEYS[1], 2 * life)
redis.call('PEXPIRE', KEYS[2], 2 * life)
return redis.call('HGETALL', KEYS[1])
"""


class RedisBoard:
    """One server, by its URL."""

    def __init__(self, url: str, *, cluster: str) -> None:
        """`cluster` keeps meshes apart that share a server."""
        self._client = redis_client(url, timeout_s=TIMEOUT_S, most=2)
        self._keys = [f"tidegate:{cluster}:said", f"tidegate:{cluster}:said:until"]
        self._exchange = self._client.register_script(_EXCHANGE)

    async def exchange(self, owner: str, paper: bytes, *, life_s: float) -> Mapping[str, bytes]:
        try:
            found = await self._exchange(keys=self._keys, args=[owner, paper, round(life_s * 1000)])
        except (RedisError, OSError) as error:
            raise BoardUnavailable(f"{type(error).__name__}: {error}") from error
        return {name.decode(errors="replace"): value for name, value in zip(found[::2], found[1::2], strict=True)}

    async def close(self) -> None:
        await self._client.aclose()
