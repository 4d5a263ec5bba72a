"""A region that is on its own, and whose sync process is killed the moment that it has acknowledged a write (C10).

    cut off ── write ── acknowledged ── kill -9 ── back ── read ── write ── ...

Nobody else has the write: what is there afterwards can only have come from the store's own disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from chaos.faults import Fault, cut
from chaos.mesh.admin import AdminSilent
from chaos.mesh.mesh import Mesh
from chaos.mesh.plan import PUBLIC, address
from chaos.traffic.history import Survival
from chaos.traffic.records import DONE
from chaos.traffic.sending import new_session, send
from tidegate.demo.waiting import NotInTimeError, until

READABLE_WITHIN_S = 30.0
COLLECTION = "settings"


def killed(region: str) -> Fault:
    """Again and again, while the region is cut off from the others."""

    @asynccontextmanager
    async def fault(mesh: Mesh) -> AsyncIterator[None]:
        alone = cut(lambda links: links.around(region).of_kind("peers"))
        async with alone(mesh), asyncio.TaskGroup() as group:
            stopping = asyncio.Event()
            group.create_task(_again_and_again(mesh, region, stopping))
            yield
            stopping.set()  # the last one is read before the region meets the others again

    return fault


async def _again_and_again(mesh: Mesh, region: str, stopping: asyncio.Event) -> None:
    url = f"http://{address(region)}:{PUBLIC}/data/v1/{COLLECTION}"
    async with new_session() as session:
        while not stopping.is_set():
            key = value = f"sworn/{region}-{time.monotonic()}"
            with contextlib.suppress(AdminSilent, KeyError, ProcessLookupError):
                pid = await mesh.pid(region, "sync")
                got = await send(session, "PUT", f"{url}/{key}", body=value.encode())
                if got.status in DONE:
                    os.kill(pid, signal.SIGKILL)
                    found = await _read(session, f"{url}/{key}")
                    mesh.survivals.append(Survival(key, value, region, found))
                    continue
            await asyncio.sleep(0.1)


async def _read(session: aiohttp.ClientSession, url: str) -> str | None:
    """What the region answers once it answers."""
    found: list[str | None] = []

    async def is_answered() -> bool:
        got = await send(session, "GET", url)
        if got.status in {200, 404}:
            found[:] = [got.body.decode(errors="replace") if got.status == 200 else None]
        return bool(found)

    with contextlib.suppress(NotInTimeError):
        await until(is_answered, within_s=READABLE_WITHIN_S, every_s=0.05, what="the store to be back")
    return found[0] if found else None
