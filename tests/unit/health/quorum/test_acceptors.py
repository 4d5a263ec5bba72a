"""An acceptor over a memory that others change too, that is newer, or that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import pytest

from health.core.acceptor import Accept, Accepted, Done, Inspect, Install, Meta, Prepare, Promise
from health.quorum.acceptors import TRIES, Silent, StoredAcceptor
from health.quorum.cells import CellsUnavailable, Held


class Memory:
    """Cells in a dictionary."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.meta: bytes | None = None
        self.busy = 0
        self.is_gone = False

    async def load(self, register: str | None, *, everything: bool) -> Held:
        if self.is_gone:
            raise CellsUnavailable("the disk is gone")
        await asyncio.sleep(0)
        return Held(self.meta, {name: one for name, one in self.held.items() if everything or name == register})

    async def swap(self, expected: bytes | None, meta: bytes, changes: Mapping[str, bytes | None]) -> bool:
        if self.busy:
            self.busy -= 1
            return False
        if self.meta != expected:
            return False
        self.meta = meta
        for name, value in changes.items():
            if value is None:
                self.held.pop(name, None)
            else:
                self.held[name] = value
        return True

    async def listen(self, hint: Callable[[], None]) -> None: ...

    async def close(self) -> None: ...


async def member(memory: Memory) -> tuple[StoredAcceptor, str]:
    acceptor = StoredAcceptor(memory)
    name = (await acceptor.ask(Inspect())).about.incarnation
    assert isinstance(await acceptor.ask(Install("a", 1, {"a": name}, {}, 0)), Done)
    return acceptor, name


async def test_two_who_change_one_memory_at_once_are_both_answered_in_turn() -> None:
    memory = Memory()
    acceptor, name = await member(memory)
    answers = await asyncio.gather(*(acceptor.ask(Prepare(1, name, f"r{number}", (1, "x"))) for number in range(5)))
    assert all(isinstance(answer, Promise) for answer in answers)
    assert len(memory.held) == 5


async def test_a_memory_that_is_always_busy_is_given_up() -> None:
    memory = Memory()
    acceptor, name = await member(memory)
    memory.busy = TRIES - 1
    assert isinstance(await acceptor.ask(Prepare(1, name, "r", (1, "x"))), Promise)
    memory.busy = TRIES
    with pytest.raises(Silent, match="found others changing it"):
        await acceptor.ask(Accept(1, name, "r", (1, "x"), "v"))
    assert isinstance(await acceptor.ask(Accept(1, name, "r", (1, "x"), "v")), Accepted)


async def test_a_memory_that_does_not_answer_is_silence() -> None:
    memory = Memory()
    acceptor, _ = await member(memory)
    memory.is_gone = True
    with pytest.raises(Silent, match="the disk is gone"):
        await acceptor.ask(Inspect())


async def test_a_memory_of_a_newer_version_is_left_alone() -> None:
    memory = Memory()
    memory.meta = msgspec.json.encode(Meta("x", format=9))
    before = memory.meta
    with pytest.raises(Silent, match="found a memory of format 9"):
        await StoredAcceptor(memory).ask(Inspect())
    assert memory.meta == before


async def test_a_damaged_description_begins_a_new_incarnation_without_the_old_registers() -> None:
    memory = Memory()
    acceptor, name = await member(memory)
    await acceptor.ask(Prepare(1, name, "r", (1, "x")))
    memory.meta = b"{"
    about = (await acceptor.ask(Inspect())).about
    assert (about.generation, about.incarnation != name, memory.held) == (0, True, {})
