"""A board in a table of one PostgreSQL, not logged: a crash empties it, and a second later it is full again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from health.postgres_pool import FAILURES, PostgresPool
from health.state.board import BoardUnavailable

TIMEOUT_S = 2.0

_SCHEMA = """
CREATE UNLOGGED TABLE IF NOT EXISTS tidegate_said(
    cluster text NOT NULL, owner text NOT NULL, paper bytea NOT NULL, until timestamptz NOT NULL,
    PRIMARY KEY (cluster, owner))
"""
_PIN = """
INSERT INTO tidegate_said VALUES ($1, $2, $3, clock_timestamp() + $4)
ON CONFLICT (cluster, owner) DO UPDATE SET paper = excluded.paper, until = excluded.until
"""
# Nodes that take the same down at once pass each other by: rows locked in two orders would be a deadlock.
_TAKE_DOWN = """
DELETE FROM tidegate_said WHERE (cluster, owner) IN (
    SELECT cluster, owner FROM tidegate_said WHERE until < clock_timestamp() FOR UPDATE SKIP LOCKED)
"""
_READ = "SELECT owner, paper FROM tidegate_said WHERE cluster = $1 AND until >= clock_timestamp()"


class PostgresBoard:
    """One database, by its DSN."""

    def __init__(self, dsn: str, *, cluster: str) -> None:
        """`cluster` keeps meshes apart that share a database."""
        self._cluster = cluster
        self._pool = PostgresPool(dsn, schema=_SCHEMA, size=1, timeout_s=TIMEOUT_S)

    async def exchange(self, owner: str, paper: bytes, *, life_s: float) -> Mapping[str, bytes]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                pool = await self._pool.opened()
                async with pool.acquire() as connection:
                    await connection.execute(_PIN, self._cluster, owner, paper, timedelta(seconds=life_s))
                    await connection.execute(_TAKE_DOWN)
                    rows = await connection.fetch(_READ, self._cluster)
        except FAILURES as error:
            raise BoardUnavailable(f"{type(error).__name__}: {error}") from error
        return {row["owner"]: bytes(row["paper"]) for row in rows}

    async def close(self) -> None:
        self._pool.terminate()
