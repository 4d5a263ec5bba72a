"""What the agreed state of a mesh must do, whatever the acceptors' memories are kept in: rows, fences, freezing.

Each check gets two nodes over one set of acceptors that holds nothing yet. `CONTRACT` has them by name.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from health.core.rows import Conflict, StaleEpoch, Unavailable
from health.quorum.acceptors import Acceptor
from health.quorum.quorum import Quorum
from health.state.agreed import AgreedStore
from health.state.embedded import EmbeddedStore
from tests.harness.quorums import Switched, settled


class Member:
    """One node: its quorum over acceptors that can be cut off, its copy, its store."""

    def __init__(self, name: str, acceptors: Mapping[str, Acceptor], *, folder: Path) -> None:
        self.wires = {place: Switched(acceptor) for place, acceptor in acceptors.items()}
        self.quorum = Quorum(self.wires, run=f"{name}/1", rng=random.Random(name))
        self.path = folder / f"{name}-copy.sqlite"
        copy = EmbeddedStore(self.path, owner=f"{name}/1", clock=lambda: 0.0)
        self.store = AgreedStore(self.quorum, copy)

    def cut(self, *, is_cut: bool) -> None:
        """So many wires that no majority is left."""
        for wire in list(self.wires.values())[: len(self.wires) // 2 + 1]:
            wire.is_cut = is_cut


async def met(one: Member, other: Member) -> None:
    """Until both know the set of acceptors."""
    await settled(one.quorum)
    await other.quorum.look_around(may_change=False)


async def check_hearing(one: Member, other: Member) -> None:
    row = await one.store.put("drain", "eu", {"over_s": 60}, expected=0)
    assert one.store.row("drain", "eu") == row
    assert await other.store.fresh("drain", "eu") == row
    await one.store.put("drain", "us", {}, expected=0)
    seen = other.store.revision
    await other.store.catch_up()
    assert await other.store.changed(seen) > seen
    assert [found.key for found in other.store.rows("drain")] == ["eu", "us"]
    await one.store.delete("drain", "eu", expected=1)
    await other.store.catch_up()
    assert [found.key for found in other.store.rows("drain")] == ["us"]
    assert other.store.frozen() is None


async def check_comparing(one: Member, other: Member) -> None:
    await one.store.put("drain", "eu", {}, expected=0)
    await other.store.put("drain", "eu", {"n": 2}, expected=1)
    with pytest.raises(Conflict) as refused:
        await one.store.put("drain", "eu", {"n": 3}, expected=1)
    assert refused.value.current is not None
    assert refused.value.current.value == {"n": 2}


async def check_fencing(one: Member, other: Member) -> None:
    await one.store.put("decision", "1", {}, expected=0, epoch=1)
    await other.store.raise_fence(2)
    with pytest.raises(StaleEpoch):
        await one.store.put("decision", "2", {}, expected=0, epoch=1)
    with pytest.raises(StaleEpoch):
        await one.store.raise_fence(1)
    assert (await other.store.put("decision", "2", {}, expected=0, epoch=2)).epoch == 2


async def check_freezing(one: Member, other: Member) -> None:
    await one.store.put("drain", "eu", {}, expected=0)
    one.cut(is_cut=True)
    await one.store.catch_up()
    assert one.store.frozen() is not None
    with pytest.raises(Unavailable):
        await one.store.put("drain", "us", {}, expected=0)
    assert [row.key for row in one.store.rows("drain")] == ["eu"]
    await other.store.put("drain", "asia", {}, expected=0)
    one.cut(is_cut=False)
    await one.store.catch_up()
    assert one.store.frozen() is None
    assert [row.key for row in one.store.rows("drain")] == ["asia", "eu"], "what was decided meanwhile"
    await one.store.put("drain", "us", {}, expected=None)


async def check_outliving(one: Member, other: Member) -> None:
    await one.store.put("drain", "eu", {}, expected=0, epoch=3)
    again = EmbeddedStore(one.path, owner="n/2", clock=lambda: 0.0)
    assert [row.key for row in again.rows("drain")] == ["eu"]
    assert (again.fence, again.troubles()) == (3, ())
    await again.close()


async def check_containing(one: Member, other: Member, *, value: object, reason: str) -> None:
    await one.quorum.change("row drain eu", lambda current: value)
    await other.store.put("drain", "us", {}, expected=0)
    await other.store.catch_up()
    assert [row.key for row in other.store.rows("drain")] == ["us"]
    assert reason in str(other.store.troubles()[0])
    with pytest.raises(Unavailable, match=reason):
        await other.store.put("drain", "eu", {}, expected=None)


async def check_future_epoch(one: Member, other: Member) -> None:
    future = {"row": {"kind": "role", "key": "primary", "value": {}, "version": 1, "epoch": 1000}, "by": "x"}
    await one.quorum.change("row role primary", lambda current: future)
    await other.store.catch_up()
    with pytest.raises(StaleEpoch, match="1000"):
        await other.store.put("role", "primary", {}, expected=1, epoch=3)
    assert (await other.store.put("role", "other", {}, expected=0, epoch=3)).epoch == 3
    assert (await other.store.put("role", "primary", {"by": "a person"}, expected=1)).version == 2
    assert (await other.store.put("role", "primary", {}, expected=2, epoch=1000)).version == 3


def _row(**more: object) -> dict[str, object]:
    return {"row": {"kind": "drain", "key": "eu", "value": {}, "version": 1, **more}, "by": "x"}


Check = Callable[[Member, Member], Awaitable[None]]

CONTRACT: Mapping[str, Check] = {
    "what one node decides the other hears": check_hearing,
    "of two who decide from one version one is told": check_comparing,
    "an older leader is refused by all stores once a newer fenced them": check_fencing,
    "without a majority decisions freeze, and what was decided stays": check_freezing,
    "the copy is there after a restart without anybody": check_outliving,
    "a row with a future epoch stops the leader at that row only, and a person can put it right": check_future_epoch,
} | {
    f"a row that is not understood is contained: {name}": functools.partial(
        check_containing, value=value, reason=reason
    )
    for name, value, reason in [
        ("corrupt", "nonsense", "found what is not understood"),
        ("newer version", _row(format=2), "a newer version"),
        ("impossible epoch", _row(epoch=-1), "sane"),
        ("epoch that no leader reaches", _row(epoch=10**18), "sane"),
    ]
}
