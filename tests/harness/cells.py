"""What every memory of an acceptor must do, whatever it is kept in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from health.core.acceptor import (
    Accept,
    Accepted,
    Answer,
    Done,
    Inspect,
    Install,
    Prepare,
    Promise,
    Raise,
    Refusal,
    Request,
    Scan,
    Shown,
)
from health.core.lease import REGISTER as LEASE
from health.quorum.acceptors import Acceptor, StoredAcceptor
from health.quorum.cells import Cells
from tidegate.demo.waiting import until


async def check_contract(cells: Cells) -> None:
    """From an empty memory."""
    nothing = await cells.load(None, everything=True)
    assert (nothing.meta, nothing.registers) == (None, {})
    assert await cells.swap(None, b"one", {"a b": b"1", "ä": b"\x00\xff"})
    assert not await cells.swap(None, b"other", {})
    assert not await cells.swap(b"other", b"two", {"a b": b"9"})
    one = await cells.load("a b", everything=False)
    assert (one.meta, one.registers) == (b"one", {"a b": b"1"})
    assert (await cells.load("none", everything=False)).registers == {}
    assert await cells.swap(b"one", b"two", {"a b": None, "c": b"3"})
    everything = await cells.load(None, everything=True)
    assert (everything.meta, everything.registers) == (b"two", {"ä": b"\x00\xff", "c": b"3"})
    outcomes = await asyncio.gather(*(cells.swap(b"two", b"%d" % number, {"c": b"%d" % number}) for number in range(8)))
    assert sum(outcomes) == 1
    after = await cells.load("c", everything=False)
    assert after.meta == after.registers["c"]


@contextlib.asynccontextmanager
async def listening(cells: Cells) -> AsyncIterator[list[None]]:
    """The hints that have come; one is there from the start."""
    heard: list[None] = []
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cells.listen(lambda: heard.append(None)), name="listening")
        await until(lambda: len(heard) == 1, within_s=10, what="it listens, and looks at what was before")
        yield heard
        task.cancel()


async def check_hints(writer: Cells, reader: Cells) -> None:
    """From an empty memory: who listens is told of rows, and not of leases. Both are of one memory."""
    async with listening(reader) as heard:
        assert await writer.swap(None, b"one", {})
        assert await writer.swap(b"one", b"two", {LEASE: b"1"})
        assert await writer.swap(b"two", b"three", {"row drain region/eu": b"1"})
        await until(lambda: len(heard) > 1, within_s=10, what="a hint has come")
        assert await writer.swap(b"three", b"four", {"row drain region/eu": None})
        await until(lambda: len(heard) > 2, within_s=10, what="another one")
        assert len(heard) == 3, "one each, and none of a lease"


async def check_acceptor(cells: Cells) -> str:
    """From an empty memory: a member that has accepted. Its incarnation."""
    return await check_answers(StoredAcceptor(cells))


async def check_answers(acceptor: Acceptor) -> str:
    """What every acceptor must answer, wherever it is. From an empty memory; its incarnation, holding {"v": 1}."""

    async def ask(request: Request) -> Answer:
        return await acceptor.ask(request, timeout_s=5.0)

    fresh = await ask(Inspect())
    assert isinstance(fresh, Done)
    name = fresh.about.incarnation
    assert isinstance(await ask(Prepare(1, name, "r", (1, "x"))), Refusal), "who belongs to no set abstains"
    assert isinstance(await ask(Install("a", 1, {"a": name}, {}, 0)), Done)
    assert isinstance(await ask(Prepare(1, "another", "r", (1, "x"))), Refusal), "it was meant for another memory"
    assert isinstance(await ask(Prepare(1, name, "r", (2, "x"))), Promise)
    assert isinstance(await ask(Accept(1, name, "r", (1, "x"), {"v": 0})), Refusal), "it has promised a higher ballot"
    assert isinstance(await ask(Accept(1, name, "r", (2, "x"), {"v": 1}, 3)), Accepted)
    assert isinstance(await ask(Raise(1, name, 4)), Done)
    refused = [await ask(Prepare(1, name, "r", (3, "x"), 3)), await ask(Accept(1, name, "r", (3, "x"), {"v": 2}, 3))]
    assert [one.reason for one in refused if isinstance(one, Refusal)] == ["epoch", "epoch"]
    held = await ask(Scan("", -1))
    assert isinstance(held, Shown)
    assert (held.about.fence, held.is_whole, held.registers["r"].value) == (4, True, {"v": 1})
    return name


async def shown(cells: Cells) -> Shown:
    return await shown_by(StoredAcceptor(cells))


async def shown_by(acceptor: Acceptor) -> Shown:
    answer = await acceptor.ask(Scan("", -1), timeout_s=5.0)
    assert isinstance(answer, Shown)
    return answer
