from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.core.dots import VersionVector
from sync.core.merging import apply, join
from sync.core.op_ids import OpId
from sync.core.policy import ConflictPolicy
from sync.core.versions import EMPTY, Version
from tests.harness.replicas import Replica, plan

REGIONS = ("eu", "us", "ap")


@dataclass
class Naive:
    """What a history means, by sets of events and nothing clever."""

    past: dict[bytes, set[bytes]] = field(default_factory=dict)
    order: dict[bytes, tuple[int, str, int]] = field(default_factory=dict)
    deleted: set[bytes] = field(default_factory=set)

    def maximal(self) -> set[bytes]:
        superseded = set().union(*self.past.values()) if self.past else set()
        return set(self.past) - superseded

    def live(self, policy: ConflictPolicy) -> set[bytes]:
        remaining = self.maximal()
        if policy == "last_write_wins" and remaining:
            remaining = {max(remaining, key=self.order.__getitem__)}
        return remaining - self.deleted


Step = tuple[Literal["read", "blind", "aware", "delete", "pull", "pull_some"], int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["read", "blind", "aware", "delete", "pull", "pull_some"]),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=40,
)


@dataclass
class World:
    """Three stores, what each client has read, and the naive account of it."""

    policy: ConflictPolicy
    replicas: list[Replica]
    naive: Naive = field(default_factory=Naive)
    seen: list[set[bytes]] = field(default_factory=lambda: [set(), set(), set()])
    """Events that each store has received."""
    read: list[tuple[VersionVector, set[bytes]]] = field(default_factory=lambda: [({}, set())] * 3)
    now: float = 1000.0

    def run(self, history: list[Step]) -> None:
        for kind, at, other in history:
            self.now += 0.0004
            if kind == "read":
                state = self.replicas[at].state()
                self.read[at] = (state.context, set(self.seen[at]))
            elif kind in {"pull", "pull_some"}:
                self.pull(at, other, None if kind == "pull" else 1)
            else:
                self.write(kind, at)

    def write(self, kind: str, at: int) -> None:
        replica = self.replicas[at]
        name = f"{at}-{len(self.naive.past)}".encode()
        asked: dict[str, Any] = {"kind": "delete" if kind == "delete" else "put"}
        # Under last_write_wins a blind write supersedes what its store holds.
        supersedes = set(self.seen[at]) if self.policy == "last_write_wins" else set()
        if kind != "blind":
            vector, events = self.read[at]
            asked["context"], supersedes = vector, events
        result = replica.write(name, now=self.now, **asked)
        sealed = replica.log[replica.origin][-1]
        assert result.status in {200, 201, 204}
        closed = set(supersedes).union(*(self.naive.past[event] for event in supersedes))
        self.naive.past[name] = closed
        self.naive.order[name] = (sealed.operation.hlc, replica.origin, sealed.operation.seq)
        if kind == "delete":
            self.naive.deleted.add(name)
        self.seen[at].add(name)

    def pull(self, at: int, other: int, at_most: int | None) -> None:
        self.replicas[at].pull_from(self.replicas[other], now=self.now, at_most=at_most)
        known = self.replicas[at].vector()
        for replica in self.replicas:
            for one in replica.log.get(replica.origin, []):
                if one.operation.seq <= known.get(replica.origin, 0):
                    self.seen[at].add(one.sealed.value)

    def quiesce(self) -> None:
        for _ in range(2):
            for at in range(3):
                for other in range(3):
                    self.pull(at, other, None)


def world(policy: ConflictPolicy) -> World:
    return World(policy, [Replica(region, plan(policy, max_siblings=1000)) for region in REGIONS])


@pytest.mark.parametrize("policy", ["vector_clock", "last_write_wins", "manual", "custom"])
@given(history=steps)
@settings(max_examples=150, deadline=None)
def test_stores_that_have_seen_the_same_agree_with_each_other_and_with_the_naive_account(
    policy: ConflictPolicy, history: list[Step]
) -> None:
    mesh = world(policy)
    mesh.run(history)
    mesh.quiesce()
    first, second, third = mesh.replicas
    assert first.state() == second.state() == third.state()
    assert first.values() == mesh.naive.live(policy)


