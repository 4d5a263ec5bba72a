"""One region's process, out of the production modules: control, worker, data plane, election, state, data.

    Control (prober, publisher, operations, failing over, write leases, freshness, journal) <──> Worker ──> DataPlane
        └── Agreement: AgreedStore and Election over a Quorum of acceptors, one in each region
    Data: store, replicator, primary gate

All of it belongs to one life (tests/harness/lives.py): it stands still together, and dies together. Replaced are the
carriers (wire.py), the disk (disk.py), the clocks and chance; the configuration is read from memory.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from config.loader import Loaded
from gateway.core.head import RequestHead
from gateway.dataplane import DataPlane
from health.core.probe import Outcome, ProbeTarget
from health.core.session_token import SessionToken, unseal_header
from health.discovery.names import Names
from health.prober import Prober
from health.quorum.acceptors import StoredAcceptor
from sync.api.problems import Problem
from sync.core.writes import Write
from tests.simulation.regions.agreeing import Agreeing
from tests.simulation.regions.around import Around, Clock
from tests.simulation.regions.backends import WiredProbe
from tests.simulation.regions.configured import (
    ENVIRON,
    REGIONS,
    SIGNER,
    loaded,
)
from tests.simulation.regions.data import Data
from tests.simulation.regions.disk import Lines, RegionDisk, SavedDisk, UnreadAudit
from tests.simulation.regions.gateway import Answered, Gateway
from tidegate.node.channel import memory_pair
from tidegate.node.control import Control
from tidegate.node.logs import Log
from tidegate.node.startup import Chosen, make_plan
from tidegate.node.tasks import Tasks
from tidegate.node.worker import ToControl, Worker


class Node:
    """One life of one region's process."""

    def __init__(
        self,
        around: Around,
        region: str,
        number: int,
        *,
        disk: RegionDisk,
        clock: Clock,
        nodes: Mapping[str, Node],
        acceptors: Mapping[str, StoredAcceptor],
    ) -> None:
        self.region = region
        self.number = number
        self.disk = disk
        self.clock = clock
        self.life = around.lives[region]
        self._around = around
        self._nodes = nodes
        self._acceptors = acceptors
        self._seed = f"{around.seed} {region} {number}"
        self.run = f"gw-{region}/{number}"
        self.tasks = Tasks(self._log())
        self.shape = around.shape
        self.life.within(self._make)

    def _log(self) -> Log:
        loop, said = asyncio.get_running_loop(), self._around.said

        def write(line: dict[str, Any]) -> None:
            said.append((loop.time(), self.region, line["level"], line["event"], line))

        return Log(write)

    def _make(self) -> None:
        around, region = self._around, self.region
        self.data = Data(
            around.mesh,
            around.wire,
            self.life,
            shape=self.shape,
            region=region,
            tasks=self.tasks,
            boot=self.clock.boot,
            machine=self.clock.wall,
            peers={name: _data_of(self._nodes, name) for name in REGIONS},
            acknowledged=around.acknowledged,
            on_taking=around.on_taking,
            seed=self._seed,
        )
        agreeing = Agreeing(
            around,
            region,
            run=self.run,
            clock=self.clock,
            disk=self.disk,
            acceptors=self._acceptors,
            gossips=lambda name: self._nodes[name].gossip,
            seed=self._seed,
        )
        self.agreement, self.quorum, self.gossip = agreeing.agreement, agreeing.quorum, agreeing.gossip
        read = self._load(Path(), environ=ENVIRON)
        self.control = Control(
            plan=make_plan(read),
            chosen=Chosen(read, None),
            disk=SavedDisk(self.disk),
            environ=ENVIRON,
            make_prober=self._make_prober,
            make_names=self._make_names,
            clock=self.clock.boot,
            wall=self.clock.wall,
            log=self._log(),
            tasks=self.tasks,
            agreement=self.agreement,
            load=self._load,
            data=self.data,
            lines=Lines(self.disk),
            audit=UnreadAudit(),
        )
        self.plane = DataPlane(
            node_id=f"gw-{region}",
            access_log=lambda line: None,
            rng=random.Random(f"{self._seed} plane"),
            wall=self.clock.wall,
            environ=ENVIRON,
        )
        self.worker = Worker(
            slot=0,
            data_plane=self.plane,
            sockets={},
            connect=self._connect,
            from_disk=lambda: None,
            on_ready=lambda: None,
            on_second=lambda: None,
            log=self._log(),
            tasks=self.tasks,
        )
        self.gateway = Gateway(
            self.plane,
            region=region,
            life=self.number,
            wire=around.wire,
            backends=around.backends,
            attempted=around.attempted,
            data=self._ask_data,
        )

    def start(self) -> None:
        self.life.within(self._start)

    def _start(self) -> None:
        self.tasks.start("data", self.data.start)
        self.control.start()
        self.worker.start()

    def _load(self, path: Path, *, environ: Mapping[str, str]) -> Loaded:
        return loaded(self.shape, self.region)

    async def _connect(self) -> ToControl:
        ours, theirs = memory_pair()
        self.tasks.start("session", lambda: self.control.publisher.serve(theirs))
        return ours

    def _make_prober(self, on_change: Callable[[], None]) -> Prober:
        around = self._around

        def begin(target: ProbeTarget, on_end: Callable[[Outcome], None]) -> WiredProbe:
            return WiredProbe(
                around.wire, self.life, self.region, around.backends.servers[target.endpoint], target, on_end
            )

        return Prober(
            node_id=f"gw-{self.region}",
            on_change=on_change,
            rng=random.Random(f"{self._seed} probes"),
            wall=self.clock.wall,
            clock=self.clock.boot,
            begin=begin,
        )

    def _make_names(self, on_change: Callable[[], None]) -> Names:
        def no_resolver(resolvers: object) -> Any:
            raise AssertionError("no endpoint is a name here")

        return Names(
            on_change=on_change,
            rng=random.Random(f"{self._seed} names"),
            wall=self.clock.wall,
            clock=self.clock.boot,
            make_resolver=no_resolver,
        )

    # What clients ask

    async def ask(self, head: RequestHead, token: str, body: bytes) -> Answered:
        return await self.gateway.ask(head, token, body)

    async def _ask_data(self, head: RequestHead, body: bytes) -> Answered:
        """What `builtin:data` answers."""
        if head.method == "GET":
            _, stream, key = head.path.decode().removeprefix("/data").split("/", 3)[1:]
            try:
                return Answered(200, read=await self.data.read(stream, key, sessions_of(head)))
            except Problem as problem:
                return Answered(problem.status, problem.reason)
        try:
            told = await self.data.write(msgspec.msgpack.decode(body, type=Write))
        except Problem as problem:
            return Answered(problem.status, problem.reason)
        return Answered(200, body=msgspec.msgpack.encode(told))


def sessions_of(head: RequestHead) -> dict[str, SessionToken]:
    """The tokens that came with a request, by class."""
    return unseal_header(b",".join(head.values(b"tidegate-session")).decode("latin-1"), SIGNER) or {}


def _data_of(nodes: Mapping[str, Node], region: str) -> Callable[[], Data]:
    return lambda: nodes[region].data
