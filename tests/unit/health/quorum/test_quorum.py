"""A majority of real files: agreed on, cut off, forgotten, restored, grown."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from health.core.rows import Conflict, StaleEpoch, Unavailable
from health.quorum import quorum as quorums
from health.quorum.acceptors import StoredAcceptor
from health.quorum.sqlite import SqliteCells
from tests.harness.quorums import Files, settled


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Files]:
    made = Files(tmp_path)
    yield made
    await made.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quorums, "PATIENCE_S", 0.5)


def counted(current: Any) -> Any:
    return (current or 0) + 1


async def test_changes_of_many_at_once_are_each_made_once(files: Files) -> None:
    one, other = files.quorum(files.wires(), "n/1"), files.quorum(files.wires(), "m/1")
    await settled(one)
    await other.look_around(may_change=False)
    for _ in range(5):
        assert {await one.change("r", counted), await other.change("r", counted)}
    assert await one.change("r", lambda current: current) == 10


async def test_a_minority_that_is_cut_off_is_not_missed_and_a_majority_is(files: Files) -> None:
    wires = files.wires()
    quorum = files.quorum(wires)
    await settled(quorum)
    wires["a"].is_cut = True
    assert await quorum.change("r", counted) == 1
    wires["b"].is_cut = True
    with pytest.raises(Unavailable, match="majority"):
        await quorum.change("r", counted)
    wires["a"].is_cut = wires["b"].is_cut = False
    assert await quorum.change("r", counted) >= 2


async def test_the_first_set_is_not_formed_without_all(files: Files) -> None:
    wires = files.wires()
    quorum = files.quorum(wires)
    wires["c"].is_cut = True
    for _ in range(10):
        await quorum.look_around(may_change=True)
    assert "c did not answer" in (quorum.trouble() or "")
    with pytest.raises(Unavailable, match="c did not answer"):
        await quorum.change("r", counted)


async def test_what_another_wrote_is_learnt_by_polling_and_what_hangs_is_settled(files: Files) -> None:
    wires = files.wires()
    writer, reader = files.quorum(wires, "n/1"), files.quorum(files.wires(), "m/1")
    await settled(writer)
    await reader.look_around(may_change=False)
    await writer.change("r", counted)
    await reader.poll()
    assert reader.learned["r"] == 1
    before = files.quorum(wires, "p/1")
    await before.look_around(may_change=False)
    cut = wires["a"], wires["b"]

    def change_then_cut(current: Any) -> Any:
        for wire in cut:
            wire.is_cut = True
        return 99

    with pytest.raises(Unavailable):
        await before.change("r", change_then_cut)
    for _ in range(5):
        await reader.poll()
    # Whether the majority that was asked had heard of it or not: now it is agreed on, or replaced for good.
    assert reader.learned["r"] in {1, 99}
    await reader.poll()
    assert reader.newest("r") == reader.learned["r"]


async def test_a_conflict_and_a_fence_are_told_as_they_are(files: Files) -> None:
    quorum = files.quorum(files.wires())
    await settled(quorum)
    await quorum.fence(5)

    def refuse(current: Any) -> Any:
        raise Conflict("no")

    with pytest.raises(Conflict):
        await quorum.change("r", refuse)
    with pytest.raises(StaleEpoch):
        await quorum.change("r", counted, epoch=4)
    with pytest.raises(StaleEpoch):
        await quorum.fence(4)
    assert await quorum.change("r", counted, epoch=5) == 1


async def test_an_acceptor_whose_file_was_lost_is_re_admitted_with_what_the_others_know(files: Files) -> None:
    wires = files.wires()
    quorum = files.quorum(wires)
    await settled(quorum)
    wires["c"].is_cut = True
    await quorum.change("r", counted)
    wires["c"].is_cut = False
    await files.stored["b"].close()
    for path in files.folder.glob("b.sqlite*"):
        path.unlink()
    files.stored["b"] = StoredAcceptor(SqliteCells(files.folder / "b.sqlite"))
    wires["b"]._acceptor = files.stored["b"]
    for _ in range(20):
        await quorum.look_around(may_change=False)
    assert quorum.view is not None
    assert quorum.view.generation > 1
    wires["a"].is_cut = True
    assert await quorum.change("r", counted) == 2


async def test_an_acceptor_restored_from_a_copy_is_told_to_forget(files: Files) -> None:
    wires = files.wires()
    quorum = files.quorum(wires)
    await settled(quorum)
    await files.stored["b"].close()
    shutil.copy(files.folder / "b.sqlite", files.folder / "copy")
    files.stored["b"] = StoredAcceptor(SqliteCells(files.folder / "b.sqlite"))
    wires["b"]._acceptor = files.stored["b"]
    await quorum.change("r", counted)
    await asyncio.sleep(0.05)
    incarnation = quorum.view.members["b"] if quorum.view else ""
    await files.stored["b"].close()
    for path in files.folder.glob("b.sqlite*"):
        path.unlink()
    shutil.copy(files.folder / "copy", files.folder / "b.sqlite")
    files.stored["b"] = StoredAcceptor(SqliteCells(files.folder / "b.sqlite"))
    wires["b"]._acceptor = files.stored["b"]
    for _ in range(20):
        await quorum.look_around(may_change=False)
    assert quorum.view is not None
    assert quorum.view.members["b"] != incarnation
    assert await quorum.change("r", counted) == 2


async def test_a_set_grows_by_one_and_keeps_what_it_knew(tmp_path: Path) -> None:
    files = Files(tmp_path, "abcd")
    three = files.quorum(files.wires("abc"))
    await settled(three)
    await three.change("r", counted)
    four = files.quorum(files.wires(), "m/1")
    await settled(four, may_change=True)
    assert await four.change("r", counted) == 2
    await files.close()
