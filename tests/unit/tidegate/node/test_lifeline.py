"""The socket pair between supervisor and child."""

from __future__ import annotations

import pytest

from tidegate.node import lifeline
from tidegate.node.lifeline import Accept, Beat, ChildState, Draining, Processes, Ready, Release, Reloaded, ToChild


def test_messages_cross_whole_and_in_order() -> None:
    supervisor, child = lifeline.pair()
    told: list[ToChild] = [
        Accept(1),
        Release(0),
        Draining(),
        Processes(7, [ChildState("worker", 0, None, 3, ready=False)]),
    ]
    with supervisor, child:
        for message in told:
            assert lifeline.tell(supervisor, message)
        assert [lifeline.hear_as_child(child) for _ in told] == told
        assert lifeline.tell(child, Ready())
        assert lifeline.tell(child, Reloaded(ok=False))
        assert lifeline.tell(child, Beat())
        assert [lifeline.hear_from_child(supervisor) for _ in range(3)] == [Ready(), Reloaded(ok=False), Beat()]


def test_silence_is_not_an_end() -> None:
    supervisor, child = lifeline.pair()
    with supervisor, child, pytest.raises(BlockingIOError):
        lifeline.hear_as_child(child)


def test_the_other_sides_death_is_heard_after_its_last_words() -> None:
    supervisor, child = lifeline.pair()
    with child:
        lifeline.tell(supervisor, Accept(1))
        supervisor.close()
        assert lifeline.hear_as_child(child) == Accept(1)
        assert lifeline.hear_as_child(child) is None


def test_a_child_that_stopped_reading_never_holds_up_the_supervisor() -> None:
    supervisor, child = lifeline.pair()
    with supervisor, child:
        while lifeline.tell(supervisor, Accept(1)):
            pass
        assert lifeline.hear_as_child(child) == Accept(1)


def test_telling_the_dead_is_not_an_error() -> None:
    supervisor, child = lifeline.pair()
    child.close()
    with supervisor:
        assert not lifeline.tell(supervisor, Draining())
