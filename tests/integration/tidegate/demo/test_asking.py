"""A client asks again until it is told that its write is done, with the same operation id; and gives up in time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.harness.node import ports
from tidegate.demo.asking import NOBODY, Asking
from tidegate.demo.setting import PORTS_NEEDED, plan


@asynccontextmanager
async def told(*statuses: int) -> AsyncIterator[tuple[Asking, list[web.Request]]]:
    """A node of eu-west that answers so, one status a request, the last again and again."""
    numbers = ports(PORTS_NEEDED)
    planned = plan(numbers, directory=Path("/somewhere"))
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(status=statuses[min(len(asked), len(statuses)) - 1], text="{}")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    node = planned.node("eu-west")
    for address in (node.public, node.admin):
        await web.TCPSite(runner, "127.0.0.1", int(address.rpartition(":")[2])).start()
    try:
        async with Asking(planned, token="t0k3n") as asking:
            yield asking, asked
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("done", [200, 201, 202])
async def test_a_write_is_asked_for_until_it_is_acknowledged_with_one_operation_id(done: int) -> None:
    async with told(503, 500, done) as (asking, asked):
        assert (await asking.write("eu-west", "notes/a", b"v", op_id="me:1")).status == done
    assert [(one.method, one.path, one.headers["Tidegate-Op-Id"]) for one in asked] == [
        ("PUT", "/data/v1/notes/a", "me:1")
    ] * 3


async def test_orders_go_to_the_admin_api_with_the_token_and_records_do_not_carry_it() -> None:
    async with told(200) as (asking, asked):
        assert (await asking.order("eu-west", "POST", "/v1/x", {"over": "1s"})).json() == {}
        await asking.record("eu-west", "GET", "notes/a")
    assert [one.headers.get("Authorization") for one in asked] == ["Bearer t0k3n", None]


async def test_where_nobody_answers_that_is_an_answer_too() -> None:
    async with told(200) as (asking, _):
        assert await asking.record("us-east", "GET", "notes/a") == NOBODY
