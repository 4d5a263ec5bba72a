"""How old is what clients bring back? By a wall clock whose jumps are followed only when they have lasted.

    wall - monotonic   moves by little    followed at once: the clock is being slewed
                       jumps              not followed, until it has stayed there for `PATIENCE_S`

A clock that a bad time server sets an hour ahead would make every sticky cookie look expired, and all sessions move at
once; a minute later it is right again. A clock that was wrong at the start and is corrected is followed in the end.
Only for what nothing but convenience hangs on: credentials expire by the wall clock as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

JUMP_S: Final = 2.0
"""A step beyond this is a jump; slewing moves half a millisecond a second."""
PATIENCE_S: Final = 600.0
"""How long a jump must last: longer than people need to notice a bad time server, shorter than most cookies live."""


class SteadyWall:
    """Unix time in seconds."""

    __slots__ = ("_jump", "_jumped_at", "_now", "_offset", "_wall")

    def __init__(self, wall: Callable[[], float], now: Callable[[], float]) -> None:
        """`now` is monotonic."""
        self._wall = wall
        self._now = now
        self._offset = wall() - now()
        self._jump = self._offset
        """Where the clock has jumped to, from `_jumped_at` on; where it is while it has not."""
        self._jumped_at = 0.0

    def __call__(self) -> float:
        now = self._now()
        offset = self._wall() - now
        if abs(offset - self._offset) <= JUMP_S:
            self._offset = self._jump = offset
        elif abs(offset - self._jump) > JUMP_S:
            self._jump, self._jumped_at = offset, now
        elif now - self._jumped_at >= PATIENCE_S:
            self._offset = self._jump = offset
        return now + self._offset
