"""What control knows of the clients' data: asked of the sync process, told to all nodes, weighed for a failover.

    sync process ──GET /standing, each second──> latest ──soft row `sync`──> all nodes
                                                  └──> metrics, admin API       └──> lag(region, of=other)

A sync process that does not answer is not waited for: what it said last is shown with its age, and after `MAX_AGE_S`
this node says nothing of its data any more, so that nobody takes an old word for the present.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from sync.core.plans import CollectionPlan, compile_plans
from tidegate.node import nodes, sync_status
from tidegate.node.core.replicated import (
    MAX_AGE_S,
    Heard,
    RegionLag,
    Said,
    Status,
    level_of,
    region_lag,
    said_of,
    shared,
)
from tidegate.node.data_side import DataSilent

if TYPE_CHECKING:
    from tidegate.node.control import Control

KIND: Final = "sync"
EVERY_S: Final = 1.0
TIMEOUT_S: Final = 2.0


class SyncWatch:
    """One control process's."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.latest: Status | None = None
        """What the sync process said last, however long ago."""
        self.problem = "it has not been asked yet"
        """Why it has not answered; empty when it has."""
        self._answered_at: float | None = None
        self._began_at = control.clock()
        self._levels: dict[tuple[str, str], str] = {}
        self._spoke_at: dict[str, float] = {}
        self._plans: tuple[object, Mapping[str, CollectionPlan]] | None = None

    # What is known

    @property
    def is_asked(self) -> bool:
        """Whether this node keeps data at all."""
        return self._control.configuration.loaded.config.sync is not None

    @property
    def age_s(self) -> float | None:
        """Of `latest`."""
        return None if self._answered_at is None else self._control.clock() - self._answered_at

    def plans(self) -> Mapping[str, CollectionPlan]:
        """Of the configuration in force."""
        config = self._control.configuration.loaded.config
        if self._plans is None or self._plans[0] is not config:
            self._plans = (config, compile_plans(config, now=self._control.wall()))
        return self._plans[1]

    def heard(self) -> list[Heard]:
        """What nodes say of their data, this one too."""
        found = []
        for row in self._control.state.soft(KIND):
            try:
                found.append(Heard(row.key, msgspec.convert(row.value, Said), row.age_s))
            except msgspec.ValidationError:
                continue  # of a newer program
        return found

    def lag(self, region: str, *, of: str, is_down: bool = False) -> RegionLag:
        """How far `region` is behind `of`, which is down by votes or not."""
        down_for_s = self.silent_s(of) if is_down else None
        collections = shared(self.plans(), region, of)
        return region_lag(region, of=of, collections=collections, heard=self.heard(), down_for_s=down_for_s)

    def silent_s(self, region: str) -> float:
        """Since any of a region's nodes was heard here, whatever it said."""
        return self._control.clock() - self._spoke_at.get(region, self._began_at)

    # What is done

    async def run(self) -> None:
        """Ask and tell, for ever."""
        try:
            while True:
                self._listen()
                if self.is_asked:
                    await self._ask()
                    self._tell()
                await asyncio.sleep(EVERY_S)
        finally:
            await self._control.data.close()

    def _listen(self) -> None:
        """Which regions give signs of life."""
        now = self._control.clock()
        for row, said in nodes.heard(self._control):
            self._spoke_at[said.region] = max(now - row.age_s, self._spoke_at.get(said.region, 0.0))

    async def _ask(self) -> None:
        try:
            content = await self._control.data.get(sync_status.STANDING, timeout_s=TIMEOUT_S)
            status = msgspec.json.decode(content, type=Status)
        except (DataSilent, ValueError) as error:
            if not self.problem:
                self._control.log.warning("the sync process does not say how it is", because=str(error))
            self.problem = str(error)
        else:
            self.take(status)

    def take(self, status: Status) -> None:
        """The sync process has said this."""
        self.latest = status
        self._answered_at, self.problem = self._control.clock(), ""
        self._say_levels(status)
        self._tell()

    def _say_levels(self, status: Status) -> None:
        """To the log: which peers this node has fallen behind, and which it has caught up with."""
        sync = self._control.configuration.loaded.config.sync
        levels = (
            {}
            if sync is None
            else {
                (line.peer, line.collection): (level_of(line.seconds, stalled=line.stalled, thresholds=sync.lag), line)
                for line in status.lag
            }
        )
        for place, (level, line) in levels.items():
            before = self._levels.get(place, "unknown")
            if level != before and not (level == "ok" and before == "unknown"):
                say = self._control.log.info if level == "ok" else self._control.log.warning
                say(
                    "caught up with a peer" if level == "ok" else "behind a peer",
                    level=level,
                    peer=line.peer,
                    region=line.region,
                    collection=line.collection,
                    lag_s=line.seconds,
                    operations=line.operations,
                    stalled=line.stalled,
                )
        self._levels = {place: level for place, (level, _) in levels.items()}

    def _tell(self) -> None:
        age_s, config = self.age_s, self._control.configuration.loaded.config
        if self.latest is None or age_s is None or age_s > MAX_AGE_S:
            self._control.state.withdraw(KIND, self._control.plan.node_id)
        elif not self.problem:
            said = json.loads(msgspec.json.encode(said_of(self.latest, config.node.region or "")))
            self._control.state.announce(KIND, self._control.plan.node_id, said, ttl_s=MAX_AGE_S)
