"""All known traffic of one run: started, stopped, and the loose ends tied.

run(...)       everything at its pace, in all regions
finish()       what is still open is sent once more; the offline client uploads its queue
read_all()     what every region holds in the end, by the feeds and by reading
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from chaos.mesh.admin import Admin, AdminSilent
from chaos.mesh.plan import FORBIDDEN, HOME, REGIONS, NodePlan, backend_of
from chaos.traffic import onlookers, writers
from chaos.traffic.history import Claim, Doubt, History
from chaos.traffic.offline import Offline
from chaos.traffic.pace import stopped_within
from chaos.traffic.records import Writer
from chaos.traffic.requests import Requests
from chaos.traffic.sending import new_session
from chaos.traffic.sockets import Socket
from chaos.traffic.visitors import Visitor
from chaos.traffic.writers import Clients

SOCKETS_A_REGION = 2
POLL_EVERY_S = 0.5
FINISH_AT_ONCE = 16


class Known:
    """The clients of one run."""

    def __init__(
        self,
        run: str,
        *,
        admin: Admin,
        nodes: Mapping[str, NodePlan],
        rng: random.Random,
        counts_together: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`run` is part of every token, key and operation id: runs on one mesh do not meet.

        `counts_together`: whether the mesh has a limit that all nodes count together.
        """
        self.run_name = run
        self.history = History()
        self._admin = admin
        self._nodes = nodes
        self._rng = rng
        self._clock = clock
        self._requests = [
            Requests(region, self.history, run=run, rng=rng, counts_together=counts_together, clock=clock)
            for region in REGIONS
        ]

    def held_back(self, *, before: float) -> int:
        """Requests that could not be started in time although nothing was broken yet: then the machine is too slow."""
        return sum(at < before for requests in self._requests for at in requests.held_back)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop, and all that was begun has ended."""
        began = self._clock()
        async with new_session() as session, asyncio.TaskGroup() as group:
            for requests in self._requests:
                group.create_task(requests.run(stopping))
            for region in REGIONS:
                for number in range(SOCKETS_A_REGION):
                    name = f"{self.run_name}-{region}-{number}"
                    group.create_task(Socket(region, name, self.history, clock=self._clock).run(stopping))
                for travels in (False, True):
                    name = f"{self.run_name}-{region}-{'travels' if travels else 'stays'}"
                    visitor = Visitor(region, name, self.history, rng=self._rng, travels=travels, clock=self._clock)
                    group.create_task(visitor.run(stopping))
                clients = Clients(region, self.history, session, self.run_name, self._rng, began, self._clock)
                group.create_task(writers.chain(clients, "notes", stopping))
                if region in HOME:
                    group.create_task(writers.chain(clients, "profiles", stopping))
                if region == FORBIDDEN:
                    group.create_task(writers.trespass(clients, stopping))
                group.create_task(writers.heap(clients, stopping))
                group.create_task(writers.race(clients, stopping))
                group.create_task(writers.sights(clients, stopping))
                group.create_task(onlookers.onlook(clients, stopping))
                group.create_task(self._watch(region, stopping))

    async def finish(self) -> None:
        """Everything was healed: now every operation can be done."""
        limit = asyncio.Semaphore(FINISH_AT_ONCE)
        async with new_session() as session:
            offline = Offline(session, self.history, run=self.run_name, clock=self._clock)
            still_open = [one for one in self.history.operations if one.acknowledged_at is None and one.refused is None]

            async def again(home: str) -> None:
                writer = Writer(session, self.history, home=home, clock=self._clock)
                async with limit:
                    await writer.finish([one for one in still_open if f"-{home}-" in one.op_id])

            async with asyncio.TaskGroup() as group:
                group.create_task(offline.upload(self._rng.sample(REGIONS, 2)))
                for region in REGIONS:
                    group.create_task(again(region))

    async def _watch(self, region: str, stopping: asyncio.Event) -> None:
        """Who leads, as this region's node says; and what it says of the endpoints, for the timeline."""
        node = self._nodes[region]
        before: dict[str, str] = {}
        while not await stopped_within(stopping, POLL_EVERY_S):
            asked = self._clock()
            try:
                status = await self._admin.status(node)
            except AdminSilent:
                continue
            at = self._clock()
            self.history.claims.append(Claim(asked, at, node.id, status["leadership"]["epoch"]))
            self.history.doubts += [
                Doubt(at, region, backend_of(one["endpoint"]))
                for one in status["endpoints"]
                if one["service"] == "kept" and one["health"] != "up"
            ]
            before = self._decisions(at, status, before)

    def _decisions(self, at: float, status: Mapping[str, Any], before: Mapping[str, str]) -> dict[str, str]:
        now = {one["endpoint"]: one["health"] for one in status["endpoints"] if one["service"] == "api"}
        leads = status["leadership"]["epoch"] is not None
        now["election"] = f"leads in epoch {status['leadership']['epoch']}" if leads else "leads no more"
        for what, word in now.items():
            if before and before.get(what) != word:
                self.history.decide(at, f"{status['node']}: {what} {word}")
        return now
