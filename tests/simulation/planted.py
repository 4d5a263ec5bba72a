"""Bugs that others shipped, planted one at a time: proof that the checkers see them.

Each changes the world of one run, on the test's side: a store, a disk, a network that misbehaves in the one way that
its name says. `tests/simulation/test_planted.py` runs each until it is found.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.core import absorbing, arrivals, forgetting, local_batch, merging, policy, reconciling
from sync.core.absorbing import AbsorbBatch, Entry
from sync.core.arrivals import ArrivalBatch, ChainBroken
from sync.core.dots import Dot, meet
from sync.core.operation import Operation, Sealed, decode_head
from sync.core.policy import ConflictPolicy, Loss, Settled
from sync.core.reconciling import Side
from sync.core.retention import Retention
from sync.core.versions import KeyState, Version
from sync.core.wire import Pull, StreamHave
from sync.core.writes import Write, Written
from sync.replication.replicator import Confirmed, Replicator
from sync.replication.serving import Serving
from sync.store import Heads, Receipt
from tests.harness.memory_store import MemoryStore
from tests.simulation.storm import away, partition, replaced, restored, restored_late, sector_lost
from tests.simulation.world import Mutation, World


def stores(change: Callable[[MemoryStore], None]) -> Mutation:
    """Change every store of every life."""

    def mutate(world: World) -> None:
        mesh = world.mesh
        make = mesh.make_store

        def made(*args: Any, **facts: Any) -> MemoryStore:
            store = make(*args, **facts)
            change(store)
            return store

        mesh.make_store = made  # type: ignore[method-assign]
        for node in mesh.nodes.values():
            change(node.store)

    return mutate


def dot_reuse() -> Mutation:
    """Riak kv679: a restored store goes on counting where the backup ends; nothing tells two writes of a dot apart."""

    def forget(store: MemoryStore) -> None:
        arrivals_of = store._arrivals

        def gullible(name: str, of: Any) -> ArrivalBatch:
            batch = arrivals_of(name, of)
            batch.own_origin = ""
            return batch

        store._arrivals = gullible  # type: ignore[method-assign]

    def mutate(world: World) -> None:
        world.renews_after_restore = False
        world.repertoire = (restored,)
        stores(forget)(world)
        _chains_are_not_checked(world)

    return mutate


def acknowledge_before_durable() -> Mutation:
    """NATS 2.12.1: a write is acknowledged when it is in memory; now and then memory reaches the disk."""

    def mutate(world: World) -> None:
        for node in world.mesh.nodes.values():
            node.disk.lie()

    return mutate


@dataclass(frozen=True)
class _Asked:
    """One write to a key, and what is to become of it."""

    policy: ConflictPolicy
    state: KeyState
    version: Version
    context: Mapping[str, int]
    alias: Dot | None

    def settled(self, **changes: Any) -> Settled:
        """By the real rules; with what is named changed."""
        it = dataclasses.replace(self, **changes)
        return policy.arrive(it.policy, it.state, it.version, it.context, alias=it.alias)


def tie_keeps_local() -> Mutation:
    """Of two concurrent versions every store keeps the one that it had first."""

    def arrive(asked: _Asked) -> Settled:
        state = asked.settled(policy="vector_clock").state
        if asked.policy != "last_write_wins" or len(state.versions) < 2:
            return Settled(state)
        kept = next((version for version in state.versions if version in asked.state.versions), state.versions[0])
        losses = tuple(Loss(version, kept) for version in state.versions if version is not kept)
        return Settled(KeyState((kept,), state.context), losses)

    return _arriving(arrive)


def losers_are_dropped() -> Mutation:
    """What loses by the clock is gone, and nobody is told."""
    return _arriving(lambda asked: Settled(asked.settled().state))


def siblings_are_capped() -> Mutation:
    """Of many concurrent versions one is dropped, to keep the record small."""

    def arrive(asked: _Asked) -> Settled:
        settled = asked.settled()
        return Settled(KeyState(settled.state.versions[:1], settled.state.context), settled.losses)

    return _arriving(arrive)


def contexts_are_ignored() -> Mutation:
    """Every write counts as blind: what its writer had read stays beside it."""
    return _arriving(lambda asked: asked.settled(context={}))


def repeats_are_siblings() -> Mutation:
    """The same client operation, sent to two regions, becomes two versions."""

    def arrive(asked: _Asked) -> Settled:
        version = asked.version
        anonymous = msgspec.structs.replace(version, client="", sequence=0, request=b"")
        settled = policy.arrive(asked.policy, asked.state, anonymous, asked.context)
        named = tuple(
            msgspec.structs.replace(one, client=version.client, sequence=version.sequence, request=version.request)
            if one.dot == version.dot
            else one
            for one in settled.state.versions
        )
        return Settled(KeyState(named, settled.state.context), settled.losses)

    return _arriving(arrive)


def deletes_forget_what_they_replaced() -> Mutation:
    """A tombstone without the context of what it deleted: an old write that comes late is new again."""

    def arrive(asked: _Asked) -> Settled:
        version = asked.version
        if version.is_deleted:
            return Settled(KeyState((version,), {version.origin: version.seq}))
        return asked.settled()

    return _arriving(arrive)


def _arriving(arrive: Callable[[_Asked], Settled]) -> Mutation:
    """Replace what becomes of one write to a key, in local batches and in arriving ones."""

    def mutate(world: World) -> None:
        def changed(
            policy: ConflictPolicy,
            state: KeyState,
            version: Version,
            context: Mapping[str, int],
            *,
            alias: Dot | None = None,
        ) -> Settled:
            return arrive(_Asked(policy, state, version, context, alias))

        world.replace(arrivals, "arrive", changed)
        world.replace(local_batch, "arrive", changed)

    return mutate


def tombstones_by_time() -> Mutation:
    """Cassandra's gc_grace: a tombstone that is old enough is forgotten, whoever has not seen it yet."""

    def mutate(world: World) -> None:
        async def collect() -> None:
            while True:
                await asyncio.sleep(2.0)
                for node in world.mesh.nodes.values():
                    for stream in node.disk.streams.values():
                        for key, state in list(stream.states.items()):
                            if state.versions and not state.is_live:
                                del stream.states[key]

        world.background.append(collect)

    return mutate


