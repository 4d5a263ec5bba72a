"""What can be seen only while it happens: who leads and takes writes, who was promoted over what, what is drained.

Looked at every twentieth of a second, from outside, by true time, which no participant knows:
- at most one process leads at a time, an epoch is one process's, and so it is with every write lease (C11);
- the role moves by rows whose epochs never fall; one that a leader moved by itself loses no more than the objective;
- a store that takes writes for its collection has every write that was acknowledged with `majority` before;
- acknowledgements of a primary's writes come in the order of the epochs;
- what a node says is drained gets nothing from that node any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync.core.dots import covers, region_of
from tests.simulation.history import History
from tests.simulation.regions.configured import REGIONS, RPO_S

if TYPE_CHECKING:
    from tests.simulation.regions.around import Around
    from tests.simulation.regions.node import Node

EVERY_S = 0.05
SLACK_S = 2.5
"""What a store says of its lag is exact to a second, and travels for as long (docs/decisions/0037)."""


@dataclass(frozen=True)
class Promotion:
    """The role moved."""

    version: int
    epoch: int
    region: str
    instead_of: str
    author: str
    at: float


@dataclass
class Books:
    """One run's."""

    around: Around
    nodes: Mapping[str, Node] = field(default_factory=dict)
    history: History = field(default_factory=History)
    found: list[str] = field(default_factory=list)
    promotions: dict[int, Promotion] = field(default_factory=dict)
    epochs: dict[tuple[str, int], str] = field(default_factory=dict)
    """(register, epoch): whose."""
    forced: set[str] = field(default_factory=set)
    """Regions that a person has promoted by force: they were told what may be lost."""
    _settled: dict[tuple[str, int, str], tuple[float, float]] = field(default_factory=dict)
    """(region, life, endpoint): drained there, from and until when it was seen to be."""
    drained: list[tuple[str, int, str, float, float]] = field(default_factory=list)
    """Spans that are over."""

    async def keep(self) -> None:
        """For as long as the world turns."""
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        now = asyncio.get_running_loop().time()
        awake = [
            self.nodes[region]
            for region in REGIONS
            if region in self.nodes
            and not self.around.lives[region].is_over
            and self.around.lives[region].stands_until <= now
        ]
        self._look_at_leases(awake, now)
        for node in awake:
            self._look_at_role(node, now)
            self._look_at_drains(node, now)

    # Leases

    def _look_at_leases(self, awake: list[Node], now: float) -> None:
        holders: dict[str, list[tuple[str, int]]] = {}
        for node in awake:
            election = node.agreement.election
            if election is not None and (epoch := election.epoch) is not None:
                holders.setdefault("lease", []).append((node.run, epoch))
            for name, lease in node.control.write_leases.elections.items():
                if (epoch := lease.epoch) is not None:
                    holders.setdefault(f"write {name}", []).append((node.run, epoch))
        for register, held in holders.items():
            if len(held) > 1:
                self.found.append(f"leases: {held} hold {register} together at {now:.3f}")
            for run, epoch in held:
                if self.epochs.setdefault((register, epoch), run) != run:
                    whose = self.epochs[register, epoch]
                    self.found.append(f"leases: epoch {epoch} of {register} was given to {whose} and to {run}")

    # The role

    def _look_at_role(self, node: Node, now: float) -> None:
        row = node.control.state.row("role", "primary")
        if row is None or row.value is None or row.version in self.promotions:
            return
        value = row.value
        made = Promotion(row.version, row.epoch, value["region"], value["instead_of"], value["author"], now)
        self.promotions[row.version] = made
        for other in self.promotions.values():
            if (other.version < made.version) != (other.epoch <= made.epoch) and other.version != made.version:
                self.found.append(
                    f"epochs: the role went by row {other.version} in epoch {other.epoch}, and by row {made.version} "
                    f"in epoch {made.epoch}"
                )
        if made.author == "leader" and made.region not in self.forced:
            self._look_at_loss(made)

    def _look_at_loss(self, made: Promotion) -> None:
        """What the new primary lacked was written after the old one was last heard, or just before."""
        wire, old = self.around.wire, made.instead_of
        heard = max((at for (source, target), at in wire.heard.items() if source == old != target), default=0.0)
        stream = self.around.mesh.nodes[made.region].disk.streams.get("ledger")
        if stream is None:
            return
        has = {origin: head.seq for origin, head in stream.heads.items()}
        for one in self.around.acknowledged:
            if one.dot in self.history.excused or region_of(one.dot[0]) != old or covers(has, *one.dot):
                continue
            if one.at < min(heard, made.at) - RPO_S - SLACK_S:
                self.found.append(
                    f"loss: {made.region} was promoted at {made.at:.3f} without {one.dot}, acknowledged in {old} at "
                    f"{one.at:.3f}; {old} was heard at {heard:.3f}, the objective is {RPO_S:g} s"
                )

    # Writes of a primary

    def taking(self, region: str, stream: str, epoch: int) -> None:
        """A store has found that it may take a write, in this moment."""
        held = self.around.mesh.nodes[region].disk.streams[stream].heads
        destroyed = set().union(*self.history.destroyed.values()) if self.history.destroyed else set()
        for one in self.around.acknowledged:
            if one.stream != stream or one.durability == "local" or one.dot in destroyed:
                continue
            origin, seq = one.dot
            if origin not in held or held[origin].seq < seq:
                self.found.append(
                    f"primary: {region} takes writes in epoch {epoch} without {one.dot}, acknowledged in epoch "
                    f"{one.epoch} with {one.durability}"
                )
                return

    # Drains

    def _look_at_drains(self, node: Node, now: float) -> None:
        operations = node.control.operations
        for (scope, target), order in operations.drains.orders().items():
            is_settled = order.action == "drain" and operations.progress(scope, target).settled
            for endpoint in self.around.backends.servers:
                if target.covers(endpoint):
                    self._mark(node, endpoint, now, is_settled=is_settled)
        known = {
            endpoint
            for (_, target) in operations.drains.orders()
            for endpoint in self.around.backends.servers
            if target.covers(endpoint)
        }
        for key in [key for key in self._settled if key[:2] == (node.region, node.number) and key[2] not in known]:
            self._close(key)

    def _mark(self, node: Node, endpoint: str, now: float, *, is_settled: bool) -> None:
        key = (node.region, node.number, endpoint)
        if is_settled:
            self._settled[key] = (self._settled.get(key, (now, now))[0], now)
        elif key in self._settled:
            self._close(key)

    def _close(self, key: tuple[str, int, str]) -> None:
        self.drained.append((*key, *self._settled.pop(key)))

    def spans(self) -> list[tuple[str, int, str, float, float]]:
        """All of them, at the end."""
        return [*self.drained, *((*key, *span) for key, span in self._settled.items())]
