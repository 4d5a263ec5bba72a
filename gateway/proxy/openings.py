"""May one more connection to this service be opened now, or is another likely to come back first?

    no idle connection ──> opens one, as long as few are opened in this turn of the loop
       └─ lines up ──> in the next turns: a connection that has come back, or one of the next openings

Opening costs as much as five requests do. A burst that opens one each holds up the very answers whose connections it
could have had; so opening is spread over turns of the loop. Where nothing comes back, turns follow each other at once,
and nobody has waited (docs/decisions/0065).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from gateway.core.bulkhead import Bulkhead
from gateway.proxy.roles import Waiter

OPENINGS_A_TURN: Final = 32
"""Of one service. Connections that came back since the last turn count among them: then there is less to open for."""


class Openings:
    """One service's, on one data plane."""

    __slots__ = ("_bulkhead", "_call_soon", "_freed", "_is_counting", "_left", "_line")

    def __init__(
        self,
        bulkhead: Bulkhead[Waiter],
        *,
        call_soon: Callable[[Callable[[], None]], object],
        freed: Callable[[], None],
    ) -> None:
        """`freed` is told that a connection may be free which nobody in line has taken."""
        self._bulkhead = bulkhead
        self._call_soon = call_soon
        self._freed = freed
        self._is_counting = False
        """Whether `_next_turn` is to come."""
        self._left = OPENINGS_A_TURN
        self._line: deque[Callable[[], None]] = deque()

    @property
    def has_line(self) -> bool:
        """Whether requests wait for connections that may come back: whoever comes now goes behind them."""
        return bool(self._line)

    def may_open(self, again: Callable[[], None]) -> bool:
        """Whether to open one in this turn of the loop; False: `again` is called when its turn has come."""
        if not self._left:
            self.line_up(again)
            return False
        self._left -= 1
        self._count_turn()
        return True

    def line_up(self, again: Callable[[], None]) -> None:
        """Call `again` as soon as there may be a connection; until then it counts like one being opened."""
        self._bulkhead.opening += 1
        self._line.append(again)
        self._count_turn()

    def _count_turn(self) -> None:
        if not self._is_counting:
            self._is_counting = True
            self._call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._is_counting = False
        self._left = OPENINGS_A_TURN
        line, bulkhead = self._line, self._bulkhead
        while line and (self._left or bulkhead.idle):
            waiting, idle = len(line), bulkhead.idle
            bulkhead.opening -= 1
            line.popleft()()
            if bulkhead.idle < idle and self._left:
                self._left -= 1
            if len(line) >= waiting:
                break  # what is idle is of no use to it
        if line:
            self._count_turn()
        self._freed()
