"""What a child does once its supervisor is dead."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

from tests.harness.node import ports
from tidegate.demo.waiting import until
from tidegate.node import lifeline, sockets
from tidegate.node.handover import DataDirSockets, Held, ask, socket_name
from tidegate.node.lifeline import Accept, Beat, Draining, Ready, ToChild
from tidegate.node.logs import Log
from tidegate.node.orphanhood import Lifeline
from tidegate.node.plan import Address


async def test_orders_are_heard_and_answers_told(tmp_path: Path) -> None:
    ours, theirs = lifeline.pair()
    orders: list[ToChild] = []
    directory = DataDirSockets(tmp_path)
    child = Lifeline(theirs.detach(), directory=directory, on_order=orders.append, held=dict, log=Log(lambda _: None))
    lifeline.tell(ours, Accept(1))
    lifeline.tell(ours, Draining())
    await until(lambda: len(orders) == 2, within_s=5, what="two orders")
    assert orders == [Accept(1), Draining()]
    child.tell(Ready())
    assert lifeline.hear_from_child(ours) == Ready()
    child.close()
    ours.close()
    directory.close()


async def test_a_child_beats_for_as_long_as_somebody_listens(tmp_path: Path) -> None:
    ours, theirs = lifeline.pair()
    directory = DataDirSockets(tmp_path)
    child = Lifeline(
        theirs.detach(), directory=directory, on_order=lambda order: None, held=dict, log=Log(lambda _: None)
    )
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(child.beat(every_s=0.001), name="beat")
        heard = 0
        while heard < 3:
            await asyncio.sleep(0)
            with contextlib.suppress(BlockingIOError):
                assert lifeline.hear_from_child(ours) == Beat()
                heard += 1
        ours.close()
    assert child.is_orphan
    child.close()
    directory.close()


async def test_an_orphan_says_so_and_hands_its_sockets_to_whoever_comes(tmp_path: Path) -> None:
    ours, theirs = lifeline.pair()
    lines: list[dict[str, Any]] = []
    directory = DataDirSockets(tmp_path)
    with sockets.listen(Address("public", "127.0.0.1", ports(1)[0], "")) as listening:
        child = Lifeline(
            theirs.detach(),
            directory=directory,
            on_order=lambda order: None,
            held=lambda: {Held("public", 0): listening.fileno()},
            log=Log(lines.append),
        )
        assert not child.is_orphan
        ours.close()
        await until(lambda: child.is_orphan, within_s=5, what="orphaned")
        assert "the supervisor is gone" in lines[0]["event"]
        received = await asyncio.to_thread(ask, directory, os.getpid())
        [taken] = received.values()
        assert taken.getsockname() == listening.getsockname()
        taken.close()
    child.close()
    assert socket_name(os.getpid()) not in directory.names()
    directory.close()