def cursor_by_commit_order() -> Mutation:
    """A peer's place is a count of what was committed, not a head of each origin: what commits late is skipped."""

    def change(store: MemoryStore) -> None:
        async def after(stream: str, have: Mapping[str, int], *, max_operations: int, max_bytes: int) -> list[Sealed]:
            log = store.disk.streams[stream].log
            return [one.sealed for one in log[sum(have.values()) :][:max_operations]]

        store.operations_after = after  # type: ignore[method-assign]

    return stores(change)


def own_writes_only() -> Mutation:
    """A store passes on only what it wrote itself: who is cut off from the writer never hears of it."""

    def change(store: MemoryStore) -> None:
        real = store.operations_after

        async def after(stream: str, have: Mapping[str, int], **facts: Any) -> list[Sealed]:
            own = store.origin(stream)
            found = await real(stream, have, **facts)
            return [sealed for sealed in found if decode_head(sealed.head).origin == own]

        store.operations_after = after  # type: ignore[method-assign]

    return stores(change)


def received_twice() -> Mutation:
    """What is known already is applied again."""

    def change(store: MemoryStore) -> None:
        real = store._receive

        async def receive(stream: str, operations: Sequence[Sealed], now: float, poison: Collection[Dot]) -> Receipt:
            receipt = await real(stream, operations, now, poison)
            of = store.disk.streams[stream]
            if receipt.duplicates and of.feed:
                of.feed.append(of.feed[-1])
            return receipt

        store._receive = receive  # type: ignore[method-assign]

    return stores(change)


