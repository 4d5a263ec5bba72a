"""What we pass on says the same to everyone: to a strict reader, to h11, to nginx, to HAProxy. Or we refuse it.

For every generated request: what reached the endpoint through Tidegate is read by the strict reader and by h11, and
sent through nginx and HAProxy to an endpoint behind them. All of them must find the same methods, targets and bodies,
and these must be what the access log says was decided.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import h11
import pytest
import uvloop
from hypothesis import HealthCheck, example, given, settings

from tests.harness import peers
from tests.harness.dataplane import Bench
from tests.harness.recording import RecordingEndpoint, converse
from tests.harness.strict_http import Message, Unclear, Unfinished, read_answers, read_request, read_requests
from tests.integration.attacks.generated import Generated, requests

SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
EXAMPLES = 4000
SEEN = tuple[bytes, bytes, bytes]
"""Method, target, body."""


class Setting:
    """One loop, one data plane, its endpoint, and the peers with theirs; for all examples of a test.

    Not a dataclass: Hypothesis would print all of its fields beside the one example that matters.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bench: Bench, endpoint: RecordingEndpoint) -> None:
        self.loop = loop
        self.bench = bench
        self.endpoint = endpoint
        self.others: dict[str, tuple[int, RecordingEndpoint]] = {}
        self.faults: list[str] = []
        self.passed_on = 0
        self.refused = 0
        self.compared = 0
        """Streams that a peer understood as we do."""


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = contextlib.AsyncExitStack()
        runner.run(stack.__aenter__())
        made = runner.run(stack.enter_async_context(_setting(tmp_path, runner.get_loop())))
        yield made
        runner.run(stack.aclose())
    assert made.faults == [], "no exception reached the loop"
    assert min(made.passed_on, made.refused) > EXAMPLES / 10, "both kinds were met"
    assert made.compared >= made.passed_on * len(made.others) / 2


@contextlib.asynccontextmanager
async def _setting(directory: Path, loop: asyncio.AbstractEventLoop) -> AsyncIterator[Setting]:
    async with contextlib.AsyncExitStack() as stack:
        endpoint = await stack.enter_async_context(RecordingEndpoint())
        made = Setting(loop, await stack.enter_async_context(Bench()), endpoint)
        loop.set_exception_handler(lambda _, context: made.faults.append(repr(context)))
        for name in peers.NAMES:
            if peers.path_of(name) is not None:
                behind = await stack.enter_async_context(RecordingEndpoint())
                port = await stack.enter_async_context(peers.peer(name, behind.port, directory=directory))
                made.others[name] = (port, behind)
        made.bench.add_address(endpoint.address)
        await made.bench.publish()
        yield made


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(generated=requests())
@example(Generated(b"GET /.. HTTP/1.1\r\nHost: h\r\n\r\n", "GET", b"/..", b"", is_damaged=False, climbs=True))
@example(Generated(b"GET / HTTP/1.1\r\nHost:\t h\r\n\r\n", "GET", b"/", b"", is_damaged=True))
@example(Generated(b"GET http://H../ HTTP/1.1\r\nHost: h\r\n\r\n", "GET", b"/", b"", is_damaged=True))
def test_what_is_passed_on_says_the_same_to_everyone(setting: Setting, generated: Generated) -> None:
    setting.loop.run_until_complete(_compare(setting, generated))


async def _compare(setting: Setting, generated: Generated) -> None:
    bench, endpoint = setting.bench, setting.endpoint
    endpoint.forget()
    bench.log.clear()
    received, closed = await converse(bench.port, [generated.data + SENTINEL], half_close_after_s=0.05)
    assert closed
    assert not endpoint.unclear, "the strict reader understands what we pass on"
    forwarded = endpoint.requests
    setting.passed_on += bool(forwarded)
    setting.refused += not forwarded
    if generated.climbs and not generated.is_damaged:
        assert not forwarded
        assert received.startswith(b"HTTP/1.1 400 ")
    elif not generated.is_damaged:
        assert forwarded, f"a request that is right was refused: {received!r}"
        assert forwarded[0].method == generated.method.encode()
        assert forwarded[0].body == generated.body
    _compare_with_decision(bench, received, forwarded)
    _compare_with_h11_on_the_way_in(generated, forwarded)
    for stream in endpoint.streams:
        whole = _whole_requests(bytes(stream))
        if whole:
            assert _seen_by_h11(whole) == _seen_by_strict(whole)
            for name, (port, behind) in setting.others.items():
                await _compare_with_peer(name, port, behind, whole)
                setting.compared += 1


