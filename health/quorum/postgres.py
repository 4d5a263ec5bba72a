"""An acceptor's memory in a table of one PostgreSQL, whose transactions are the majority."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg

from health.postgres_pool import FAILURES, PostgresPool
from health.quorum.cells import HINTS_AGAIN_S, CellsUnavailable, Held, is_news

TIMEOUT_S = 3.0
_META = ""
CHANNEL = "tidegate_acceptor"
"""Of all meshes in the database; the payload is whose."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tidegate_acceptor(
    cluster text NOT NULL, name text NOT NULL, value bytea NOT NULL, PRIMARY KEY (cluster, name))
"""
_LOCK = 0x71DE_6A7E
"""Of all advisory locks of the database, the one under which acceptors of all meshes are changed."""


class PostgresCells:
    """One database, by its DSN."""

    def __init__(self, dsn: str, *, cluster: str, hints_again_s: float = HINTS_AGAIN_S) -> None:
        self._dsn = dsn
        self._hints_again_s = hints_again_s
        self._cluster = cluster
        self._pool = PostgresPool(dsn, schema=_SCHEMA, size=4, timeout_s=TIMEOUT_S)

    async def load(self, register: str | None, *, everything: bool) -> Held:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                pool = await self._pool.opened()
                if everything:
                    rows = await pool.fetch(
                        "SELECT name, value FROM tidegate_acceptor WHERE cluster = $1", self._cluster
                    )
                else:
                    rows = await pool.fetch(
                        "SELECT name, value FROM tidegate_acceptor WHERE cluster = $1 AND name IN ($2, $3)",
                        self._cluster,
                        _META,
                        register or _META,
                    )
        except FAILURES as error:
            raise CellsUnavailable(f"{type(error).__name__}: {error}") from error
        found = {row["name"]: bytes(row["value"]) for row in rows}
        return Held(found.pop(_META, None), found)

    async def swap(self, expected: bytes | None, meta: bytes, changes: Mapping[str, bytes | None]) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                pool = await self._pool.opened()
                async with pool.acquire() as connection, connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
                    await connection.execute("SET LOCAL synchronous_commit = on")
                    held = await connection.fetchval(
                        "SELECT value FROM tidegate_acceptor WHERE cluster = $1 AND name = $2", self._cluster, _META
                    )
                    if held != expected:
                        return False
                    if expected is None:
                        await connection.execute("DELETE FROM tidegate_acceptor WHERE cluster = $1", self._cluster)
                    gone = [name for name, value in changes.items() if value is None]
                    await connection.execute(
                        "DELETE FROM tidegate_acceptor WHERE cluster = $1 AND name = ANY($2)", self._cluster, gone
                    )
                    kept = {name: value for name, value in changes.items() if value is not None} | {_META: meta}
                    await connection.executemany(
                        "INSERT INTO tidegate_acceptor VALUES ($1, $2, $3) "
                        "ON CONFLICT (cluster, name) DO UPDATE SET value = excluded.value",
                        [(self._cluster, name, value) for name, value in kept.items()],
                    )
                    if is_news(changes):
                        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, self._cluster)
                    return True
        except FAILURES as error:
            raise CellsUnavailable(f"{type(error).__name__}: {error}") from error

    async def listen(self, hint: Callable[[], None]) -> None:
        """By LISTEN, on a connection of its own. Behind a pooler of transactions it hears nothing, which is all."""

        def heard(connection: Any, pid: int, channel: str, payload: object) -> None:
            if payload == self._cluster:
                hint()

        while True:
            lost = asyncio.Event()
            try:
                connection = await asyncpg.connect(self._dsn, timeout=TIMEOUT_S, statement_cache_size=0)
            except FAILURES:
                await asyncio.sleep(self._hints_again_s)
                continue
            try:
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, heard)
                hint()  # what happened before is not told
                await lost.wait()
            except FAILURES:
                await asyncio.sleep(self._hints_again_s)
            finally:
                connection.terminate()

    async def close(self) -> None:
        self._pool.terminate()
