"""What an endpoint answers wrongly hurts one request and no other: no half answer looks whole, none goes astray."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.dataplane import Bench, Connection, until
from tests.harness.recording import Last, RecordingEndpoint, converse
from tests.harness.strict_http import Message, Unfinished, read_answers
from tests.integration.attacks.hostile_answers import CUT_SHORT, REFUSED, STOLEN, TOO_LONG, Answer


def whole_and_split(answers: list[Answer]) -> list[object]:
    """Each as one segment, and in single bytes where that is no test of patience."""
    whole = [pytest.param(answer, False, id=answer.name) for answer in answers]
    return [*whole, *(pytest.param(one, True, id=f"{one.name}, in bytes") for one in answers if len(one.data) < 10_000)]


class Liar:
    """Answers `/hostile` with what it is told, everything else with the request's own target."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def __call__(self, request: Message) -> bytes:
        if request.target == b"/hostile":
            return self.answer
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target)


def ask(method: bytes, target: bytes) -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % (method, target)


async def assert_served(port: int, number: int) -> None:
    target = b"/own/%d" % number
    received, _ = await converse(port, [ask(b"GET", target)])
    [answer] = read_answers(received, [b"GET"])
    assert (answer.status, answer.body) == (200, target)


def assert_never_used_again(endpoint: RecordingEndpoint) -> None:
    for requests in endpoint.by_connection:
        targets = [request.target for request in requests]
        assert b"/hostile" not in targets[:-1], f"a connection was used again: {targets}"


async def attack(bench: Bench, endpoint: RecordingEndpoint, answer: Answer) -> bytes:
    """What a client gets for it, with ordinary requests before and behind."""
    bench.add_address(endpoint.address)
    await bench.publish()
    await assert_served(bench.port, 0)
    received, closed = await converse(bench.port, [ask(answer.method, b"/hostile")])
    assert closed
    for number in range(1, 4):
        await assert_served(bench.port, number)
    assert_never_used_again(endpoint)
    await until(lambda: bench.plane.report().in_flight == 0, "nothing is left in flight")
    return received


@pytest.mark.parametrize(("answer", "split"), whole_and_split(REFUSED))
async def test_a_hostile_answer_is_a_502_with_its_token(answer: Answer, *, split: bool) -> None:
    liar = Liar(answer.data)
    async with RecordingEndpoint(liar, sends_single_bytes=split) as endpoint, Bench() as bench:
        received = await attack(bench, endpoint, answer)
        [reply] = read_answers(received, [answer.method])
        assert reply.status == 502
        assert reply.values(b"proxy-status") == [b"gw-test; error=" + answer.token]
        assert b"stolen" not in received


@pytest.mark.parametrize(("answer", "split"), whole_and_split(CUT_SHORT))
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_half_an_answer_never_looks_whole(answer: Answer, version: bytes, *, split: bool) -> None:
    async with RecordingEndpoint(Liar(answer.data), sends_single_bytes=split) as endpoint, Bench() as bench:
        bench.add_address(endpoint.address)
        await bench.publish()
        reset = False
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
        writer.write(b"GET /hostile HTTP/%b\r\nHost: h\r\nConnection: close\r\n\r\n" % version)
        received = b""
        try:
            async with asyncio.timeout(10):
                while data := await reader.read(65536):
                    received += data
        except ConnectionError:
            reset = True
        writer.close()
        assert b"stolen" not in received
        if received.startswith(b"HTTP/1.1 502 "):
            [reply] = read_answers(received, [b"GET"])
            assert reply.values(b"proxy-status") == [b"gw-test; error=" + answer.token]
        elif b"\r\nContent-Length: " in received or b"\r\nTransfer-Encoding: chunked" in received:
            with pytest.raises(Unfinished):
                read_answers(received, [b"GET"])
        else:
            assert reset, "without a length, only a reset tells that this is not all"
        await assert_served(bench.port, 1)
        assert_never_used_again(endpoint)


@pytest.mark.parametrize(("answer", "split"), whole_and_split(TOO_LONG))
async def test_what_follows_a_whole_answer_reaches_nobody(answer: Answer, *, split: bool) -> None:
    async with RecordingEndpoint(Liar(answer.data), sends_single_bytes=split) as endpoint, Bench() as bench:
        received = await attack(bench, endpoint, answer)
        [reply] = read_answers(received, [answer.method])
        assert reply.status == int(answer.data[9:12])
        assert reply.body in (b"", b"good")
        assert b"stolen" not in received


