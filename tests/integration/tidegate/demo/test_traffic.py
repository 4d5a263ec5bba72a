"""The demo's clients ask real servers on time, and write down what they got."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tidegate.demo.backend import RequestLog, application
from tidegate.demo.ports import free_ports
from tidegate.demo.traffic import Answer, Traffic, parsed, text
from tidegate.demo.waiting import until


@contextlib.asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@contextlib.asynccontextmanager
async def running(traffic: Traffic) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(traffic.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def collect(gateways: dict[str, str], count: int, **options: float) -> tuple[Answer, ...]:
    traffic = Traffic(gateways, rng=random.Random(1), rate=options.get("rate", 200.0))
    async with running(traffic):
        await until(lambda: len(traffic.answers()) >= count, within_s=60, what=f"{count} answers")
    return traffic.answers()


async def test_every_answer_says_who_asked_who_answered_and_how_long_it_took() -> None:
    async with served(application(region="eu-west", name="eu-west-1", log=RequestLog(None))) as url:
        answers = await collect({"eu-west": url, "us-east": url}, 60)
    assert {answer.region for answer in answers} == {"eu-west", "us-east"}
    assert {(answer.backend, answer.served_from, answer.status) for answer in answers} == {
        ("eu-west-1", "eu-west", 200)
    }
    assert all(answer.took_s > 0 and not answer.is_failed for answer in answers)
    assert len({answer.path for answer in answers}) == len(answers)


async def test_a_problem_document_and_proxy_status_are_recorded() -> None:
    async def refuse(_: web.Request) -> web.Response:
        problem = {"status": 503, "reason": "residency", "rule": "profile"}
        return web.json_response(problem, status=503, headers={"Proxy-Status": "gw; error=destination_unavailable"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    async with served(app) as url:
        answer = (await collect({"eu-west": url}, 1))[0]
    assert (answer.status, answer.reason, answer.rule) == (503, "residency", "profile")
    assert answer.proxy_status == "gw; error=destination_unavailable"
    assert answer.is_failed


async def test_where_nothing_listens_the_answer_is_an_error_in_words() -> None:
    nowhere = f"http://127.0.0.1:{free_ports(1, rng=random.Random())[0]}"
    answer = (await collect({"eu-west": nowhere}, 1))[0]
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("ClientConnectorError: ")


async def test_a_request_whose_connection_is_lost_is_sent_once_and_has_failed() -> None:
    arrived: Counter[str] = Counter()

    async def hang_up(request: web.Request) -> web.Response:
        arrived[request.path] += 1
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hang_up)
    async with served(app) as url:
        answers = await collect({"eu-west": url}, 20)
    assert {answer.status for answer in answers} == {None}
    assert all(answer.error is not None and answer.error.startswith("AnswerLostError") for answer in answers)
    assert {arrived[answer.path] for answer in answers} == {1}


async def test_a_server_that_stalls_is_asked_on_time_all_the_same_up_to_the_bound() -> None:
    released = asyncio.Event()

    async def stall(_: web.Request) -> web.Response:
        await released.wait()
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stall)
    async with served(app) as url:
        traffic = Traffic({"eu-west": url}, rng=random.Random(1), rate=2_000.0)
        async with running(traffic):
            await until(lambda: traffic.held_back > 0, within_s=60, what="the bound")
            assert traffic.in_flight == 100
            assert not traffic.is_settled(until=float("inf"))
            released.set()
            await until(lambda: len(traffic.answers()) >= 100, within_s=60, what="the answers")


async def test_answers_can_be_asked_for_by_when_they_began() -> None:
    async with served(application(region="eu-west", name="eu-west-1", log=RequestLog(None))) as url:
        traffic = Traffic({"eu-west": url}, rng=random.Random(1), rate=200.0)
        async with running(traffic):
            await until(lambda: len(traffic.answers()) >= 20, within_s=60, what="20 answers")
    answers = traffic.answers()
    middle = sorted(answer.began for answer in answers)[10]
    assert {one.path for one in traffic.answers(since=middle)} == {one.path for one in answers if one.began >= middle}
    assert {one.path for one in traffic.answers(until=middle)} == {one.path for one in answers if one.began < middle}
    assert [one.path for one in traffic.answers()] == [one.path for one in sorted(answers, key=lambda one: one.ended)]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff"])
def test_an_answer_that_is_no_json_object_tells_nothing(body: bytes) -> None:
    assert parsed(body) == {}


def test_a_fact_that_is_no_text_is_none() -> None:
    assert text({"rule": 1}, "rule") is None
    assert text({"rule": "profile"}, "rule") == "profile"


async def test_the_clients_of_one_region_can_be_hastened() -> None:
    async with served(application(region="eu-west", name="eu-west-1", log=RequestLog(None))) as url:
        traffic = Traffic({"eu-west": url, "us-east": url}, rng=random.Random(1), rate=20.0)
        traffic.hasten("us-east", 200.0)
        async with running(traffic):
            await until(lambda: len(traffic.answers()) >= 100, within_s=60, what="100 answers")
    hasty = sum(answer.region == "us-east" for answer in traffic.answers())
    assert hasty > len(traffic.answers()) * 0.7
