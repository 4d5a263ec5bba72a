"""Who writes and reads in which region, and what do they believe afterwards?"""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import TYPE_CHECKING

from sync.core.dots import VersionVector, includes, joined
from sync.core.op_ids import OpId
from sync.core.versions import EMPTY
from sync.core.writes import Write, Written
from sync.errors import StoreUnavailable
from tests.simulation.excuses import has
from tests.simulation.history import Asked, Seen

if TYPE_CHECKING:
    from tests.simulation.world import World


class Client:
    """Writes with operation ids, repeats elsewhere what was not answered, reads with a session."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._sequence = 0
        self._rng = random.Random(f"{world.seed} {name}")
        self._sessions: dict[str, VersionVector] = {}
        self._contexts: dict[tuple[str, str], VersionVector] = {}
        self._stamp = 0

    async def live(self) -> None:
        while not self._world.is_over:
            await asyncio.sleep(self._rng.expovariate(3.0))
            stream = self._rng.choice(["notes", "profiles"])
            key = f"key{self._rng.randint(1, 5)}"
            if self._rng.random() < 0.4:
                await self._read(stream, key)
            else:
                await self._write(stream, key)

    def _region(self, stream: str) -> str:
        nodes = self._world.mesh.nodes
        return self._rng.choice([region for region in nodes if region in nodes[region].plans[stream].regions])

    async def _write(self, stream: str, key: str) -> None:
        self._sequence += 1
        is_delete = self._rng.random() < 0.2
        context = self._contexts.get((stream, key)) if self._rng.random() < 0.6 else None
        value = None if is_delete else f"{stream} {self._name} {self._sequence}".encode()
        asked = Asked(self._name, self._sequence, stream, key, value, context)
        self._world.history.asked.append(asked)
        for _ in range(self._rng.randint(1, 3)):
            answered = await self._try(asked, self._region(stream))
            if answered and self._rng.random() < 0.9:  # now and then it has not heard the answer
                return
            await asyncio.sleep(self._rng.uniform(0.05, 0.5))

    async def _try(self, asked: Asked, region: str) -> bool:
        world, mesh = self._world, self._world.mesh
        node = mesh.nodes[region]
        if node.replicator is None:
            return False
        write = Write(
            stream=asked.stream,
            key=asked.key,
            kind="delete" if asked.value is None else "put",
            value=asked.value or b"",
            content_type="text/plain" if asked.value is not None else "",
            context=asked.context,
            seen_hlc=self._stamp,
            op_id=OpId(asked.client, asked.sequence),
            request=hashlib.sha256(repr((asked.key, asked.value, asked.context)).encode()).digest()[:16],
        )
        try:
            (result,) = await node.store.write([write], now=mesh.wall(region))
        except StoreUnavailable:
            return False
        if not isinstance(result, Written):
            if asked.outcome != "ok" and result.status in {404, 409, 412}:
                asked.outcome = "fail"
            return result.status not in {503}
        asked.outcome = "ok"
        dot = (result.origin, result.seq)
        asked.dots.append(dot)
        self._stamp = max(self._stamp, result.hlc)
        self._sessions[asked.stream] = joined(self._sessions.get(asked.stream, {}), {result.origin: result.seq})
        if self._rng.random() < 0.2 and node.replicator is not None:
            confirmed = await node.replicator.confirm(asked.stream, dot, "global", timeout_s=2.0)
            asked.reached = confirmed.durability
            asked.holders_when_told = frozenset(
                each.region for each in world.mesh.nodes.values() if has(each.disk, asked.stream, dot)
            )
        return True

    async def _read(self, stream: str, key: str) -> None:
        region = self._region(stream)
        node = self._world.mesh.nodes[region]
        session = self._sessions.get(stream, {})
        applied = (await node.store.heads(stream)).applied
        if node.replicator is None or not includes(applied, session):
            return  # the gateway would send it elsewhere
        if any((stream, key) == (name, lost) for _, name, lost in self._world.lost_sectors):
            return  # what a rotten disk shows, and who takes a snapshot of it, until it is repaired
        record = await node.store.read(stream, key)
        state = record.state if record is not None else EMPTY
        values = tuple(body.value for body in record.bodies if body.value is not None) if record is not None else ()
        self._world.history.seen.append(
            Seen(self._name, region, stream, key, state, values, dict(session), dict(applied))
        )
        self._contexts[stream, key] = state.context
        self._sessions[stream] = joined(session, applied)
        self._stamp = max(self._stamp, state.hlc())