def everybody_may_have_everything() -> Mutation:
    """The sender forgets to ask whether the region may hold the stream, and the receiver asks for all."""

    def mutate(world: World) -> None:
        def permitted(self: Serving, request: Pull, region: str) -> tuple[list[StreamHave], list[Any]]:
            known = set(self._store.streams())
            return [
                *(have for have in request.streams if have.stream in known),
                *(
                    StreamHave(name, {}, {}, f"{request.member}.life1")
                    for name in known
                    if name not in {have.stream for have in request.streams}
                ),
            ], []

        world.replace(Serving, "_permitted", permitted)

    return mutate


def damage_is_believed() -> Mutation:
    """Values are not held against their hashes, and what is damaged on the way is taken as it came."""

    def mutate(world: World) -> None:
        world.replace(arrivals, "verify_value", lambda operation, sealed: None)
        real = MemoryStore.operations_after

        async def after(self: MemoryStore, stream: str, have: Mapping[str, int], **facts: Any) -> list[Sealed]:
            found = await real(self, stream, have, **facts)
            if world.mesh.network.damage and found and found[-1].value:
                found[-1] = msgspec.structs.replace(found[-1], value=found[-1].value[::-1])
            return found

        world.replace(MemoryStore, "operations_after", after)

    return mutate


def held_counts_as_applied() -> Mutation:
    """What is received but not visible yet satisfies a session all the same."""

    def change(store: MemoryStore) -> None:
        real = store.heads

        async def heads(stream: str) -> Heads:
            found = await real(stream)
            return Heads(found.received, dict(found.received), found.digests)

        store.heads = heads  # type: ignore[method-assign]

    return stores(change)


def promises_before_confirmation() -> Mutation:
    """A write is called global as soon as the others have been told of it."""

    def mutate(world: World) -> None:
        async def confirm(self: Replicator, stream: str, dot: Any, wanted: Any, *, timeout_s: float) -> Any:
            return Confirmed("global", ())

        world.replace(Replicator, "confirm", confirm)

    return mutate


def _chains_are_not_checked(world: World) -> None:
    """Whatever carries a higher number comes next."""
    real = ArrivalBatch._continues

    def continues(self: ArrivalBatch, operation: Operation, digest: bytes) -> bool:
        try:
            return real(self, operation, digest)
        except ChainBroken:
            return operation.seq > self.heads.get(operation.origin, local_batch.Head()).seq

    world.replace(ArrivalBatch, "_continues", continues)


def gaps_are_stepped_over() -> Mutation:
    """A full answer loses its middle, and nobody misses it."""

    def mutate(world: World) -> None:
        _chains_are_not_checked(world)
        real = MemoryStore.operations_after

        async def after(self: MemoryStore, stream: str, have: Mapping[str, int], **facts: Any) -> list[Sealed]:
            found = await real(self, stream, have, **facts)
            return found[:1] + found[2:] if len(found) > 2 else found

        world.replace(MemoryStore, "operations_after", after)

    return mutate


def op_ids_are_not_remembered() -> Mutation:
    """A repeated operation is done again in the same region."""

    def mutate(world: World) -> None:
        real = local_batch.LocalBatch._repeated

        def repeated(self: Any, write: Write, op_id: Any, state: KeyState) -> Any:
            found = real(self, write, op_id, state)
            return None if isinstance(found, Written) else found

        world.replace(local_batch.LocalBatch, "_repeated", repeated)
        repeats_are_siblings()(world)

    return mutate


def deletes_are_forgotten_before_what_they_deleted_came() -> Mutation:
    """A tombstone goes once everybody has it, though a write that it deleted may still be on its way."""

    def mutate(world: World) -> None:
        _in_a_hurry(world)
        world.mesh.upkeep = dataclasses.replace(world.mesh.upkeep, evict_after_s=1e6)
        world.mesh.network.delay_s = (0.001, 0.002)
        world.replace(forgetting, "includes", lambda vector, other: True)
        world.replace(Retention, "cut", lambda self, applied, members, _: meet([applied, *members.values()]))
        world.repertoire = (partition,)

    return mutate