def _compare_with_decision(bench: Bench, received: bytes, forwarded: list[Message]) -> None:
    decided = [entry for entry in bench.log if entry.get("endpoint")]
    passed_on = [entry for entry in decided if entry["status"] == 200]
    assert len(passed_on) == len(forwarded), (bench.log, forwarded)
    for entry, request in zip(passed_on, forwarded, strict=True):
        assert entry["method"].encode() == request.method
        assert entry["path"].encode() == request.target.partition(b"?")[0]
        assert request.values(b"host"), "every request names its host"
    methods = [request.method for request in forwarded]
    with contextlib.suppress(Unfinished):
        answers = read_answers(received, [*methods, b"GET"])
        assert len(answers) >= len(forwarded)
        assert {answer.status for answer in answers[: len(forwarded)]} <= {200}


def _compare_with_h11_on_the_way_in(generated: Generated, forwarded: list[Message]) -> None:
    """h11 forgives more than we do; where it understands what came, we passed on no other thing."""
    seen = _seen_by_h11(generated.data + SENTINEL, stop_at_error=True)
    for (method, _, body), request in zip(seen, forwarded, strict=False):
        assert (method, body) == (request.method, request.body)


async def _compare_with_peer(name: str, port: int, behind: RecordingEndpoint, whole: bytes) -> None:
    behind.forget()
    expected = _seen_by_strict(whole)
    received = await _all_answers(port, whole, [method for method, _, _ in expected])
    assert not behind.unclear
    seen = [(request.method, request.target, request.body) for request in behind.requests]
    assert seen == expected, f"{name} understood something else; it answered {received!r}"


async def _all_answers(port: int, data: bytes, methods: list[bytes]) -> bytes:
    """Send it, and read until there are as many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        async with asyncio.timeout(5):
            writer.write(data)
            while more := await reader.read(65536):
                received += more
                with contextlib.suppress(Unfinished):
                    if len(read_answers(received, methods)) == len(methods):
                        break
    except (TimeoutError, ConnectionError):
        pass  # the comparison says what is missing
    finally:
        writer.close()
    return received


def _whole_requests(stream: bytes) -> bytes:
    """As much of it as is whole: a body that was refused ends half-way."""
    rest = stream
    with contextlib.suppress(Unfinished):
        while rest:
            _, rest = read_request(rest)
    return stream[: len(stream) - len(rest)]


def _seen_by_strict(stream: bytes) -> list[SEEN]:
    return [(request.method, request.target, request.body) for request in read_requests(stream)]


def _seen_by_h11(stream: bytes, *, stop_at_error: bool = False) -> list[SEEN]:
    connection = h11.Connection(h11.SERVER)
    seen: list[SEEN] = []
    connection.receive_data(stream)
    request, body = None, b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert request is not None
                seen.append((request.method, request.target, body))
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return seen
                connection.start_next_cycle()
            else:
                return seen
    except h11.RemoteProtocolError:
        if not stop_at_error:
            raise
        return seen


def test_the_strict_reader_is_strict() -> None:
    """A second opinion that forgives is none."""
    head = b"POST / HTTP/1.1\r\nHost: h\r\n"
    assert read_requests(head + b"Content-Length: 2\r\n\r\nhi")[0].body == b"hi"
    assert read_requests(head + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")[0].body == b"hi"
    for wrong in (
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"Content-Length: 2\r\nContent_Length: 2\r\n\r\nhi",
        b"Content-Length: 02\r\n\r\nhi",
        b"Transfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n0\r\n\r\n",
        b"A : b\r\n\r\n",
        b"A: b\nc: d\r\n\r\n",
        b"Host: i\r\n\r\n",
    ):
        with pytest.raises(Unclear):
            read_requests(head + wrong)
