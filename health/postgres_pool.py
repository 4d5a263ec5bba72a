"""A pool of connections to one PostgreSQL that is opened, and its tables made, when it is first asked for."""

from __future__ import annotations

import asyncio

import asyncpg

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""What asking may raise, beside what is wrong with the question."""


class PostgresPool:
    def __init__(self, dsn: str, *, schema: str, size: int, timeout_s: float) -> None:
        """`schema` is executed once, before anybody gets a connection; `timeout_s` is for each new one."""
        self._dsn = dsn
        self._schema = schema
        self._size = size
        self._timeout_s = timeout_s
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def opened(self) -> asyncpg.Pool[asyncpg.Record]:
        """Raises one of `FAILURES`; the next call tries again."""
        async with self._opening:
            if self._pool is None:
                # No prepared statements are kept: a transaction-pooling PgBouncer may stand between.
                pool = await asyncpg.create_pool(
                    self._dsn, min_size=0, max_size=self._size, statement_cache_size=0, timeout=self._timeout_s
                )
                try:
                    await pool.execute(self._schema)
                except BaseException:
                    pool.terminate()
                    raise
                self._pool = pool
        return self._pool

    def terminate(self) -> None:
        """Whatever is being asked fails."""
        if self._pool is not None:
            self._pool.terminate()