def snapshots_only_add() -> Mutation:
    """Who was away merges a snapshot into what it has: what was deleted and forgotten meanwhile is back."""

    def mutate(world: World) -> None:
        _in_a_hurry(world)
        world.repertoire = (restored_late, away)

        def both(one: KeyState, other: KeyState, **_: Any) -> KeyState:
            return merging.join(one, other)

        world.replace(reconciling, "join", both)

    return mutate


def absence_is_taken_for_a_delete() -> Mutation:
    """A comparison believes whoever has nothing: one store's lost sector deletes the key everywhere."""

    def mutate(world: World) -> None:
        world.repertoire = (sector_lost,)
        real = AbsorbBatch._one

        def one(self: AbsorbBatch, entry: Entry, theirs: Side, *, now: float) -> None:
            mine = self.states.get(entry.key, KeyState())
            is_seen = all(version.is_covered(theirs.applied) for version in mine.versions)
            if self.purpose == "comparison" and mine.versions and not entry.state.versions and is_seen:
                self.changed[entry.key] = KeyState()
                return
            real(self, entry, theirs, now=now)

        world.replace(AbsorbBatch, "_one", one)

    return mutate


def contexts_prove_too_much() -> Mutation:
    """A comparison takes a key's context for proof that all below it was replaced, lost siblings too."""

    def mutate(world: World) -> None:
        world.repertoire = (sector_lost,)
        world.replace(absorbing, "Known", lambda state, read: reconciling.Known(state, state.context))

    return mutate


def snapshots_count_as_of_their_end() -> Mutation:
    """A snapshot counts up to where the peer is when it ends: what was written behind its pages is never asked for."""

    def mutate(world: World) -> None:
        _in_a_hurry(world)
        world.mesh.upkeep = dataclasses.replace(world.mesh.upkeep, anti_entropy_s=1e6)
        world.mesh.network.delay_s = (0.1, 0.5)
        world.repertoire = (restored_late, replaced, away)
        real = MemoryStore.adopt

        async def adopt(self: MemoryStore, stream: str, base: Any, *, horizon: Any) -> None:
            for node in world.mesh.nodes.values():
                if node.store is not self and stream in node.disk.streams:
                    later = await node.store.base(stream)
                    if all(later.get(origin, (0, b""))[0] >= seq for origin, (seq, _) in base.items()):
                        base = later
            await real(self, stream, base, horizon=horizon)

        world.replace(MemoryStore, "adopt", adopt)

    return mutate


def _in_a_hurry(world: World) -> None:
    """Forget all that may be forgotten, at once."""
    world.mesh.upkeep = dataclasses.replace(world.mesh.upkeep, keep_operations=0, evict_after_s=3.0, tick_s=0.5)


PLANTED: Mapping[str, Callable[[], Mutation]] = {
    bug.__name__: bug
    for bug in (
        dot_reuse,
        acknowledge_before_durable,
        tie_keeps_local,
        losers_are_dropped,
        siblings_are_capped,
        contexts_are_ignored,
        repeats_are_siblings,
        deletes_forget_what_they_replaced,
        tombstones_by_time,
        cursor_by_commit_order,
        own_writes_only,
        received_twice,
        everybody_may_have_everything,
        damage_is_believed,
        held_counts_as_applied,
        promises_before_confirmation,
        gaps_are_stepped_over,
        op_ids_are_not_remembered,
        deletes_are_forgotten_before_what_they_deleted_came,
        snapshots_only_add,
        absence_is_taken_for_a_delete,
        contexts_prove_too_much,
        snapshots_count_as_of_their_end,
    )
}
