"""Where nodes that keep their state in one place pin what they say of themselves, and read what others pinned.

    every second, on every board:   exchange(owner, mine, life)  ->  what all others pinned and whose life has not ended

A board is a Redis server or a table of PostgreSQL. Where there are several, one that answers is enough: of what one
node said the highest sequence counts (`SoftBook`), wherever it hung. Soft state only, as with gossip (health/peering):
nobody's decision waits for a board, and what is not pinned again is taken down.

The board's own clock takes down what is old; how long a saying lives here is counted by this node's clock alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from health.state.soft import Saying, SoftBook

EVERY_S = 1.0
LIFE_S = 5.0
"""On the board: four rounds in a row may fail. A reader that has just started may hear the dead for so long."""
MAX_PAPERS = 2000
"""Nodes that one reader listens to; the same bound as there is for the sayings of one node."""
MAX_PAPER_BYTES = 1024 * 1024


class BoardUnavailable(Exception):
    """It does not answer. Whether something was pinned is not known, and does not matter."""


class Board(Protocol):
    """One place."""

    async def exchange(self, owner: str, paper: bytes, *, life_s: float) -> Mapping[str, bytes]:
        """Pin `paper` in place of what `owner` had pinned; what hangs there, by owner. Raises `BoardUnavailable`."""
        ...

    async def close(self) -> None: ...


class Boards:
    """All boards of one node."""

    def __init__(
        self,
        book: SoftBook,
        boards: Mapping[str, Board],
        *,
        every_s: float = EVERY_S,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        """`boards` by the names under which people know them."""
        self._book = book
        self._boards = boards
        self._every_s = every_s
        self._say = say
        self.unreached: dict[str, str] = {}
        """Boards that did not answer the last time, and why."""

    async def run(self) -> None:
        """Until cancelled; a board that hangs holds up no other."""
        async with asyncio.TaskGroup() as group:
            for name in self._boards:
                group.create_task(self._run(name), name=f"board {name}")

    async def _run(self, name: str) -> None:
        while True:
            await self.exchange(name)
            await asyncio.sleep(self._every_s)

    async def exchange(self, name: str) -> None:
        """Once, with one of them."""
        paper = msgspec.json.encode(self._book.mine())
        try:
            hanging = await self._boards[name].exchange(self._book.owner, paper, life_s=LIFE_S)
        except BoardUnavailable as error:
            if name not in self.unreached:
                self._say(f"nothing can be pinned at {name}, nor read there: {error}")
            self.unreached[name] = str(error)
            return
        if self.unreached.pop(name, None) is not None:
            self._say(f"{name} answers again")
        for owner, found in list(hanging.items())[:MAX_PAPERS]:
            self._book.hear(_read(owner, found))

    async def close(self) -> None:
        for board in self._boards.values():
            await board.close()


def _read(owner: str, paper: bytes) -> list[Saying]:
    """A node speaks for itself only. What a newer or a broken program pinned is left hanging."""
    if len(paper) > MAX_PAPER_BYTES:
        return []
    try:
        sayings = msgspec.json.decode(paper, type=list[Saying])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    return [one for one in sayings if one.owner == owner]
