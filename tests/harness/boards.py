"""What every board must do, wherever it hangs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from health.state.board import Board, BoardUnavailable
from tidegate.demo.waiting import until


async def check_board(make: Callable[[str], Board]) -> None:
    """`make` gives a board of the mesh with that name, all on one empty server."""
    one, other, foreign = make("mesh"), make("mesh"), make("another mesh")
    assert await one.exchange("a/1", b"1", life_s=60) == {"a/1": b"1"}
    assert await other.exchange("b/1", b"\x00\xff", life_s=60) == {"a/1": b"1", "b/1": b"\x00\xff"}
    assert await one.exchange("a/1", b"2", life_s=60) == {"a/1": b"2", "b/1": b"\x00\xff"}
    assert await foreign.exchange("c/1", b"3", life_s=60) == {"c/1": b"3"}
    await other.exchange("b/1", b"ends", life_s=0.2)

    async def is_taken_down() -> bool:
        return await one.exchange("a/1", b"4", life_s=60) == {"a/1": b"4"}

    await until(is_taken_down, within_s=10, what="what is not pinned again is taken down")
    for board in (one, other, foreign):
        await board.close()


async def check_return(board: Board, *, die: Callable[[], None], start: Callable[[], None]) -> None:
    """The server dies and starts again: said at once, and pinned again through the same board."""
    await board.exchange("a/1", b"1", life_s=60)
    die()
    with pytest.raises(BoardUnavailable):
        await board.exchange("a/1", b"2", life_s=60)
    start()

    async def is_pinned() -> bool:
        try:
            return (await board.exchange("a/1", b"3", life_s=60))["a/1"] == b"3"
        except BoardUnavailable:
            return False

    await until(is_pinned, within_s=20, what="it is pinned again")
    await board.close()
