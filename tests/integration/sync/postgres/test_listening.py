from __future__ import annotations

import asyncio
import time
from typing import Any

from sync.cipher import Cipher
from sync.postgres.listening import Listening
from sync.postgres.server import Server
from sync.postgres.views import Views
from sync.wakeups import Wakeups
from tests.harness.postgres import PostgresServer
from tests.integration.sync.postgres.conftest import Node
from tests.integration.sync.store_contract import NOTES, put, wrote
from tidegate.demo.waiting import until

WITHIN_S = 30.0


async def test_a_hint_arrives_where_it_was_not_made(server: PostgresServer) -> None:
    reports: list[str] = []
    both = [
        Listening(Server(server.dsn, now=time.monotonic), {}, wakeups, report=lambda said, **_: reports.append(said))
        for wakeups in (Wakeups(), Wakeups())
    ]
    running = [asyncio.get_running_loop().create_task(one.run()) for one in both]
    await until(lambda: all(one.others for one in both), within_s=WITHIN_S, what="two that know of each other")
    waiting = both[1].wakeups.wait({"notes": 6}, timeout_s=WITHIN_S)
    both[0].moved({"notes": 7})
    assert await waiting
    assert await both[0].wakeups.wait({"notes": 6}, timeout_s=0), "its own waiters need no hint"
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert reports == []


async def test_what_no_hint_told_is_found_by_asking(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, put("k", b"v"))
    server = Server(node.server.dsn, now=time.monotonic, prefix=place)
    views: dict[str, Any] = {"note": Views(server, "note", Cipher("note", [], encrypts=False, chance=bytes))}
    listening = Listening(server, views, Wakeups(), report=lambda said, **_: None)
    running = asyncio.get_running_loop().create_task(listening.run())
    assert await listening.wakeups.wait({NOTES: 0}, timeout_s=WITHIN_S)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    server.close()


async def test_it_says_once_that_the_database_is_gone_and_once_that_it_is_back(server: PostgresServer) -> None:
    said: list[str] = []
    listening = Listening(
        Server(server.dsn, now=time.monotonic), {}, Wakeups(), report=lambda message, **_: said.append(message)
    )
    running = asyncio.get_running_loop().create_task(listening.run())
    try:
        await until(lambda: listening.is_heard, within_s=WITHIN_S, what="a listener")
        server.kill()
        await until(lambda: bool(said), within_s=WITHIN_S, what="a word that it is gone")
        await asyncio.to_thread(server.start)
        await until(lambda: "answers again" in said[-1], within_s=WITHIN_S, what="a word that it is back")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.to_thread(server.start)
