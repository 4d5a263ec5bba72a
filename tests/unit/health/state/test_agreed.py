"""The state of a mesh, over acceptors in real files: two nodes, a restart, no majority, a newer version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from health.core.rows import Conflict, StaleEpoch, Unavailable
from health.quorum import quorum as quorums
from health.state.agreed import AgreedStore
from health.state.embedded import EmbeddedStore
from tests.harness.quorums import Files, Switched, settled


class Node:
    def __init__(self, files: Files, name: str) -> None:
        self.wires: dict[str, Switched] = files.wires()
        self.quorum = files.quorum(self.wires, f"{name}/1")
        self.path = files.folder / f"{name}-copy.sqlite"
        copy = EmbeddedStore(self.path, owner=f"{name}/1", clock=lambda: 0.0)
        self.store = AgreedStore(self.quorum, copy)


@pytest.fixture
async def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Node, Node]]:
    monkeypatch.setattr(quorums, "PATIENCE_S", 0.5)
    files = Files(tmp_path)
    one, other = Node(files, "n"), Node(files, "m")
    await settled(one.quorum)
    await other.quorum.look_around(may_change=False)
    yield one, other
    await one.store.close()
    await other.store.close()
    await files.close()


async def test_what_one_node_decides_the_other_hears(two: tuple[Node, Node]) -> None:
    one, other = two
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


async def test_of_two_who_decide_from_one_version_one_is_told(two: tuple[Node, Node]) -> None:
    one, other = two
    await one.store.put("drain", "eu", {}, expected=0)
    await other.store.put("drain", "eu", {"n": 2}, expected=1)
    with pytest.raises(Conflict) as refused:
        await one.store.put("drain", "eu", {"n": 3}, expected=1)
    assert refused.value.current is not None
    assert refused.value.current.value == {"n": 2}


async def test_an_older_leader_is_refused_by_all_stores_once_a_newer_fenced_them(two: tuple[Node, Node]) -> None:
    one, other = two
    await one.store.put("decision", "1", {}, expected=0, epoch=1)
    await other.store.raise_fence(2)
    with pytest.raises(StaleEpoch):
        await one.store.put("decision", "2", {}, expected=0, epoch=1)
    assert (await other.store.put("decision", "2", {}, expected=0, epoch=2)).epoch == 2


async def test_without_a_majority_decisions_freeze_and_what_was_decided_stays(two: tuple[Node, Node]) -> None:
    one, _ = two
    await one.store.put("drain", "eu", {}, expected=0)
    one.wires["a"].is_cut = one.wires["b"].is_cut = True
    await one.store.catch_up()
    assert one.store.frozen() is not None
    with pytest.raises(Unavailable):
        await one.store.put("drain", "us", {}, expected=0)
    assert [row.key for row in one.store.rows("drain")] == ["eu"]
    one.wires["a"].is_cut = one.wires["b"].is_cut = False
    await one.store.catch_up()
    assert one.store.frozen() is None
    await one.store.put("drain", "us", {}, expected=None)


async def test_the_copy_is_there_after_a_restart_without_anybody(two: tuple[Node, Node]) -> None:
    one, _ = two
    await one.store.put("drain", "eu", {}, expected=0, epoch=3)
    again = EmbeddedStore(one.path, owner="n/2", clock=lambda: 0.0)
    assert [row.key for row in again.rows("drain")] == ["eu"]
    assert (again.fence, again.troubles()) == (3, ())
    await again.close()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nonsense", "found what is not understood"),
        ({"row": {"kind": "drain", "key": "eu", "value": {}, "version": 1, "format": 2}, "by": "x"}, "a newer version"),
        ({"row": {"kind": "drain", "key": "eu", "value": {}, "version": 1, "epoch": -1}, "by": "x"}, "sane"),
        ({"row": {"kind": "drain", "key": "eu", "value": {}, "version": 1, "epoch": 10**18}, "by": "x"}, "sane"),
    ],
    ids=["corrupt", "newer version", "impossible epoch", "epoch that no leader reaches"],
)
async def test_a_row_that_is_not_understood_is_contained(two: tuple[Node, Node], value: object, reason: str) -> None:
    one, other = two
    await one.quorum.change("row drain eu", lambda current: value)
    await other.store.put("drain", "us", {}, expected=0)
    await other.store.catch_up()
    assert [row.key for row in other.store.rows("drain")] == ["us"]
    assert reason in str(other.store.troubles()[0])
    with pytest.raises(Unavailable, match=reason):
        await other.store.put("drain", "eu", {}, expected=None)


async def test_a_row_with_a_future_epoch_stops_the_leader_at_that_row_only_and_a_person_can_put_it_right(
    two: tuple[Node, Node],
) -> None:
    one, other = two
    future = {"row": {"kind": "role", "key": "primary", "value": {}, "version": 1, "epoch": 1000}, "by": "x"}
    await one.quorum.change("row role primary", lambda current: future)
    await other.store.catch_up()
    with pytest.raises(StaleEpoch, match="1000"):
        await other.store.put("role", "primary", {}, expected=1, epoch=3)
    assert (await other.store.put("role", "other", {}, expected=0, epoch=3)).epoch == 3
    assert (await other.store.put("role", "primary", {"by": "a person"}, expected=1)).version == 2
    assert (await other.store.put("role", "primary", {}, expected=2, epoch=1000)).version == 3
