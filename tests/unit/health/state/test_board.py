"""Sayings that travel over boards: one that answers is enough, the newest counts, and a node speaks for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from health.state.board import MAX_PAPER_BYTES, Board, Boards, BoardUnavailable
from health.state.soft import Saying, SoftBook
from tests.harness.virtual_time import run


class Wall:
    """A board in a dictionary, which may be gone."""

    def __init__(self) -> None:
        self.papers: dict[str, bytes] = {}
        self.is_gone = False
        self.hangs = False
        self.is_closed = False

    async def exchange(self, owner: str, paper: bytes, *, life_s: float) -> Mapping[str, bytes]:
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_gone:
            raise BoardUnavailable("gone")
        self.papers[owner] = paper
        return dict(self.papers)

    async def close(self) -> None:
        self.is_closed = True


class Node:
    def __init__(self, name: str, **walls: Board) -> None:
        self.now = 0.0
        self.book = SoftBook(f"{name}/1", clock=lambda: self.now)
        self.said: list[str] = []
        self.boards = Boards(self.book, walls, say=self.said.append)

    def values(self, kind: str = "vote") -> dict[str, object]:
        return {row.key: row.value["n"] for row in self.book.rows(kind)}

    async def look(self, *names: str) -> None:
        for name in names:
            await self.boards.exchange(name)


async def test_what_one_says_the_other_reads_for_as_long_as_it_is_said() -> None:
    wall = Wall()
    one, other = Node("a", x=wall), Node("b", x=wall)
    one.book.announce("vote", "a", {"n": 1}, ttl_s=5)
    await one.look("x")
    await other.look("x")
    assert other.values() == {"a": 1}
    other.now = 4.0
    await other.look("x")  # the same again prolongs nothing
    other.now = 5.0
    assert other.values() == {}


async def test_the_newest_counts_wherever_it_hangs_and_one_board_is_enough() -> None:
    near, far = Wall(), Wall()
    one, other = Node("a", near=near, far=far), Node("b", near=near, far=far)
    one.book.announce("vote", "a", {"n": 1}, ttl_s=5)
    await one.look("near", "far")
    near.is_gone = True
    one.book.announce("vote", "a", {"n": 2}, ttl_s=5)
    await one.look("near", "far")
    near.is_gone = False
    await other.look("far", "near")
    assert other.values() == {"a": 2}, "the older paper, read later, changes nothing"


async def test_a_board_that_is_lost_is_said_once_and_once_that_it_is_back() -> None:
    wall = Wall()
    node = Node("a", x=wall)
    wall.is_gone = True
    await node.look("x", "x")
    assert node.boards.unreached == {"x": "gone"}
    wall.is_gone = False
    await node.look("x", "x")
    assert node.boards.unreached == {}
    assert node.said == ["nothing can be pinned at x, nor read there: gone", "x answers again"]


@pytest.mark.parametrize(
    "paper",
    [
        b"{",
        b"\xff\xfe",
        b'{"of": "a newer version"}',
        b"[" + b" " * MAX_PAPER_BYTES + b"]",
        msgspec.json.encode([Saying("a/1", 9, "vote", "a", {"n": 666}, 5.0)]),
    ],
    ids=["garbage", "no text", "another shape", "too large", "in another's name"],
)
async def test_a_paper_that_is_not_understood_or_not_its_owners_is_left_hanging(paper: bytes) -> None:
    wall = Wall()
    one, other = Node("a", x=wall), Node("b", x=wall)
    one.book.announce("vote", "a", {"n": 1}, ttl_s=5)
    await one.look("x")
    wall.papers = {"z/1": paper} | wall.papers
    await other.look("x")
    assert other.values() == {"a": 1}


def test_a_board_that_hangs_holds_up_no_other() -> None:
    async def scenario() -> dict[str, object]:
        hanging, wall = Wall(), Wall()
        hanging.hangs = True
        one, other = Node("a", x=hanging, y=wall), Node("b", x=hanging, y=wall)
        tasks = [asyncio.get_running_loop().create_task(node.boards.run(), name="boards") for node in (one, other)]
        await asyncio.sleep(0.5)
        one.book.announce("vote", "a", {"n": 1}, ttl_s=60)
        await asyncio.sleep(2.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return other.values()

    assert run(scenario()) == {"a": 1}


async def test_all_are_closed() -> None:
    wall = Wall()
    await Node("a", x=wall).boards.close()
    assert wall.is_closed