@given(history=steps)
@settings(max_examples=150, deadline=None)
def test_every_version_that_lost_by_the_clock_is_recorded_somewhere(history: list[Step]) -> None:
    mesh = world("last_write_wins")
    mesh.run(history)
    mesh.quiesce()
    recorded = {dot for replica in mesh.replicas for dot in replica.losses}
    for event in mesh.naive.maximal() - mesh.naive.live("last_write_wins") - mesh.naive.deleted:
        _, origin, seq = mesh.naive.order[event]
        assert (origin, seq) in recorded or (origin, seq) == mesh.replicas[0].state().versions[0].dot


@given(history=steps)
@settings(max_examples=150, deadline=None)
def test_joining_states_is_commutative_associative_and_idempotent(history: list[Step]) -> None:
    mesh = world("vector_clock")
    mesh.run(history)
    one, two, three = (replica.state() for replica in mesh.replicas)
    assert join(one, one) == one
    assert join(one, two) == join(two, one)
    assert join(join(one, two), three) == join(one, join(two, three))
    together = join(join(one, two), three)
    mesh.quiesce()
    assert together == mesh.replicas[0].state()


alias_steps = st.lists(
    st.tuples(st.sampled_from(["send", "write", "pull"]), st.integers(0, 2), st.integers(0, 2)), max_size=25
)


@given(history=alias_steps)
@settings(max_examples=300, deadline=None)
def test_an_operation_sent_to_several_regions_is_one_version_wherever_it_was_sent(
    history: list[tuple[str, int, int]],
) -> None:
    mesh = [Replica(region, plan("vector_clock", max_siblings=1000)) for region in REGIONS]
    now, overwritten, was_sent = 1000.0, False, False
    for kind, at, other in history:
        now += 0.001
        if kind == "send":
            mesh[at].write(b"sent", now=now, op_id=OpId("desk", 1), request=b"same")
            was_sent = True
        elif kind == "write":
            overwritten = overwritten or b"sent" in mesh[at].values()
            mesh[at].write(b"over", now=now, context=mesh[at].state().context)
        else:
            mesh[at].pull_from(mesh[other], now=now)
    for _ in range(2):
        for at in range(3):
            for other in range(3):
                mesh[at].pull_from(mesh[other], now=now)
    for replica in mesh:
        sent = [version for version in replica.state().versions if version.client == "desk"]
        assert len(sent) == (1 if was_sent and not overwritten else 0)
    united = join(join(mesh[0].state(), mesh[1].state()), mesh[2].state())
    assert {version.client for version in united.versions} == {version.client for version in mesh[0].state().versions}


def version(origin: str, seq: int, **changes: Any) -> Version:
    return Version(
        origin=f"{origin}:s000.aaaa",
        seq=seq,
        hlc=100 + seq,
        mark=b"markmark",
        is_deleted=False,
        content_type="text/plain",
        size=1,
        written_ms=0,
        **changes,
    )


def test_a_write_replaces_what_it_had_read_and_stands_beside_what_it_had_not() -> None:
    first, second = version("eu", 1), version("us", 1)
    both = apply(apply(EMPTY, first, {}), second, {})
    assert both.versions == (first, second)
    third = version("eu", 2)
    assert apply(both, third, {"us:s000.aaaa": 1}).versions == (first, third)
    assert apply(both, third, both.context).versions == (third,)


def test_what_was_seen_before_changes_nothing() -> None:
    first = version("eu", 1)
    state = apply(EMPTY, first, {})
    assert apply(state, first, {}) is state
    over = apply(state, version("us", 1), state.context)
    assert apply(over, first, {}) is over


def test_a_late_alias_of_what_was_overwritten_does_not_come_back() -> None:
    first = version("eu", 1, client="desk", sequence=1, request=b"r")
    over = apply(apply(EMPTY, first, {}), version("us", 1), {"eu:s000.aaaa": 1})
    again = version("ap", 1, client="desk", sequence=1, request=b"r")
    assert apply(over, again, {}, alias=first.dot).versions == over.versions
