"""Who writes what: chains of one client, heaps of siblings, races for a key, and probes that time the way across.

Each is a loop at its own pace, until stopped. Keys change every few seconds, so that a run has many short stories and
no key grows beyond what its collection keeps.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from chaos.mesh.plan import COLLECTIONS, PUBLIC, client_side
from chaos.traffic.history import History, Operation, Seen, Sight
from chaos.traffic.pace import stopped_within
from chaos.traffic.records import Writer
from chaos.traffic.sending import send, values_of

CHAIN_EVERY_S, HEAP_EVERY_S, RACE_EVERY_S, SIGHT_EVERY_S = 0.5, 0.5, 0.6, 1.5
KEY_LASTS_S = 3.0
"""How long a shared key is written to: about six siblings a region, of the 32 that are kept."""
LINKS_IN_A_CHAIN = 8
LOOK_EVERY_S = 0.05


@dataclass
class Clients:
    """What the loops of one region share."""

    region: str
    history: History
    session: aiohttp.ClientSession
    run: str
    rng: random.Random
    began: float
    clock: Callable[[], float] = time.monotonic

    def writer(self) -> Writer:
        return Writer(self.session, self.history, home=self.region, clock=self.clock)

    def period(self) -> int:
        return int((self.clock() - self.began) / KEY_LASTS_S)

    def other(self, collection: str) -> str:
        """Some region that may hold it, sooner another than this one."""
        others = [region for region in COLLECTIONS[collection] if region != self.region]
        return self.rng.choice(others or [self.region])


async def chain(clients: Clients, collection: str, stopping: asyncio.Event) -> None:
    """Write, read at home, read elsewhere, each with the session; sometimes delete. One key after the other."""
    name = f"{clients.run}-{clients.region}-chain-{collection}"
    writer, sequence, keys = clients.writer(), 0, 0
    while not stopping.is_set():
        keys += 1
        key, session, context = f"{clients.run}/chain/{clients.region}-{keys}", "", ""
        for place in range(1, LINKS_IN_A_CHAIN + 1):
            if await stopped_within(stopping, CHAIN_EVERY_S):
                return
            sequence += 1
            is_delete = place > 1 and clients.rng.random() < 0.15
            value = None if is_delete else _value(f"{name}:{sequence}", place, collection)
            one = Operation(f"{name}:{sequence}", collection, key, value, "chain", place)
            headers = {"Tidegate-Context": context, "Tidegate-Session": session} if context else {}
            got = await writer.until_done(one, stopping, headers=headers)
            if one.acknowledged_at is None:
                break  # its fate is open: what comes after it would be another story
            context = got.headers.get("Tidegate-Context", "")
            session = got.headers.get("Tidegate-Session", session)
            for region in (clients.region, clients.other(collection)):
                session = await _look(clients, one, name, region, session)


async def _look(clients: Clients, one: Operation, client: str, region: str, session: str) -> str:
    """Read what was just written, in any region; the session afterwards."""
    began = clients.clock()
    url = f"http://{client_side(region)}:{PUBLIC}/data/v1/{one.collection}/{one.key}"
    got = await send(clients.session, "GET", url, headers={"Tidegate-Session": session} if session else {})
    value = got.body.decode(errors="replace") if got.status == 200 else None
    clients.history.reads.append(
        Seen(
            *(client, region, one.collection, one.key, began, got.status, value, one.place, one.value is None),
            beside=values_of(got),
        )
    )
    return got.headers.get("Tidegate-Session", session) if got.status in {200, 404} else session


async def heap(clients: Clients, stopping: asyncio.Event) -> None:
    """Siblings on keys that all regions write to."""
    await _shared(clients, stopping, "notes", "heap", HEAP_EVERY_S)


async def race(clients: Clients, stopping: asyncio.Event) -> None:
    """Last write wins, on keys that all regions write to."""
    await _shared(clients, stopping, "settings", "race", RACE_EVERY_S)


async def _shared(clients: Clients, stopping: asyncio.Event, collection: str, kind: str, every_s: float) -> None:
    """An operation that waits for its answer does not hold the next one up."""
    name = f"{clients.run}-{clients.region}-{kind}"
    writer, sequence = clients.writer(), 0
    async with asyncio.TaskGroup() as group:
        while not await stopped_within(stopping, every_s):
            sequence += 1
            op_id = f"{name}:{sequence}"
            key = f"{clients.run}/{kind}/{clients.period()}"
            discipline = "heap" if kind == "heap" else "race"
            one = Operation(op_id, collection, key, _value(op_id, 0, collection), discipline)  # type: ignore[arg-type]
            group.create_task(_done(writer, one, stopping))


async def _done(writer: Writer, operation: Operation, stopping: asyncio.Event) -> None:
    await writer.until_done(operation, stopping)


async def sights(clients: Clients, stopping: asyncio.Event) -> None:
    """Write here, look there until it is seen."""
    name = f"{clients.run}-{clients.region}-sight"
    writer, sequence = clients.writer(), 0
    async with asyncio.TaskGroup() as group:
        while not await stopped_within(stopping, SIGHT_EVERY_S):
            sequence += 1
            one = Operation(
                f"{name}:{sequence}",
                "settings",
                f"{clients.run}/sight/{clients.region}-{sequence}",
                _value(f"{name}:{sequence}", 1, "settings"),
                "chain",
                1,
            )
            await writer.until_done(one, stopping)
            if one.acknowledged_at is not None:
                group.create_task(_sight(clients, one, clients.other("settings"), stopping))


async def _sight(clients: Clients, one: Operation, target: str, stopping: asyncio.Event) -> None:
    url = f"http://{client_side(target)}:{PUBLIC}/data/v1/{one.collection}/{one.key}"
    since = one.acknowledged_at or 0.0
    took: float | None = None
    wait_s = LOOK_EVERY_S
    while took is None:
        got = await send(clients.session, "GET", url)
        if got.status == 200:
            took = clients.clock() - since
        elif await stopped_within(stopping, wait_s):
            break
        wait_s = min(wait_s * 1.3, 0.5)
    clients.history.sights.append(Sight(clients.region, target, since, took))


async def trespass(clients: Clients, stopping: asyncio.Event) -> None:
    """From a region that may not hold them: personal data, offered again and again, to be refused each time."""
    name = f"{clients.run}-{clients.region}-trespass"
    writer, sequence = clients.writer(), 0
    while not await stopped_within(stopping, 1.0):
        sequence += 1
        op_id = f"{name}:{sequence}"
        one = Operation(op_id, "profiles", f"{clients.run}/trespass/{sequence}", _value(op_id, 0, "profiles"), "heap")
        clients.history.operations.append(one)
        await writer.once(one, clients.region)


def canary(run: str) -> str:
    """Stands in every personal value, and nowhere else: found in a forbidden region, something leaked."""
    return f"canary+{run}+personal"


def _value(op_id: str, place: int, collection: str) -> str:
    """Says who wrote it; personal values are marked."""
    run = op_id.partition("-")[0]
    mark = canary(run) if collection == "profiles" else "plain"
    return f"{op_id} {place} {mark}"
