"""One child of the supervisor, with a real process that does next to nothing."""

from __future__ import annotations

import os
import selectors
import signal
from pathlib import Path

import pytest

from tests.unit.tidegate.node.test_plan import PLAN
from tidegate.node import lifeline
from tidegate.node.child import Child
from tidegate.node.lifeline import Draining, Ready
from tidegate.node.plan import Orders

READY_THEN_WAIT = """
import socket, sys
from tidegate.node import lifeline
from tidegate.node.plan import decode_orders
end = socket.socket(fileno=decode_orders(sys.argv[1]).lifeline)
lifeline.tell(end, lifeline.Ready())
end.setblocking(True)
lifeline.hear_as_child(end)
sys.exit(7)
"""


@pytest.fixture
def child(tmp_path: Path) -> Child:
    (tmp_path / "toychild.py").write_text(READY_THEN_WAIT)
    made = Child("worker", 1, modules={"worker": "toychild", "control": "toychild"})
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}
    made.spawn(Orders("worker", PLAN, 1, os.getpid(), -1, {}), inherit=[], environ=environ, now=10.0)
    return made


def heard(child: Child) -> lifeline.FromChild | None:
    assert child.pipe is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.pipe, selectors.EVENT_READ)
        assert selector.select(10.0), "the child said nothing"
    return lifeline.hear_from_child(child.pipe)


def reap(child: Child) -> int:
    assert child.pid is not None
    return os.waitpid(child.pid, 0)[1]


def test_a_child_starts_says_it_is_ready_and_hears_orders(child: Child) -> None:
    assert repr(child) == "worker-1"
    assert child.pid is not None
    assert heard(child) == Ready()
    child.tell(Draining())
    assert heard(child) is None, "the end of its lifeline is the end of it"
    assert child.died(reap(child), now=11.0) == "exit code 7"
    assert [child.pid, child.pipe, child.restart_at] == [None, None, 11.0]


def test_how_it_died_is_said_and_a_second_death_waits(child: Child) -> None:
    child.signal(signal.SIGKILL)
    assert child.died(reap(child), now=11.0) == "signal SIGKILL"
    child.spawn(Orders("worker", PLAN, 1, os.getpid(), -1, {}), inherit=[], environ=os.environ, now=12.0)
    assert child.restart_at is None
    child.signal(signal.SIGKILL)
    child.died(reap(child), now=12.0)
    assert child.restart_at == 12.25


def test_a_start_that_fails_leaves_the_place_empty_and_is_tried_later() -> None:
    child = Child("worker", 0)
    orders = Orders("worker", PLAN, 0, os.getpid(), -1, {"a\0b": []})
    with pytest.raises(ValueError, match="null byte"):
        child.spawn(orders, inherit=[], environ={"a\0b": "c"}, now=1.0)
    assert [child.pid, child.pipe] == [None, None]
    assert child.failed_to_start(now=1.0) == 0.25
    assert child.restart_at == 1.25


def test_an_empty_place_can_be_told_and_signalled_without_effect() -> None:
    child = Child("control", -1)
    child.tell(Draining())
    child.signal(signal.SIGKILL)
    child.close_pipe()
    assert repr(child) == "control"
