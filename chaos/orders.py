"""What an operator does to a running mesh: no fault, and yet nobody may notice."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from chaos.faults import Fault
from chaos.mesh.admin import AdminSilent
from chaos.mesh.mesh import Mesh
from chaos.mesh.plan import BACKENDS, SERVICES, backend_name, endpoint
from chaos.traffic.history import Gone
from tidegate.demo.waiting import until

DRAINED_WITHIN_S, ORDERED_WITHIN_S = 20.0, 60.0


def drained(region: str) -> Fault:
    """One of a region's backends is drained in every service, until that is finished everywhere, and taken back."""

    @asynccontextmanager
    async def fault(mesh: Mesh) -> AsyncIterator[None]:
        port = BACKENDS[0]
        at, backend = mesh.nodes[region], backend_name(region, port)
        endpoints = [endpoint(region, port, service=service) for service in SERVICES]
        ordered = time.monotonic()
        for of in endpoints:
            await agreed(lambda of=of: mesh.admin.drain(at, of, over="1s", deadline="5s"), f"the drain of {of}")  # type: ignore[misc]

        async def is_finished() -> bool:
            try:
                states = [(await mesh.admin.drained(at, of))["state"] for of in endpoints]
            except AdminSilent:
                return False
            return states == ["drained"] * len(endpoints)

        await until(is_finished, within_s=DRAINED_WITHIN_S, what=f"the end of the drain of {backend}")
        since = time.monotonic()
        yield
        mesh.drained.append((backend, since, time.monotonic()))
        for of in endpoints:
            await agreed(lambda of=of: mesh.admin.undrain(at, of), f"the undrain of {of}")  # type: ignore[misc]
        mesh.gone.append(Gone(backend, ordered, time.monotonic()))

    return fault


async def agreed(order: Callable[[], Awaitable[object]], what: str, *, within_s: float = ORDERED_WITHIN_S) -> None:
    """An order that is refused for now, or finds no majority in time, is given again, as an operator would."""

    async def is_taken() -> bool:
        try:
            await order()
        except AdminSilent:
            return False
        return True

    await until(is_taken, within_s=within_s, every_s=1.0, what=what)
