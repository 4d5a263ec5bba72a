"""One PostgreSQL for all tests of this folder; each store in schemas of its own, by a prefix: its *place*."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sync.core.plans import CollectionPlan
from sync.postgres.server import ANSWER_S, Connection
from sync.postgres.store import PostgresStore, open_store
from tests.harness.postgres import PostgresServer
from tests.harness.replicas import plan
from tests.integration.sync.store_contract import NOTES, SETTINGS

OPENS_WITHIN_S = 30.0
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer("fsync=off")
    yield made
    made.close()


@asynccontextmanager
async def looking_at(server: PostgresServer, place: str) -> AsyncIterator[Connection]:
    """An onlooker's connection. Tables are those of the class `note`, and those that classes share."""
    connection = await asyncpg.connect(server.dsn, server_settings={"search_path": f"{place}_note, {place}"})
    try:
        yield connection
    finally:
        await connection.close()


def plans(**changes: Any) -> dict[str, CollectionPlan]:
    return {
        NOTES: plan("vector_clock", name=NOTES, **changes),
        SETTINGS: plan("last_write_wins", name=SETTINGS, residency_class="settings"),
        "elsewhere": plan("manual", name="elsewhere", residency_class="elsewhere", is_here=False),
    }


class Node:
    """What a node does with a store: tasks that are kept, and reports that are logged."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self._stores: list[PostgresStore] = []
        self._tasks: list[asyncio.Task[None]] = []

    def reported(self, message: str) -> list[dict[str, Any]]:
        """What was said of it."""
        return [facts for said, facts in self.reports if message in said]

    def keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work(), name=name))

    def fresh(self) -> str:
        """A place that nobody has used."""
        return f"t{next(_numbers)}"

    def made(
        self,
        place: str,
        region: str = "eu",
        *,
        dsn: str | None = None,
        keys: tuple[bytes, ...] = (b"k" * 32,),
        name: str = "",
        answer_s: float = ANSWER_S,
        **changes: Any,
    ) -> PostgresStore:
        """A store that begins to open. `name`: the node's, with a folder of its own."""
        store = open_store(
            dsn or self.server.dsn,
            self.folder / place / name,
            region=region,
            plans=plans(**changes),
            data_keys=keys,
            max_skew_s=0.5,
            max_conflict_bytes=1 << 20,
            report=lambda message, **facts: self.reports.append((message, facts)),
            answer_s=answer_s,
            prefix=place,
        )
        self._stores.append(store)
        store.start(self.keep)
        return store

    async def opened(self, place: str, region: str = "eu", **changes: Any) -> PostgresStore:
        store = self.made(place, region, **changes)
        async with asyncio.timeout(OPENS_WITHIN_S):
            await store.opened()
        return store

    async def close(self) -> None:
        for store in self._stores:
            await store.close()
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


@pytest.fixture
async def node(server: PostgresServer, tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(server, tmp_path)
    yield made
    await made.close()
