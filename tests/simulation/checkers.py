"""What must hold after all: each checker names what it found against it, and nothing where all is well.

Named as in the design: C1 no acknowledged write lost, C2 no phantom, C3 convergence, C4 causality, C5 sessions, C6 no
resurrection, C7 exactly once, C8 residency, C10 an acknowledgement's durability, C12 bounded growth, C13 every transfer
recorded. (C9, progress after healing, is the world's own bound on convergence; C11, one leader, is tested with the
election.) They look at disks and at what clients were told, never at the stores' own opinions.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sync.core.dots import Dot, VersionVector, covers, includes
from sync.core.operation import Operation
from sync.core.reconciling import shown
from sync.core.versions import EMPTY, KeyState
from sync.core.wire import MAX_ANSWER, Fetched, FrameRefused, Pulled, unpack
from tests.harness.mesh_of_stores import MeshOfStores, Node
from tests.simulation.accounts import is_replaced, losers, received_by
from tests.simulation.history import Asked, History
from tests.simulation.session_checks import causality, sessions


def violations(mesh: MeshOfStores, history: History) -> list[str]:
    """Everything that any checker found."""
    checks = (
        lost,
        phantoms,
        divergence,
        causality,
        sessions,
        repeated,
        superseded,
        leaks,
        overstated,
        unrecorded,
        repairs,
        grown,
    )
    return [f"{check.__name__}: {found}" for check in checks for found in check(mesh, history)]


def _holders(mesh: MeshOfStores, stream: str) -> list[Node]:
    return [node for node in mesh.nodes.values() if stream in node.disk.streams]


def lost(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C1: an acknowledged write is current, or a write that had read it replaced it, or it is a recorded loser."""
    recorded = losers(mesh) | history.burnt_records
    for asked in history.acknowledged():
        for dot in asked.dots:
            if dot in history.excused or dot in recorded:
                continue
            for node in _holders(mesh, asked.stream):
                received = received_by(node, asked.stream)
                if not covers(received, *dot):
                    yield f"{asked.client}:{asked.sequence} as {dot} never reached {node.region}"
                elif not _is_accounted_for(mesh, node, asked, dot, received):
                    where = f"neither current, replaced nor recorded in {node.region}"
                    yield f"{asked.client}:{asked.sequence} as {dot} is {where}"


def _is_accounted_for(mesh: MeshOfStores, node: Node, asked: Asked, dot: Dot, received: VersionVector) -> bool:
    state = node.disk.streams[asked.stream].states.get(asked.key, EMPTY)
    if any(dot in version.dots for version in state.versions):
        return True
    archive = mesh.archive[asked.stream]
    if archive[dot].is_delete:
        return True  # perhaps forgotten; that nothing is left of what it deleted is looked at elsewhere
    return is_replaced(archive, asked.key, dot, received)


