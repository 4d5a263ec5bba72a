"""What the sync process tells its node's control process: how far everybody is, and what it has done.

on the operators' socket (data_operator.py)
  GET /standing            a Status (core/replicated.py): lag by peer and collection, counters
  GET /progress?after=N    a Progress: what every store has applied; the answer waits until that is news
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Final

from sync.core.dots import store_of
from sync.errors import StoreUnavailable
from sync.store import Store
from tidegate.node.core.replicated import CollectionLine, Member, Progress, Status
from tidegate.node.replication import Replication
from tidegate.node.tasks import Tasks

STANDING: Final = "/standing"
PROGRESS: Final = "/progress"
WAIT_S: Final = 1.0
"""Without news, the answer says that nothing has changed."""
FOLLOW_S: Final = 60.0
PAUSE_S: Final = 0.02
"""Between two looks at a store that is written all the time: who asks pauses as long (freshness.py)."""


class SyncStatus:
    """One sync process's."""

    replication: Replication | None = None
    """None while nobody else holds the data."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._moves = 1
        self._moved = asyncio.Event()

    def start(self, tasks: Tasks) -> None:
        """Notice what the store applies."""
        for stream in self._store.streams():
            tasks.keep(f"follow {stream}", partial(self._follow, stream))

    def moved(self) -> None:
        """Some store has applied something."""
        self._moves += 1
        self._moved.set()
        self._moved = asyncio.Event()

    async def _follow(self, stream: str) -> None:
        while True:
            try:
                position = (await self._store.cursor(stream)).position
                has_moved = await self._store.wait_for_change({stream: position}, timeout_s=FOLLOW_S)
            except StoreUnavailable:
                await asyncio.sleep(WAIT_S)
                continue
            if has_moved:
                self.moved()
                await asyncio.sleep(PAUSE_S)

    async def status(self) -> Status:
        """Now."""
        replication = self.replication
        return Status(
            member=self._member(),
            peers=[] if replication is None else replication.peers(),
            lag=[] if replication is None else replication.lag(),
            sent=[] if replication is None else replication.sent(),
            collections=[await self._collection(stream) for stream in self._store.streams()],
            upkeep=[] if replication is None else replication.upkeep(),
        )

    async def _collection(self, stream: str) -> CollectionLine:
        stats, heads = await self._store.stats(stream), await self._store.heads(stream)
        own = heads.applied.get(self._store.origin(stream), 0)
        return CollectionLine(
            collection=stream,
            written=own,
            arrived=sum(heads.applied.values()) - own,
            keys=stats.keys,
            in_conflict=stats.in_conflict,
            lost=stats.conflict_records,
            held=stats.held,
            log_bytes=stats.log_bytes,
            quarantined=stats.quarantined,
        )

    async def progress(self, after: str) -> Progress:
        """What every store has applied, once that is other than at `after`, the count of an earlier answer."""
        if after == str(self._moves):
            moved = self._moved
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WAIT_S):
                    await moved.wait()
        count = self._moves
        own = {stream: (await self._store.heads(stream)).applied for stream in self._store.streams()}
        lives = {stream: self._store.origin(stream) for stream in own}
        others = [] if self.replication is None else self.replication.members()
        members = [Member(one.member, one.heard_s, dict(one.applied), dict(one.lives)) for one in others]
        return Progress(count, self._member(), [Member(self._member(), 0.0, own, lives), *members])

    def _member(self) -> str:
        streams = self._store.streams()
        return store_of(self._store.origin(streams[0])) if streams else ""
