"""What becomes of operations that another store sends? Verified, then applied, held, or told to be known already.

    chain      seq follows the head and `previous` names it      else ChainBroken: a gap, a fork, or my own future
    value      hashes to what the head says                      else Malformed: damaged on the way, pull it again;
                                                                 when that is no use, held as quarantined (`poison`)
    known      its dot is covered                                -> duplicate, costs nothing
    future     stamped beyond the allowed skew                   -> held until the clock gets there
    later      written in a format of a later version            -> held until this store is upgraded
    behind     an earlier write of its origin to its key is held -> held with it: only that key waits
    else                                                         -> applied

Held operations are received, logged and passed on, but not visible. Hence two vectors: `received` drives pulling,
`applied` alone drives sessions, the stable cut and comparison. What is quarantined is applied once another store gives
a sound copy of it, or skipped, once an operator gives it up: then it counts as applied and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sync.core.clock import Clock
from sync.core.dots import Dot, VersionVector
from sync.core.local_batch import Appended, Head
from sync.core.merging import version_of
from sync.core.op_ids import Done, OpId
from sync.core.operation import (
    FORMAT,
    Malformed,
    Operation,
    Sealed,
    decode_head,
    decode_stored,
    dot_of,
    head_hash,
    verify_value,
    without_value,
)
from sync.core.plans import CollectionPlan
from sync.core.policy import Loss, arrive, keeps_siblings
from sync.core.versions import EMPTY, KeyState

HoldReason = Literal["future", "later_version", "behind", "quarantined", "skipped"]
Verdict = Literal["applied", "held", "duplicate"]


class ChainBroken(Exception):
    """An operation that does not continue what is known of its origin. `kind` says what to do about it.

    gap         something between is missing: ask again from the head
    fork        another operation already has this dot, or follows another past: the origin's store was restored
                without a new incarnation, or tampered with; nothing more is taken from this origin, and people are told
    own_future  this very store is said to have written it, and does not know it: it lost memory, and needs a new
                incarnation before it writes again
    """

    def __init__(self, kind: Literal["gap", "fork", "own_future"], origin: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.origin = origin


class Poisonous(Malformed):
    """An operation whose head is sound and goes on from what is known of its origin, with a value that is not its."""

    def __init__(self, detail: str, dot: Dot) -> None:
        super().__init__(detail)
        self.dot = dot


@dataclass(frozen=True, slots=True)
class ReceiptProblem:
    """The operation at which a batch stopped."""

    kind: Literal["gap", "fork", "own_future", "malformed"]
    index: int
    origin: str
    """As far as it can be read."""
    detail: str
    poison: Dot | None = None
    """The operation itself, where its head is sound and goes on from what is known: it could be held alone."""


@dataclass(frozen=True, slots=True)
class Held:
    """An operation that is received but not applied."""

    appended: Appended
    reason: HoldReason
    visible_at: float | None
    """Wall time from which the clock no longer forbids it."""


@dataclass(slots=True)
class ArrivalBatch:
    """One batch of one stream. What the caller fetched goes in; what is to be committed comes out."""

    stream: str
    own_origin: str
    clock: Clock
    plan: CollectionPlan
    heads: dict[str, Head]
    """Received, by origin."""
    states: dict[str, KeyState]
    """By key; of every key in the batch."""
    held_keys: set[tuple[str, str]] = field(default_factory=set)
    """(origin, key) of everything that is held, and not skipped."""
    done: dict[OpId, Done] = field(default_factory=dict)
    """Of the operation ids in the batch."""
    appended: list[Appended] = field(default_factory=list)
    """Applied."""
    held: list[Held] = field(default_factory=list)
    """To be written down; also what is held already, and for another reason now."""
    changed: dict[str, KeyState] = field(default_factory=dict)
    losses: list[tuple[str, Loss]] = field(default_factory=list)
    newly_done: dict[OpId, Done] = field(default_factory=dict)

    def take_all(
        self,
        operations: Sequence[Sealed],
        *,
        now: float,
        heads: Sequence[Operation] = (),
        poison: Collection[Dot] = (),
    ) -> tuple[dict[Verdict, int], ReceiptProblem | None]:
        """Up to the first fault: counts by verdict, and why the rest was not taken.

        `heads`: what `readable_heads` made of them, where the caller has read them already. `poison`: those to be held
        as quarantined.
        """
        counts: dict[Verdict, int] = {"applied": 0, "held": 0, "duplicate": 0}
        for index, sealed in enumerate(operations):
            try:
                head = heads[index] if index < len(heads) else None
                counts[self.take(sealed, now=now, head=head, poison=poison)] += 1
            except ChainBroken as broken:
                return counts, ReceiptProblem(broken.kind, index, broken.origin, str(broken))
            except Poisonous as poisonous:
                dot = poisonous.dot
                return counts, ReceiptProblem("malformed", index, dot[0], str(poisonous), poison=dot)
            except Malformed as fault:
                return counts, ReceiptProblem("malformed", index, _claimed_origin(sealed), str(fault))
        return counts, None

    def take(
        self, sealed: Sealed, *, now: float, head: Operation | None = None, poison: Collection[Dot] = ()
    ) -> Verdict:
        """Judge one operation. Raises ChainBroken or Malformed, and then has taken nothing of it."""
        operation = decode_stored(sealed.head) if head is None else head
        is_later = operation.format > FORMAT
        if operation.stream != self.stream:
            raise Malformed(f"an operation of stream {operation.stream!r}, expected {self.stream!r}")
        digest = head_hash(sealed.head)
        if not self._continues(operation, digest):
            return "duplicate"
        dot = operation_dot(operation)
        reason: HoldReason | None = "quarantined" if dot in poison else None
        if not is_later:
            try:
                verify_value(operation, sealed)
            except Malformed as fault:
                if reason is None:
                    raise Poisonous(str(fault), dot) from None
                sealed = without_value(sealed)
        self.heads[operation.origin] = Head(operation.seq, digest)
        appended = Appended(operation, sealed, digest)
        reason = reason or self._hold_reason(operation, is_later=is_later, now=now)
        if reason is None:
            self.apply(appended, now=now)
            return "applied"
        self.held_keys.add((operation.origin, operation.key))
        visible_at = self.clock.visible_at(operation.hlc) if reason == "future" else None
        self.held.append(Held(appended, reason, visible_at))
        return "held"

    def release_all(
        self, waiting: Iterable[tuple[Appended, str]], *, now: float, sound: Mapping[Dot, Sealed] = {}
    ) -> None:
        """Apply what nothing holds any more. `waiting`: what is held with its reason, by origin in order, and not
        skipped; `sound`: copies of what is quarantined, from another store."""
        blocked: set[tuple[str, str]] = set()
        for held, reason in waiting:
            place = (held.operation.origin, held.operation.key)
            one = self._mended(held, sound) if reason == "quarantined" else held
            if one is None:
                blocked.add(place)
            elif place in blocked or not self.release(one, now=now):
                blocked.add(place)
                if reason == "quarantined":
                    self.held.append(Held(one, "behind", None))

    def _mended(self, held: Appended, sound: Mapping[Dot, Sealed]) -> Appended | None:
        """What is quarantined, by another store's copy of it; None where that is none.

        It may be the head that was damaged here. The next of its origin would tell; where none has come, a copy that
        follows the same past is as good.
        """
        copy, known = sound.get(operation_dot(held.operation)), held.operation
        if copy is None:
            return None
        digest, head = head_hash(copy.head), self.heads.get(known.origin, Head())
        try:
            operation = decode_head(copy.head)
            verify_value(operation, copy)
        except Malformed:
            return None
        if digest != held.digest:
            is_last = (head.seq, head.digest) == (known.seq, held.digest)
            if not is_last or operation.previous != known.previous or operation.stream != self.stream:
                return None
            self.heads[known.origin] = Head(known.seq, digest)
        return Appended(operation, copy, digest)

    def release(self, appended: Appended, *, now: float) -> bool:
        """Apply what was held, when nothing holds it any more. In the order of sequences, per origin."""
        operation = appended.operation
        if operation.format > 1 or not self.clock.may_adopt(operation.hlc, now=now):
            return False
        self.apply(appended, now=now)
        return True

    def apply(self, appended: Appended, *, now: float) -> None:
        """Make it visible."""
        operation = appended.operation
        self.clock.observe(operation.hlc, now=now)
        version = version_of(operation, appended.digest, with_event=keeps_siblings(self.plan.conflict))
        state = self.states.get(operation.key, EMPTY)
        settled = arrive(self.plan.conflict, state, version, operation.vector(), alias=self._alias_of(operation))
        self.states[operation.key] = self.changed[operation.key] = settled.state
        self.appended.append(appended)
        self.losses.extend((operation.key, loss) for loss in settled.losses)
        if operation.client:
            op_id = OpId(operation.client, operation.sequence)
            if op_id not in self.done:
                status = 204 if operation.is_delete else 200
                done = Done(operation.request, operation.origin, operation.seq, status)
                self.done[op_id] = self.newly_done[op_id] = done

    def _continues(self, operation: Operation, digest: bytes) -> bool:
        """Whether it is the next of its origin; False when it is known. Raises ChainBroken."""
        origin, head = operation.origin, self.heads.get(operation.origin, Head())
        if operation.seq <= head.seq:
            if operation.seq == head.seq and digest != head.digest:
                raise ChainBroken("fork", origin, f"two operations {operation.seq} of {origin}")
            return False
        if origin == self.own_origin:
            detail = f"operation {operation.seq} of this store, which remembers {head.seq}"
            raise ChainBroken("own_future", origin, detail)
        if operation.seq != head.seq + 1:
            detail = f"operation {operation.seq} of {origin}, expected {head.seq + 1}"
            raise ChainBroken("gap", origin, detail)
        if operation.previous != head.digest:
            detail = f"operation {operation.seq} of {origin} follows another past than the one known here"
            raise ChainBroken("fork", origin, detail)
        return True

    def _hold_reason(self, operation: Operation, *, is_later: bool, now: float) -> HoldReason | None:
        if (operation.origin, operation.key) in self.held_keys:
            return "behind"
        if is_later:
            return "later_version"
        if not self.clock.may_adopt(operation.hlc, now=now):
            return "future"
        return None

    def _alias_of(self, operation: Operation) -> Dot | None:
        if not operation.client or not keeps_siblings(self.plan.conflict):
            return None
        done = self.done.get(OpId(operation.client, operation.sequence))
        if done is None or done.request != operation.request or (done.origin, done.seq) == operation_dot(operation):
            return None
        return (done.origin, done.seq)


def readable_heads(operations: Iterable[Sealed]) -> list[Operation]:
    """What a batch will ask about, up to the first that cannot be read: that one is met again when it is taken."""
    heads = []
    for sealed in operations:
        try:
            heads.append(decode_stored(sealed.head))
        except Malformed:
            break
    return heads


def _claimed_origin(sealed: Sealed) -> str:
    try:
        return dot_of(sealed.head)[0]
    except Malformed:
        return ""


def operation_dot(operation: Operation) -> Dot:
    return (operation.origin, operation.seq)


def applied_vector(received: Mapping[str, int], held: Mapping[str, int]) -> VersionVector:
    """Up to where everything is visible. `held`: by origin, the lowest sequence that is held."""
    applied = {}
    for origin, seq in received.items():
        visible = min(seq, held[origin] - 1) if origin in held else seq
        if visible:
            applied[origin] = visible
    return applied