def phantoms(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C2: every value was asked for."""
    invoked = {(one.stream, one.key, one.value) for one in history.asked}
    for seen in history.seen:
        for value in seen.values:
            if (seen.stream, seen.key, value) not in invoked:
                yield f"{seen.client} read {value!r} of {seen.key}, which nobody wrote"
    for node in mesh.nodes.values():
        for name, stream in node.disk.streams.items():
            for one in stream.log:
                kept = None if one.operation.is_delete else one.sealed.value
                if (name, one.operation.key, kept) not in invoked:
                    yield f"{node.region} holds {kept!r} of {one.operation.key}, which nobody wrote"


def divergence(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C3: all stores that hold a stream believe the same of every key."""
    for stream in sorted({name for node in mesh.nodes.values() for name in node.disk.streams}):
        first, *others = _holders(mesh, stream)
        for other in others:
            ours, theirs = first.disk.streams[stream].states, other.disk.streams[stream].states
            for key in sorted(ours.keys() | theirs.keys()):
                if shown(ours.get(key, EMPTY)) != shown(theirs.get(key, EMPTY)):
                    yield f"{first.region} and {other.region} differ on {stream}/{key}"


def repeated(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C7: no operation is applied twice, and where siblings are kept no client operation is two of them."""
    for node in mesh.nodes.values():
        for name, stream in node.disk.streams.items():
            applied = Counter((one.operation.origin, one.operation.seq) for one in stream.feed)
            yield from (f"{node.region} applied {dot} of {name} {n} times" for dot, n in applied.items() if n > 1)
            for key, state in stream.states.items():
                events = Counter((v.client, v.sequence, v.request) for v in state.versions if v.client)
                yield from (
                    f"{node.region} holds {event[:2]} {n} times in {key}" for event, n in events.items() if n > 1
                )


def superseded(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C6: what a write had read, it has replaced for ever: it is not current any more where that write has arrived."""
    for node in mesh.nodes.values():
        for name, stream in node.disk.streams.items():
            received = received_by(node, name)
            for key, state in stream.states.items():
                # What a lost sector took out of a snapshot has replaced nothing where only that snapshot arrived.
                archive = {dot: one for dot, one in mesh.archive.get(name, {}).items() if dot not in history.excused}
                yield from _replaced_and_there(archive, node, key, state, received)


def _replaced_and_there(
    archive: Mapping[Dot, Operation], node: Node, key: str, state: KeyState, received: VersionVector
) -> Iterator[str]:
    for dot, operation in archive.items():
        if operation.key != key or not covers(received, *dot):
            continue
        context = operation.vector()
        for version in state.versions:
            if version.is_covered(context):
                yield f"{version.name} of {key} is current in {node.region}, though {dot} replaced it"


def leaks(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C8: nothing of a stream was ever sent to, or kept in, a region that may not hold it."""
    for source, target, frame in mesh.network.carried:
        # A question names only what the asker may hold.
        for stream, _ in _carried(frame):
            if target not in mesh.nodes[source].plans[stream].regions:
                yield f"{source} told {target} of {stream}"
    for node in mesh.nodes.values():
        for stream in node.disk.streams:
            if node.region not in node.plans[stream].regions:
                yield f"{node.region} keeps {stream}"


def overstated(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C10: when a client was told that all regions hold its write, all did, or had before a disk was destroyed."""
    for asked in history.acknowledged():
        if asked.reached == "global":
            permitted = set(next(iter(mesh.nodes.values())).plans[asked.stream].regions)
            had = {region for region, dots in history.destroyed.items() if not dots.isdisjoint(asked.dots)}
            if not asked.holders_when_told | had >= permitted:
                who = f"{asked.client}:{asked.sequence}"
                yield f"{who} was called global while only {sorted(asked.holders_when_told)} held it"


def unrecorded(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C13: every transfer that carried something was counted where it left."""
    told: dict[tuple[str, str], Counter[tuple[str, int]]] = {}
    for node in mesh.nodes.values():
        for stream, region, count in node.transfers:
            told.setdefault((node.region, region), Counter())[stream, count] += 1
    for source, target, frame in mesh.network.carried:
        for stream, count in _carried(frame):
            if count and not told.get((source, target), Counter())[stream, count]:
                yield f"{source} gave {target} {count} operations of {stream}, and no record says so"


@functools.lru_cache(maxsize=8192)
def _carried(frame: bytes) -> tuple[tuple[str, int], ...]:
    """Streams that an answer tells of, and how many operations it brings."""
    try:
        answer = unpack(frame, Pulled, at_most=MAX_ANSWER)
    except FrameRefused:
        pass
    else:
        return tuple((news.stream, len(news.operations)) for news in answer.news)
    try:
        fetched = unpack(frame, Fetched, at_most=MAX_ANSWER)
    except FrameRefused:
        return ()
    entries = () if fetched.page is None else fetched.page.entries
    brought = Counter(msgspec.msgpack.decode(sealed.head)[1] for entry in entries for sealed in entry.operations)
    return tuple(brought.items())


def repairs(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """A repair without a reason is a bug made visible."""
    if history.may_repair:
        return
    for node in mesh.nodes.values():
        for _, event, facts in node.said:
            if event.startswith("this store held keys wrong"):
                yield f"{node.region} repaired {facts['keys']} keys of {facts['stream']} from {facts['peer']}"


def grown(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C12: of deletes and of what was replaced, a store keeps what somebody still needs, and no more."""
    if not history.may_forget:
        return
    for node in mesh.nodes.values():
        for name, stream in node.disk.streams.items():
            idle = idle_rows(stream, mesh.upkeep.keep_operations)
            if idle:
                yield f"{node.region} keeps {len(idle)} operations of {name} that nobody needs, such as {idle[0]}"


def idle_rows(stream: Any, keep: int) -> list[Dot]:
    """In the log, and needed by no key, no person and no feed. Deletes that wait for lost writes do not count."""
    applied = {origin: head.seq for origin, head in stream.heads.items()}
    latest = {(one.operation.origin, one.operation.seq) for one in (stream.feed[-keep:] if keep else ())}
    needed = {
        dot
        for state in stream.states.values()
        for version in state.versions
        for dot in version.dots
        if state.is_live or len(state.versions) > 1 or not includes(applied, state.context)
    }
    return [dot for dot in stream.logged() if dot not in needed and dot not in latest and dot not in stream.losses]
