"""When a change may go out."""

from __future__ import annotations

from tidegate.node.core.coalesce import WINDOW_S, Coalescer


def test_nothing_is_due_while_nothing_changed() -> None:
    assert Coalescer().due is None


def test_the_first_change_after_quiet_is_due_at_once() -> None:
    coalescer = Coalescer()
    coalescer.changed(now=5.0)
    assert coalescer.due == 5.0


def test_quiet_comes_back() -> None:
    coalescer = Coalescer()
    coalescer.changed(now=5.0)
    coalescer.sent(now=5.0)
    assert coalescer.due is None


def test_after_quiet_it_is_at_once_again() -> None:
    coalescer = Coalescer()
    coalescer.changed(now=5.0)
    coalescer.sent(now=5.0)
    coalescer.changed(now=9.0)
    assert coalescer.due == 9.0


def test_changes_within_the_window_go_together_at_its_end() -> None:
    coalescer = Coalescer()
    coalescer.changed(now=5.0)
    coalescer.sent(now=5.0)
    coalescer.changed(now=5.01)
    coalescer.changed(now=5.09)
    assert coalescer.due == 5.0 + WINDOW_S


def test_a_steady_stream_of_changes_never_postpones_what_is_due() -> None:
    coalescer = Coalescer()
    coalescer.changed(now=0.0)
    coalescer.sent(now=0.0)
    for step in range(1, 10):
        coalescer.changed(now=step / 100)
        assert coalescer.due == WINDOW_S
