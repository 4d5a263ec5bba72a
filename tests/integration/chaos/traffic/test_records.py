"""A writer against a data API that fails as the test likes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest
from aiohttp import web

from chaos.mesh.plan import ENVIRONMENT
from chaos.traffic.history import History, Operation
from chaos.traffic.records import Writer, vector_of
from config.core.signing import Signer
from sync.core.contexts import seal_context
from tidegate.demo.ports import free_ports

ORIGIN = "eu:store1.run1"
SIGNER = Signer([ENVIRONMENT["CHAOS_SIGNING_KEY"].encode()])


class Api:
    """Answers with the given statuses, one after the other, the last for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: Sequence[int] = (201,)
        self.asked: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.headers["Tidegate-Op-Id"]))
        status = self.statuses[min(len(self.asked), len(self.statuses)) - 1]
        token = seal_context("notes", "k", {ORIGIN: 7}, 0, SIGNER)
        return web.Response(status=status, headers={"Tidegate-Context": token})


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    (port,) = free_ports(1, rng=random.Random())
    made = Api(f"http://127.0.0.1:{port}")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made
    await runner.cleanup()


async def written(api: Api, *statuses: int, value: str | None = "v") -> Operation:
    api.statuses = statuses
    one = Operation("a:1", "notes", "k", value, "heap")
    async with aiohttp.ClientSession() as session:
        writer = Writer(session, History(), home="us-east", gateway=lambda _: api.url, again_after_s=0.001)
        await writer.until_done(one, asyncio.Event())
    return one


async def test_it_is_sent_with_one_id_until_somebody_says_done_and_moves_on_after_two_tries_in_vain(api: Api) -> None:
    one = await written(api, 503, 502, 504, 201)
    assert [attempt.region for attempt in one.attempts] == ["us-east", "us-east", "eu-west", "eu-west"]
    assert {op_id for _, op_id in api.asked} == {"a:1"}
    assert one.acknowledged_at is not None
    assert one.vector == {ORIGIN: 7}


async def test_a_refusal_that_will_not_change_is_final(api: Api) -> None:
    one = await written(api, 503, 409, value=None)
    assert (one.acknowledged_at, one.refused) == (None, "409 None")
    assert [method for method, _ in api.asked] == ["DELETE", "DELETE"]


def test_a_token_that_the_mesh_did_not_write_says_nothing() -> None:
    assert vector_of({"Tidegate-Context": "forged"}) == {}
