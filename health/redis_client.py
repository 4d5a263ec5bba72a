"""A client of one Redis server: it answers in time or not at all, nothing is sent twice, no connection rests long."""

from __future__ import annotations

from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection


class _InTurn(redis.asyncio.ConnectionPool):
    """Gives out what has rested longest. The usual pool gives out what came back last: when connections are cut, those
    below it stay half closed for as long as nobody needs so many.
    """

    def get_available_connection(self) -> Any:
        resting = self._available_connections
        if resting:
            resting.append(resting.pop(0))
        return super().get_available_connection()  # type: ignore[no-untyped-call]


class _Client(redis.asyncio.Redis):
    """Says that a connection was lost in Redis' own words, on every kind of loop."""

    async def execute_command(self, *words: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*words, **options)  # type: ignore[no-untyped-call]
        except RuntimeError as error:  # uvloop's
            raise NoConnection(str(error)) from error


def redis_client(url: str, *, timeout_s: float, most: int) -> Any:
    """`timeout_s` is for connecting and for each answer; `most` connections. Asking raises `RedisError` or `OSError`.

    Without retries: a change that is sent a second time would be refused, or be made twice.
    """
    pool = _InTurn.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        max_connections=most,
        protocol=2,  # with 3, a connection that was cut is given out as if it were whole
    )
    return _Client.from_pool(pool)
