"""How a burst gets its connections: few opened in a turn of the loop, and those first that come back."""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.bulkhead import Bulkhead
from gateway.proxy.openings import OPENINGS_A_TURN, Openings
from gateway.proxy.roles import Waiter


class Scene:
    def __init__(self, *, max_connections: int = 1 << 30) -> None:
        self.soon: list[Callable[[], None]] = []
        self.freed = 0
        self.bulkhead: Bulkhead[Waiter] = Bulkhead(max_connections=max_connections)
        self.openings = Openings(self.bulkhead, call_soon=self.soon.append, freed=self._count)

    def _count(self) -> None:
        self.freed += 1

    def turn(self) -> None:
        """One turn of the loop."""
        soon, self.soon[:] = list(self.soon), []
        for call in soon:
            call()


class Waiting:
    """Requests that want a connection, and take one that came back before one is opened."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.opened = self.reused = 0

    def ask(self) -> None:
        bulkhead = self.scene.bulkhead
        if bulkhead.idle:
            bulkhead.idle -= 1
            bulkhead.in_use += 1
            self.reused += 1
        elif self.scene.openings.may_open(self.ask):
            bulkhead.opening += 1
            self.opened += 1

    def come_back(self, count: int) -> None:
        self.scene.bulkhead.idle += count


def test_one_that_finds_no_connection_opens_one_at_once() -> None:
    scene = Scene()
    waiting = Waiting(scene)
    for _ in range(OPENINGS_A_TURN):
        waiting.ask()
    assert waiting.opened == OPENINGS_A_TURN


def test_of_a_burst_only_so_many_open_in_a_turn_and_all_do_in_the_turns_after_it() -> None:
    scene = Scene()
    waiting = Waiting(scene)
    for _ in range(2 * OPENINGS_A_TURN + 1):
        waiting.ask()
    assert (waiting.opened, scene.openings.has_line) == (OPENINGS_A_TURN, True)
    scene.turn()
    assert (waiting.opened, scene.openings.has_line) == (2 * OPENINGS_A_TURN, True)
    scene.turn()
    assert (waiting.opened, scene.openings.has_line) == (2 * OPENINGS_A_TURN + 1, False)
    scene.turn()
    assert scene.soon == []  # whoever has nothing to wait for is not called


def test_connections_that_come_back_are_taken_and_count_among_the_openings() -> None:
    scene = Scene()
    waiting = Waiting(scene)
    for _ in range(4 * OPENINGS_A_TURN):
        waiting.ask()
    waiting.come_back(5)
    scene.turn()
    assert (waiting.opened, waiting.reused) == (2 * OPENINGS_A_TURN - 5, 5)
    waiting.come_back(OPENINGS_A_TURN + 7)
    scene.turn()
    assert (waiting.opened, waiting.reused) == (2 * OPENINGS_A_TURN - 5, OPENINGS_A_TURN + 12)


def test_what_is_in_line_counts_like_a_connection_being_opened() -> None:
    scene = Scene(max_connections=OPENINGS_A_TURN + 1)
    waiting = Waiting(scene)
    for _ in range(OPENINGS_A_TURN + 1):
        waiting.ask()
    assert waiting.opened == OPENINGS_A_TURN
    assert not scene.bulkhead.enter()


def test_whoever_waits_at_the_limit_is_told_when_one_has_left_the_line() -> None:
    scene = Scene(max_connections=1)
    scene.openings.line_up(lambda: None)
    assert (scene.bulkhead.may_connect(), scene.freed) == (False, 0)
    scene.turn()
    assert (scene.bulkhead.may_connect(), scene.freed) == (True, 1)


def test_idle_connections_that_are_of_no_use_keep_nobody_busy_within_a_turn() -> None:
    scene = Scene()
    asked = 0

    def elsewhere() -> None:
        nonlocal asked
        asked += 1
        if scene.openings.may_open(elsewhere):
            scene.bulkhead.opening += 1

    for _ in range(3 * OPENINGS_A_TURN):
        elsewhere()
    scene.bulkhead.idle = 1
    asked = 0
    scene.turn()
    assert asked == OPENINGS_A_TURN + 1
