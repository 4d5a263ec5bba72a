"""What becomes of a batch of local writes? Each is judged alone, in order, on what the ones before it left.

    prepared by the store   states, heads, what is remembered of the writers' operation ids, bodies to patch
    take(write)             -> Written or Refusal; what it decided is collected:
    to be committed         operations, states, losses, done; all of them in one transaction, or none

Every store runs this and nothing else to accept a write, so that they cannot differ. A write is refused for what it is
(412, 409, 422 ...), never for its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sync.core import merge_patch, op_ids
from sync.core.clock import Clock
from sync.core.dots import VersionVector, covers
from sync.core.merging import version_of
from sync.core.op_ids import Done, OpId
from sync.core.operation import FORMAT, GENESIS, Operation, Sealed, head_bytes, head_hash, value_hash
from sync.core.plans import CollectionPlan
from sync.core.policy import Loss, arrive, context_of_write, is_too_crowded, keeps_siblings
from sync.core.versions import EMPTY, KeyState, Version
from sync.core.writes import Refusal, Write, Written

NAMES_WHAT_IS_HERE: Final = frozenset({"resolve", "delete"})
"""Blind, they mean the versions that this store shows: a delete that left them would be none."""


@dataclass(slots=True)
class Head:
    """Where an origin's chain ends, in one stream."""

    seq: int = 0
    digest: bytes = GENESIS


@dataclass(slots=True)
class Appended:
    """An operation to be logged."""

    operation: Operation
    sealed: Sealed
    digest: bytes


@dataclass(slots=True)
class LocalBatch:
    """One batch. What the caller fetched goes in; what is to be committed comes out."""

    origin: str
    clock: Clock
    plans: Mapping[str, CollectionPlan]
    heads: dict[str, Head]
    """This origin's, by stream."""
    states: dict[tuple[str, str], KeyState]
    """Of every key that is written to, by stream and key; missing ones are empty."""
    done: dict[OpId, Done] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=dict)
    """By client."""
    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """The one live value of every key that is patched."""
    has_conflict_room: bool = True
    """Whether the conflict log may take more."""
    appended: list[Appended] = field(default_factory=list)
    changed: dict[tuple[str, str], KeyState] = field(default_factory=dict)
    losses: list[tuple[str, str, Loss]] = field(default_factory=list)
    newly_done: dict[OpId, Done] = field(default_factory=dict)

    def take(self, write: Write, *, salt: bytes, now: float) -> Written | Refusal:
        """Judge one write. `salt`: fresh chance. `now`: wall time in seconds."""
        plan = self.plans[write.stream]
        place = (write.stream, write.key)
        state = self.states.get(place, EMPTY)
        if write.op_id is not None:
            answer = self._repeated(write, write.op_id, state)
            if answer is not None:
                return answer
        refusal = _unmet(write, state, plan)
        if refusal is not None:
            return refusal
        content_type, value = write.content_type, write.value
        if write.kind == "patch":
            try:
                value = merge_patch.patched(self.bodies.get(place) if state.is_live else None, write.value)
            except merge_patch.PatchRefused as refused:
                return Refusal(422, "patch_refused", str(refused))
            content_type = "application/json"
        if write.seen_hlc and not self.clock.observe(write.seen_hlc, now=now):
            return Refusal(503, "clock_behind", "what this client has seen lies in the future of this node's clock")
        return self._commit(write, plan, state, content_type=content_type, value=value, salt=salt, now=now)

    def _commit(
        self,
        write: Write,
        plan: CollectionPlan,
        state: KeyState,
        *,
        content_type: str,
        value: bytes,
        salt: bytes,
        now: float,
    ) -> Written | Refusal:
        given = _given(write, plan, state)
        context = context_of_write(plan.conflict, state, given)
        head = self.heads.setdefault(write.stream, Head())
        operation = Operation(
            format=FORMAT,
            stream=write.stream,
            origin=self.origin,
            seq=head.seq + 1,
            previous=head.digest,
            key=write.key,
            kind="put" if write.kind == "patch" else write.kind,
            context=tuple(sorted(context.items())),
            hlc=self.clock.stamp(now=now),
            content_type=content_type,
            size=len(value),
            value_hash=value_hash(salt, content_type, value),
            client=write.op_id.client if write.op_id is not None else "",
            sequence=write.op_id.sequence if write.op_id is not None else 0,
            request=write.request if write.op_id is not None else b"",
            actor=write.actor,
            written_ms=int(now * 1000),
        )
        encoded = head_bytes(operation)
        digest = head_hash(encoded)
        version = version_of(operation, digest, with_event=keeps_siblings(plan.conflict))
        settled = arrive(plan.conflict, state, version, context)
        if is_too_crowded(state, settled.state, max_siblings=plan.max_siblings):
            detail = f"{len(state.versions)} concurrent versions, expected a write with the context of a read"
            return Refusal(409, "too_many_siblings", detail)
        if settled.losses and not self.has_conflict_room:
            return Refusal(507, "conflict_log_full", "a conflicting write while the conflict log is at max_bytes")
        head.seq, head.digest = operation.seq, digest
        place = (write.stream, write.key)
        self.states[place] = self.changed[place] = settled.state
        self.bodies[place] = value
        self.appended.append(Appended(operation, Sealed(encoded, salt, value), digest))
        self.losses.extend((write.stream, write.key, loss) for loss in settled.losses)
        status = 204 if write.kind == "delete" else 200 if state.is_live else 201
        if write.op_id is not None:
            done = Done(write.request, operation.origin, operation.seq, status)
            self.done[write.op_id] = self.newly_done[write.op_id] = done
            if not write.op_id.is_passing:
                self.highest[write.op_id.client] = max(self.highest.get(write.op_id.client, 0), write.op_id.sequence)
        return Written(status, operation.origin, operation.seq, settled.state, operation.hlc)

    def _repeated(self, write: Write, op_id: OpId, state: KeyState) -> Written | Refusal | None:
        done = self.done.get(op_id)
        seen = op_ids.judge(op_id, highest=self.highest.get(op_id.client, 0), done=done, request=write.request)
        if seen == "new":
            return None
        if seen == "same" and done is not None:
            return Written(done.status, done.origin, done.seq, state, state.hlc(), is_replay=True)
        if seen == "forgotten":
            detail = f"operation {op_id}, so far below this client's latest that nobody knows whether it was done"
            return Refusal(409, "operation_forgotten", f"{detail}; read the key, then send it under a new id")
        what = "an Idempotency-Key" if op_id.is_key else f"operation id {op_id}"
        return Refusal(422, "operation_id_reused", f"{what} that was used for another request, expected a new one")


