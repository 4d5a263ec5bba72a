"""Events over a real connection, as they happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from health.core.drain import Target
from tests.harness.control import House
from tests.harness.node import fetch, ports
from tidegate.admin import events, operating
from tidegate.admin.app import serve_admin
from tidegate.admin.operating import DrainBody
from tidegate.node import sockets
from tidegate.node.control import Control
from tidegate.node.logs import silent
from tidegate.node.plan import Address

EU = "api/eu/127.0.0.1:7001"


class Reader:
    """One reader of the stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def next(self, kind: str) -> Any:
        """The data of the next event of a kind."""
        async with asyncio.timeout(10):
            while True:
                line = (await self._reader.readline()).decode()
                assert line, "the stream ended"
                if line.strip() == f"event: {kind}":
                    return json.loads((await self._reader.readline()).decode().partition(": ")[2])


@pytest.fixture
async def control(house: House) -> Control:
    return house.control()


@pytest.fixture
async def port(house: House, control: Control) -> AsyncIterator[int]:
    found = ports(1)[0]
    listening = sockets.listen(Address("admin", "127.0.0.1", found, "admin.bind"))
    runner = await serve_admin(control, listening, environ={}, log=silent(), tasks=house.tasks)
    yield found
    await runner.cleanup()


async def read(port: int) -> Reader:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return Reader(reader, writer)


async def test_a_reader_gets_all_of_it_once_and_then_what_changes(control: Control, port: int, house: House) -> None:
    reader = await read(port)
    state = await reader.next("state")
    assert state["leader"][""]["region"] == "eu"
    house.prober.say(EU, "down")
    assert (await reader.next("service"))["health"] == "down"
    assert await reader.next("endpoint") == {"endpoint": EU, "health": "down", "reason": "probe"}
    await operating.post_drain(control, Target("region", "us"), DrainBody(force=True), author="ann")
    decision = await reader.next("decision")
    assert (decision["what"], decision["author"]) == ("drain", "ann")
    reader.writer.close()


async def test_readers_are_bounded(port: int) -> None:
    readers = [await read(port) for _ in range(events.MAX_READERS)]
    for reader in readers:
        await reader.next("state")
    answer = await fetch("GET", f"http://127.0.0.1:{port}/v1/events", headers={"Host": "localhost"})
    assert (answer.status, answer.json()["reason"]) == (503, "too_many_readers")
    for reader in readers:
        reader.writer.close()


def test_what_is_gone_is_said_too() -> None:
    empty: dict[str, dict[str, Any]] = {kind: {} for kind in events.KINDS}
    drained = {**empty, "drain": {"region/eu": {"target": "region/eu"}}}
    assert list(events.changes(empty, drained)) == [("drain", {"target": "region/eu"})]
    assert list(events.changes(drained, empty)) == [("drain", {"target": "region/eu", "gone": True})]
    assert list(events.changes(drained, drained)) == []
