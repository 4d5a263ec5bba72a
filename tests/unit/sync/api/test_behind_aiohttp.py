from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import ClientSession, web
from aiohttp.test_utils import RawTestServer

from sync.api.behind_aiohttp import request_of, response_of
from sync.api.messages import Answer

AT_MOST = 10


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    asked = await request_of(request, at_most=AT_MOST)
    if asked is None:
        return response_of(Answer(413))
    return response_of(
        Answer(200, {"X-Was": f"{asked.method} {asked.target} {asked.headers.get('x-name')}"}, asked.body)
    )


async def test_requests_and_answers_pass_as_they_are() -> None:
    async with RawTestServer(echo) as server, ClientSession() as session:
        url = server.make_url("/a%2Fb?c=d")
        async with session.put(url, data=b"body", headers={"X-Name": "x"}) as answer:
            assert (answer.status, await answer.read()) == (200, b"body")
            assert answer.headers["X-Was"] == "PUT /a%2Fb?c=d x"


async def test_a_larger_body_is_no_request() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * AT_MOST
        yield b"x"

    async with RawTestServer(echo) as server, ClientSession() as session:
        for data in (b"x" * (AT_MOST + 1), parts()):
            async with session.put(server.make_url("/"), data=data) as answer:
                assert answer.status == 413
