"""Who takes writes to collections of strategy `primary`, and until when? A lease each primary region, told to the data.

    role of the region (failing_over) ──> is it this node's? ──> contend for the lease of that name ──> epoch, until
                                                     └──────────────> told to the sync process, again and again

The lease is one more register of the acceptors, so two nodes never hold it at once, whatever they believe of the role.
It is given back only after the sync process has confirmed that it takes no more writes; otherwise it runs out. A
control process that has just started says nothing of a lease that its predecessor held: that one ends by itself.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from health.core.failover import first_choice
from health.election import Election
from sync.core.primacy import Primary
from tidegate.node.agreement import Agreement
from tidegate.node.data_operator import PRIMARIES
from tidegate.node.tasks import Tasks

if TYPE_CHECKING:
    from tidegate.node.control import Control

EVERY_S: Final = 0.25
"""Far below the lease: each word is a deadline, and the next one moves it on."""
TELL_S: Final = 1.0
FOR_EVER: Final = 1e12
"""Of a node that shares its state with nobody."""


class WriteLeases:
    """One control process's."""

    def __init__(self, control: Control, agreement: Agreement, tasks: Tasks) -> None:
        self._control = control
        self._make = agreement.write_election
        self._tasks = tasks
        self.elections: dict[str, Election] = {}
        self._revoked: set[str] = set()
        self._minded: set[str] = set()
        self._telling = asyncio.Lock()

    async def run(self) -> None:
        """For ever."""
        while True:
            for name in self._configured() - self._minded:
                self._minded.add(name)
                self._tasks.keep(f"write lease {name}", partial(self._mind, name))
            if self._minded:
                await self._tell()
            await asyncio.sleep(EVERY_S)

    def leading(self, configured: str) -> str:
        """The region that takes writes instead of the configured one: whoever was promoted in its place."""
        control = self._control
        if configured == first_choice(control.configuration.loaded.config):
            return control.failing_over.primary()
        return configured

    def shown(self) -> list[dict[str, Any]]:
        """For people."""
        return [
            {"primary": name, "leads": self.leading(name), **msgspec.to_builtins(self._primary(name))}
            for name in sorted(self._minded)
        ]

    def _configured(self) -> set[str]:
        sync = self._control.configuration.loaded.config.sync
        return {one.primary for one in sync.collections if one.primary is not None} if sync is not None else set()

    def _is_ours(self, name: str) -> bool:
        config = self._control.configuration.loaded.config
        return name in self._configured() and self.leading(name) == config.node.region

    async def _mind(self, name: str) -> None:
        """Hold the lease for as long as it is this region's."""
        while True:
            if not self._is_ours(name) or self._make is None:
                await asyncio.sleep(EVERY_S)
                continue
            self._revoked.discard(name)
            election = self.elections[name] = self._make(name)
            try:
                while self._is_ours(name):
                    await election.step()
            finally:
                del self.elections[name]
                self._revoked.add(name)
                if await self._tell():
                    await election.release()

    async def _tell(self) -> bool:
        """Whether the sync process knows now what is true."""
        async with self._telling:
            told = {name: self._primary(name) for name in self._minded}
            return await self._control.data.tell(PRIMARIES, msgspec.json.encode(told), timeout_s=TELL_S)

    def _primary(self, name: str) -> Primary:
        control = self._control
        config, region = control.configuration.loaded.config, self.leading(name)
        ballots = control.failing_over.ballots()
        eligible = tuple(
            one.id for one in config.regions if one.id != region and one.active and not ballots[one.id].is_down
        )
        if self._make is None:
            is_ours = self._is_ours(name)
            return Primary(region, 1 if is_ours else None, FOR_EVER if is_ours else None, eligible)
        election = self.elections.get(name)
        epoch = None if election is None else election.epoch
        until = None if election is None else election.valid_until
        if epoch is None or until is None:
            return Primary(region, None, None, eligible, is_revoked=name in self._revoked)
        return Primary(region, epoch, until, eligible)