async def test_a_second_answer_that_comes_late_reaches_nobody() -> None:
    """The first client has its answer, the connection is idle and pooled: then more comes."""
    opened: list[Connection] = []
    served: list[int] = []

    async def serve(connection: Connection) -> None:
        number = len(opened)
        opened.append(connection)
        while True:
            await connection.head()
            served.append(number)
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

    async with Bench() as bench:
        await bench.endpoint(serve)
        await bench.publish()
        assert (await bench.ask(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")).body == b"0"
        await opened[0].send(STOLEN)
        await until(lambda: not bench.plane.pool.open_by_service.get("api"), "the connection is closed")
        assert (await bench.ask(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n")).body == b"1"
        assert served == [0, 1]


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_endpoint_that_takes_a_body_for_a_request_poisons_no_other_client(framing: str) -> None:
    """CL.0 and TE.0: the endpoint ignores how the body is framed and answers what it smuggles in as well."""
    smuggled = b"GET /stolen HTTP/1.1\r\nHost: h\r\n\r\n"
    if framing == "length":
        request = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (len(smuggled), smuggled)
    else:
        request = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
            len(smuggled),
            smuggled,
        )

    async def serve(connection: Connection) -> None:
        while True:
            target = (await connection.head()).split(b" ")[1]
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))

    async with Bench() as bench:
        await bench.endpoint(serve)
        await bench.publish()
        for number in range(50):
            assert (await bench.ask(request)).body == b"/x"
            own = b"/own/%d" % number
            assert (await bench.ask(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % own)).body == own


async def test_an_answer_before_the_whole_request_ends_both_connections() -> None:
    """0.CL: the endpoint answers on the head alone; what is left of the body must not be taken for a request."""
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    rests: list[bytes] = []

    async def early(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        try:
            rests.append(await connection.rest())
        except ConnectionError:
            rests.append(b"")

    async with Bench() as bench:
        endpoint = await bench.endpoint(early)
        await bench.publish()
        async with bench.client() as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (len(smuggled) + 1))
            reply = await client.reply()
            assert (reply.status, reply.field(b"connection")) == (403, b"close")
            await client.send(b"x" + smuggled + smuggled)
            assert await client.rest() == b""
        await until(lambda: bool(rests), "the endpoint's connection has ended")
        assert rests == [b""]
        assert len(endpoint.received) == 1


async def test_an_endpoint_that_never_stops_hinting_is_a_504() -> None:
    async def hint(connection: Connection) -> None:
        await connection.head()
        while True:
            await connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
            await asyncio.sleep(0.01)

    async with Bench(service={"timeouts": {"response_head": "500ms"}, "retries": {"max_retries": 0}}) as bench:
        await bench.endpoint(hint)
        await bench.publish()
        received, _ = await converse(bench.port, [ask(b"GET", b"/")])
        [reply] = read_answers(received, [b"GET"])
        assert reply.status == 504


@pytest.mark.parametrize(
    "answer",
    [
        Last(b"HTTP/1.1 200 OK\r\n\r\nok"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: a, CLOSE , b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
    ids=[
        "until close",
        "1.0",
        "close",
        "close in a list",
        "close, then keep-alive",
        "keep-alive, then close",
        "1.0 TE",
    ],
)
async def test_a_connection_that_ends_with_its_answer_is_not_used_again(answer: bytes) -> None:
    async with RecordingEndpoint(Liar(answer)) as endpoint, Bench() as bench:
        received = await attack(bench, endpoint, Answer("", answer))
        [reply] = read_answers(received, [b"GET"])
        assert reply.status == 502 or (reply.status, reply.body) == (200, b"ok")


async def test_what_an_answer_means_for_its_own_connection_stays_there() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nTrailer: X\r\nX-Stays: 1\r\nContent-Length: 2\r\n\r\nok"
    )
    async with RecordingEndpoint(Liar(answer)) as endpoint, Bench() as bench:
        received = await attack(bench, endpoint, Answer("", answer))
        [reply] = read_answers(received, [b"GET"])
        names = {name for name, _ in reply.fields}
        assert b"x-stays" in names
        assert not names & {b"x-hop", b"keep-alive", b"proxy-connection", b"upgrade", b"trailer"}


async def test_a_reason_phrase_is_not_passed_on() -> None:
    liar = Liar(b"HTTP/1.1 200 <script>\x00</script>\r\nContent-Length: 2\r\n\r\nok")
    async with RecordingEndpoint(liar) as endpoint, Bench() as bench:
        bench.add_address(endpoint.address)
        await bench.publish()
        received, _ = await converse(bench.port, [ask(b"GET", b"/hostile")])
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_answer_to_a_head_is_bound_to_it_when_requests_are_pipelined() -> None:
    def answering(request: Message) -> bytes:
        body = b"" if request.method == b"HEAD" else b"own"
        return b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + body

    async with RecordingEndpoint(answering) as endpoint, Bench() as bench:
        bench.add_address(endpoint.address)
        await bench.publish()
        one = b"HEAD /h HTTP/1.1\r\nHost: h\r\n\r\nGET /g HTTP/1.1\r\nHost: h\r\n\r\n"
        received, _ = await converse(bench.port, [one * 5 + ask(b"GET", b"/last")])
        answers = read_answers(received, [b"HEAD", b"GET"] * 5 + [b"GET"])
        assert [answer.body for answer in answers] == [b"", b"own"] * 5 + [b"own"]


async def test_an_endpoint_that_closes_after_each_answer_costs_no_request() -> None:
    """Its connection was never promised to stay: neither a GET nor a POST may be lost to the race."""

    def closing(request: Message) -> bytes:
        return Last(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with RecordingEndpoint(closing) as endpoint, Bench() as bench:
        bench.add_address(endpoint.address)
        await bench.publish()
        async with bench.client() as client:
            for _ in range(50):
                await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
                assert (await client.reply()).status == 200
        assert len(endpoint.requests) == 50