def entity_tag(state: KeyState) -> str:
    """The ETag of a key, without quotes: equal exactly where the live versions are; empty when there is none."""
    return "+".join([version.name for version in state.versions if not version.is_deleted])


def _given(write: Write, plan: CollectionPlan, state: KeyState) -> VersionVector | None:
    """What the write is known to have read; None for a blind one."""
    if write.kind == "patch":
        return state.context
    if write.context is None and (write.if_match is not None or write.kind in NAMES_WHAT_IS_HERE):
        return state.context  # it was judged against, and a patch merged into, exactly this state
    if write.context is None and plan.primary is not None and not state.is_conflicted:
        return state.context  # one region takes all writes, one after the other: each follows the last
    return write.context


def _unmet(write: Write, state: KeyState, plan: CollectionPlan) -> Refusal | None:  # noqa: PLR0911 - a rule each
    """What the write demands of the key, and the key does not fulfil."""
    if write.must_be_absent and state.is_live:
        return Refusal(412, "precondition_failed", f"the key exists as {entity_tag(state)}, expected none")
    if write.if_match is not None and not _matches(write.if_match, state):
        found = entity_tag(state) or "no such key"
        return Refusal(412, "precondition_failed", f"{found}, expected {', '.join(write.if_match)}")
    if write.kind == "resolve" and not state.is_conflicted:
        return Refusal(409, "not_in_conflict", "one version, expected a key with concurrent ones")
    if write.kind == "patch" and len(_live(state)) > 1:
        return Refusal(409, "in_conflict", "a patch of a key with concurrent versions, expected a whole value")
    if write.needs_context and write.context is None and plan.conflict == "manual" and state.is_conflicted:
        return Refusal(409, "in_conflict", "a blind write to a key that waits for a person, expected its context")
    if write.kind == "delete" and write.context is None and not state.is_live:
        return Refusal(404, "no_such_key", "no value under this key")
    return None


def _matches(tags: tuple[str, ...], state: KeyState) -> bool:
    current = entity_tag(state)
    return current != "" and ("*" in tags or current in tags)


def _live(state: KeyState) -> list[Version]:
    return [version for version in state.versions if not version.is_deleted]


def is_known(state: KeyState, origin: str, seq: int) -> bool:
    """Whether a key has seen this write."""
    return covers(state.context, origin, seq)
