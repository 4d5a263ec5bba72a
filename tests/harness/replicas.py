"""A store of one stream in memory, around the very batches that real stores run: for tests that need many, fast."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from sync.core.arrivals import ArrivalBatch, Verdict
from sync.core.clock import Clock
from sync.core.dots import VersionVector, origin_name
from sync.core.local_batch import Appended, Head, LocalBatch
from sync.core.op_ids import Done, OpId
from sync.core.operation import Sealed
from sync.core.plans import CollectionPlan
from sync.core.policy import ConflictPolicy, Loss
from sync.core.versions import EMPTY, KeyState
from sync.core.writes import Refusal, Write, Written

STREAM = "notes"
SKEW_S = 0.5


def plan(conflict: ConflictPolicy = "vector_clock", **changes: Any) -> CollectionPlan:
    facts: dict[str, Any] = {
        "name": STREAM,
        "residency_class": "note",
        "conflict": conflict,
        "resolver": None,
        "max_siblings": 32,
        "regions": ("eu", "us", "ap"),
        "is_here": True,
        "mode": "async",
        "write_level": "local",
        "read_level": "local",
        "primary": None,
        "is_encrypted": False,
        "importance": 0,
    }
    return CollectionPlan(**{**facts, **changes})


class Replica:
    """One store. Salts are made from a counter, so that runs repeat."""

    def __init__(self, region: str, plan_of: CollectionPlan, *, incarnation: str = "aaaa") -> None:
        self.origin = origin_name(region, "store", incarnation)
        self.plan = plan_of
        self.clock = Clock(max_skew_s=SKEW_S)
        self.heads: dict[str, Head] = {}
        self.states: dict[str, KeyState] = {}
        self.log: dict[str, list[Appended]] = {}
        self.held: list[Appended] = []
        self.held_keys: set[tuple[str, str]] = set()
        self.done: dict[OpId, Done] = {}
        self.highest: dict[str, int] = {}
        self.losses: dict[tuple[str, int], Loss] = {}
        self._salts = 0

    def state(self, key: str = "k") -> KeyState:
        return self.states.get(key, EMPTY)

    def values(self, key: str = "k") -> set[bytes]:
        """Live values of a key."""
        dots = {version.dot for version in self.state(key).versions if not version.is_deleted}
        return {
            one.sealed.value
            for chain in self.log.values()
            for one in chain
            if (one.operation.origin, one.operation.seq) in dots
        }

    def vector(self) -> VersionVector:
        return {origin: head.seq for origin, head in self.heads.items() if head.seq}

    def write(self, value: bytes = b"", *, now: float, key: str = "k", **asked: Any) -> Written | Refusal:
        asked.setdefault("kind", "put")
        write = Write(stream=STREAM, key=key, value=value, **asked)
        own = self.heads.get(self.origin, Head())
        batch = LocalBatch(
            origin=self.origin,
            clock=self.clock,
            plans={STREAM: self.plan},
            heads={STREAM: Head(own.seq, own.digest)},
            states={(STREAM, key): self.state(key)},
            done=dict(self.done),
            highest=dict(self.highest),
            bodies=dict.fromkeys([(STREAM, key)], next(iter(self.values(key)), b"")),
        )
        self._salts += 1
        salt = hashlib.sha256(f"{self.origin} {self._salts}".encode()).digest()[:16]
        result = batch.take(write, salt=salt, now=now)
        self.heads[self.origin] = batch.heads[STREAM]
        self.log.setdefault(self.origin, []).extend(batch.appended)
        self.states.update({key: state for (_, key), state in batch.changed.items()})
        self.losses.update({loss.loser.dot: loss for _, _, loss in batch.losses})
        self.done.update(batch.newly_done)
        self.highest.update(batch.highest)
        return result

    def arrivals(self) -> ArrivalBatch:
        return ArrivalBatch(
            stream=STREAM,
            own_origin=self.origin,
            clock=self.clock,
            plan=self.plan,
            heads={origin: Head(head.seq, head.digest) for origin, head in self.heads.items()},
            states=dict(self.states),
            held_keys=set(self.held_keys),
            done=dict(self.done),
        )

    def receive(self, operations: Iterable[Sealed], *, now: float) -> list[Verdict]:
        """One batch; what raises changes nothing."""
        batch = self.arrivals()
        verdicts = [batch.take(sealed, now=now) for sealed in operations]
        self._commit(batch)
        return verdicts

    def release(self, *, now: float) -> int:
        """Apply what the clock holds back no more."""
        batch = self.arrivals()
        self.held.sort(key=lambda one: (one.operation.origin, one.operation.seq))
        waiting = [one for one in self.held if not batch.release(one, now=now)]
        released = len(self.held) - len(waiting)
        self.held = waiting
        batch.held_keys = {(one.operation.origin, one.operation.key) for one in waiting}
        self._commit(batch)
        return released

    def _commit(self, batch: ArrivalBatch) -> None:
        self.heads, self.states = batch.heads, batch.states
        for one in [*batch.appended, *(held.appended for held in batch.held)]:
            chain = self.log.setdefault(one.operation.origin, [])
            if all(known.digest != one.digest for known in chain):
                chain.append(one)
        self.held.extend(held.appended for held in batch.held)
        self.held_keys = batch.held_keys
        self.losses.update({loss.loser.dot: loss for _, loss in batch.losses})
        self.done.update(batch.newly_done)

    def missing(self, have: VersionVector) -> list[Sealed]:
        """What a peer with these heads lacks, each origin's in order."""
        found: list[Sealed] = []
        for origin in sorted(self.log):
            chain = sorted(self.log[origin], key=lambda one: one.operation.seq)
            found.extend(one.sealed for one in chain if one.operation.seq > have.get(origin, 0))
        return found

    def pull_from(self, other: Replica, *, now: float, at_most: int | None = None) -> None:
        self.receive(other.missing(self.vector())[:at_most], now=now)
