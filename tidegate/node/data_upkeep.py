"""The operators' orders to the data's long life, in the process that holds it, on its socket (data_operator.py).

GET  /upkeep                    members and who is evicted, comparisons, a snapshot under way, the backup's state
POST /evict     {member, because}      on every node that is reached (evicting.py)
POST /snapshot  {collection, region}   take one from a peer now
POST /backup                    begin one now; GET /upkeep tells how it goes
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from sync.api.problems import Problem
from sync.replication.keeping import StillAlive
from tidegate.node import evicting
from tidegate.node.backups import OWN_TOOLS, BackupFailed, Backups, as_document
from tidegate.node.data_operator import order_of
from tidegate.node.replication import Replication
from tidegate.node.tasks import Tasks

Answer = Callable[[web.BaseRequest], Awaitable[dict[str, Any]]]


class Evict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator's order."""

    member: str
    """A store's name, region:id, or a region: all of its stores."""
    because: str = ""


class TakeSnapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator's order."""

    collection: str
    region: str | None = None
    """From a peer there; None: from any."""


class DataUpkeep:
    """The handlers."""

    def __init__(
        self,
        *,
        replication: Callable[[], Replication | None],
        backups: Backups | None,
        tasks: Tasks,
        is_in_database: bool = False,
    ) -> None:
        """`is_in_database`: the data lies in PostgreSQL, which is not ours to back up."""
        self._replication = replication
        self._backups = backups
        self._tasks = tasks
        self._is_in_database = is_in_database

    @property
    def answers(self) -> dict[tuple[str, str], Answer]:
        """By method and path."""
        return {
            ("GET", "/upkeep"): self._upkeep,
            ("POST", "/evict"): self._evict,
            ("POST", "/snapshot"): self._snapshot,
            ("POST", "/backup"): self._backup,
        }

    async def _upkeep(self, request: web.BaseRequest) -> dict[str, Any]:
        replication = self._replication()
        told: dict[str, Any] = {"members": [], "comparisons": [], "snapshot": None}
        if replication is not None:
            told = await replication.long_life()
        return {**told, "backup": None if self._backups is None else as_document(self._backups.state)}

    async def _evict(self, request: web.BaseRequest) -> dict[str, Any]:
        asked = await order_of(request, Evict)
        try:
            told = await self._replicating().evict(asked.member, because=asked.because)
        except StillAlive as alive:
            raise Problem(409, "member_alive", str(alive)) from alive
        if all(one.outcome not in {"evicted", "already"} for one in told):
            raise Problem(404, "unknown_member", f"found no member {asked.member}, expected one that is waited for")
        return evicting.as_document(told)

    async def _snapshot(self, request: web.BaseRequest) -> dict[str, Any]:
        asked = await order_of(request, TakeSnapshot)
        peer = self._replicating().take_snapshot(asked.collection, asked.region)
        if peer is None:
            where = "" if asked.region is None else f" in {asked.region}"
            raise Problem(404, "no_such_peer", f"found no peer{where} that holds {asked.collection}")
        return {"collection": asked.collection, "peer": peer}

    async def _backup(self, request: web.BaseRequest) -> dict[str, Any]:
        if self._is_in_database:
            raise Problem(409, "backed_up_by_the_database", f"nothing was backed up: {OWN_TOOLS}")
        if self._backups is None:
            raise Problem(409, "no_backup", "found no disaster_recovery.backup in the configuration, expected one")
        if not self._backups.state.running:
            self._tasks.start("back up by order", self._back_up)
        return as_document(self._backups.state)

    async def _back_up(self) -> None:
        if self._backups is not None:
            try:
                await self._backups.run()
            except BackupFailed:
                return  # its state says why

    def _replicating(self) -> Replication:
        replication = self._replication()
        if replication is None:
            raise Problem(409, "not_replicated", "found no `peer` in the configuration: nobody else holds the data")
        return replication
