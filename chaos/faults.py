"""The vocabulary of faults: what can be done to a mesh, each with its undoing.

    links        toxics, cut                     of a chosen set of links
    processes    kill -9 again and again, frozen of one role of a node, a whole node, or a database
    machine      full disk, wrong clock

A fault begins, is in force while traffic goes on, and ends; the rest is the experiment's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path

from chaos.mesh.admin import AdminSilent
from chaos.mesh.links import Links
from chaos.mesh.mesh import Mesh
from chaos.mesh.plan import backend_name
from chaos.toxiproxy import Direction
from chaos.traffic.history import Gone
from chaos.traffic.pace import stopped_within
from tidegate.demo.waiting import until

Fault = Callable[[Mesh], AbstractAsyncContextManager[None]]
"""In force inside the block."""
Chosen = Callable[[Links], Links]

READY_AGAIN_WITHIN_S = 30.0
BOTH: Sequence[Direction] = ("upstream", "downstream")
BALLAST = "ballast"
BREAKING = frozenset({"timeout", "reset_peer", "limit_data"})
"""Toxics by which what is behind a link cannot serve; the others make it slow."""


def nothing(mesh: Mesh) -> AbstractAsyncContextManager[None]:
    """The column that all others are compared with."""
    return _fault(_pass, _pass)


def toxic(chosen: Chosen, kind: str, *, directions: Sequence[Direction] = ("downstream",), **attributes: int) -> Fault:
    """A toxic on each of the chosen links."""

    def fault(mesh: Mesh) -> AbstractAsyncContextManager[None]:
        links = chosen(mesh.links)
        fault = _fault(lambda: links.add(kind, directions=directions, **attributes), links.clear)
        return _gone(mesh, links, fault) if kind in BREAKING else fault

    return fault


def cut(chosen: Chosen) -> Fault:
    """Connections drop, new ones are refused."""

    def fault(mesh: Mesh) -> AbstractAsyncContextManager[None]:
        links = chosen(mesh.links)
        return _gone(mesh, links, _fault(links.cut, links.restore))

    return fault


def killed_again_and_again(region: str, role: str) -> Fault:
    """`kill -9` of a node's child, and of each that replaces it once that is ready."""

    @asynccontextmanager
    async def fault(mesh: Mesh) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(_kill_loop(mesh, region, role))
            yield
            killing.cancel()

    return fault


async def _kill_loop(mesh: Mesh, region: str, role: str) -> None:
    while True:
        try:
            pid = await mesh.pid(region, role)
            os.kill(pid, signal.SIGKILL)
        except (AdminSilent, KeyError, ProcessLookupError):
            pid = None

        async def is_replaced(old: int | None = pid) -> bool:
            try:
                return await mesh.pid(region, role) != old
            except (AdminSilent, KeyError):
                return False

        await until(is_replaced, within_s=READY_AGAIN_WITHIN_S, what=f"another {role} in {region}")


def frozen(region: str, role: str) -> Fault:
    """SIGSTOP of a node's child."""

    @asynccontextmanager
    async def fault(mesh: Mesh) -> AsyncIterator[None]:
        pid = await mesh.pid(region, role)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            # Its supervisor may have ended and replaced it meanwhile: then there is nothing to thaw.
            if _is_one_of(pid, mesh.node(region).remains()):
                os.kill(pid, signal.SIGCONT)

    return fault


def _is_one_of(pid: int, pids: Sequence[int]) -> bool:
    return pid in pids


def program_killed(name: str) -> Fault:
    """`kill -9` of a program with all its processes; started again in the end."""

    async def end(mesh: Mesh) -> None:
        mesh.start_again(name)

    def fault(mesh: Mesh) -> AbstractAsyncContextManager[None]:
        async def begin() -> None:
            await asyncio.to_thread(mesh.kill, name)

        return _fault(begin, lambda: end(mesh))

    return fault


def program_frozen(*names: str) -> Fault:
    """SIGSTOP of all processes of programs: connections stay open and nobody answers."""

    def fault(mesh: Mesh) -> AbstractAsyncContextManager[None]:
        async def begin() -> None:
            for name in names:
                mesh.signal_all(name, signal.SIGSTOP)

        async def end() -> None:
            for name in names:
                mesh.signal_all(name, signal.SIGCONT)

        return _fault(begin, end)

    return fault


def disk_full(region: str) -> Fault:
    """The file system of a node's data directory is filled to the last block; in the end the ballast is thrown out."""

    def fault(mesh: Mesh) -> AbstractAsyncContextManager[None]:
        ballast = mesh.nodes[region].data_dir / BALLAST

        async def begin() -> None:
            await asyncio.to_thread(fill, ballast)

        async def end() -> None:
            ballast.unlink()

        return _fault(begin, end)

    return fault


def fill(ballast: Path) -> None:
    """Until nothing more can be written, not even a byte."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            block = b"\0" * size
            try:
                while True:
                    file.write(block)
            except OSError:
                continue  # not so much: then less


def clock_off(*offsets_s: float, each_s: float = 2.0) -> Fault:
    """The false clock jumps by these offsets, one after the other, again and again; right again in the end."""

    @asynccontextmanager
    async def fault(mesh: Mesh) -> AsyncIterator[None]:
        assert mesh.clock is not None, "a setting without a false clock"
        clock = mesh.clock

        async def jump() -> None:
            while True:
                for offset_s in offsets_s:
                    clock.offset(offset_s)
                    await asyncio.sleep(each_s)

        async with asyncio.TaskGroup() as group:
            jumping = group.create_task(jump())
            yield
            jumping.cancel()
        clock.offset(0.0)

    return fault


def together(*faults: Fault) -> Fault:
    """All at once."""

    @asynccontextmanager
    async def fault(mesh: Mesh) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for one in faults:
                await stack.enter_async_context(one(mesh))
            yield

    return fault


def in_turn(*faults: Fault, each_s: float) -> Fault:
    """One after the other, with pauses as long as they are, from the start again until it is over."""

    @asynccontextmanager
    async def fault(mesh: Mesh) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(_turns(faults, mesh, each_s, stopping))
            yield
            stopping.set()  # the one in force ends in order

    return fault


async def _turns(faults: Sequence[Fault], mesh: Mesh, each_s: float, stopping: asyncio.Event) -> None:
    for one in cycle(faults):
        async with one(mesh):
            is_over = await stopped_within(stopping, each_s)
        if is_over or await stopped_within(stopping, each_s):
            return


@asynccontextmanager
async def _gone(mesh: Mesh, links: Links, fault: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
    """The fault, and on record which backends it keeps from serving."""
    since = time.monotonic()
    try:
        async with fault:
            yield
    finally:
        until = time.monotonic()
        for plan in links.of_kind("backends").links:
            backend = backend_name(plan.target, int(plan.listen.rpartition(":")[2]))
            mesh.gone.append(Gone(backend, since, until, seen_from=plan.source))


@asynccontextmanager
async def _fault(begin: Callable[[], Awaitable[None]], end: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    await begin()
    try:
        yield
    finally:
        await end()


async def _pass() -> None:
    return
