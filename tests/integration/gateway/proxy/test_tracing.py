"""Which requests are recorded, what their spans say, and what endpoints hear of it: through a real data plane."""

from __future__ import annotations

from typing import Any

import pytest

from config.core.signing import Signer
from gateway.core.hops import Hop, bound_to, field_line
from gateway.core.trace_context import STRANGERS_PER_S, traceparent
from gateway.proxy.tracing import ABANDONED, Span
from tests.harness.dataplane import Bench, Connection, until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"traceparent: 00-{TRACE}-{SPAN}-01\r\n".encode()
NOT_SAMPLED = f"traceparent: 00-{TRACE}-{SPAN}-00\r\n".encode()
STATE = b"tracestate: vendor=1\r\n"
TRUSTING: dict[str, Any] = {"trusted_proxies": ["127.0.0.0/8"]}
IN_TURN = {"load_balancing": {"algorithm": "round_robin"}}


def traced(sample: str = "100%", *, document: dict[str, Any] | None = None, **settings: Any) -> Bench:
    tracing = {"enabled": True, "sample": sample, **settings.pop("tracing", {})}
    return Bench(document={"observability": {"tracing": tracing}, **(document or {})}, **settings)


def get(*lines: bytes, target: bytes = b"/a?secret=1") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n" + b"".join(lines) + b"\r\n"


def sent(head: bytes, name: bytes = b"traceparent") -> list[bytes]:
    """The values of a field in what an endpoint got."""
    lines = (line.partition(b": ") for line in head.split(b"\r\n"))
    return [value for key, _, value in lines if key.lower() == name]


def split(spans: list[Span]) -> tuple[Span, list[Span]]:
    """The server span of the only request, and the client spans."""
    (server,) = [span for span in spans if span.kind == "server"]
    return server, [span for span in spans if span.kind == "client"]


async def test_a_request_has_a_server_span_and_a_client_span_that_the_endpoint_hears_of() -> None:
    async with traced() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(get())
        server, (client,) = split(bench.spans.all)
        address = f"127.0.0.1:{endpoint.port}"
        request_id = (reply.field(b"x-request-id") or b"").decode()
        assert (server.name, client.name) == ("GET /*", "GET")
        assert server.attributes == {
            "http.request.method": "GET",
            "http.route": "/*",
            "http.response.status_code": 200,
            "url.path": "/a",
            "server.address": "h",
            "client.address": "127.0.0.1",
            "network.protocol.version": "1.1",
            "tidegate.request_id": request_id,
            "tidegate.listener": "public",
            "tidegate.route": "all",
            "tidegate.region": "eu",
            "tidegate.endpoint": f"api/eu/{address}",
        }
        assert client.attributes == {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "url.full": f"http://{address}/a",
            "server.address": "127.0.0.1",
            "server.port": endpoint.port,
            "tidegate.region": "eu",
            "tidegate.endpoint": f"api/eu/{address}",
        }
        assert (server.parent_id, client.parent_id) == (None, server.span_id)
        assert server.trace_id == client.trace_id
        assert (server.fault, client.fault) == (None, None)
        (value,) = sent(endpoint.received[0])
        assert value == traceparent(client.trace_id, client.span_id)
        now_ns = int(bench.wall * 1e9)
        assert server.started_ns <= client.started_ns <= client.ended_ns <= server.ended_ns <= now_ns
        assert now_ns - server.started_ns < 10e9


async def test_a_callers_trace_goes_on_and_its_state_with_it() -> None:
    async with traced("0%") as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        await bench.ask(get(SAMPLED, STATE))
        server, (client,) = split(bench.spans.all)
        assert (f"{server.trace_id:032x}", f"{server.parent_id:016x}", server.state) == (TRACE, SPAN, b"vendor=1")
        assert (server.is_parent_remote, client.is_parent_remote) == (True, False)
        assert sent(endpoint.received[0]) == [f"00-{TRACE}-{client.span_id:016x}-01".encode()]
        assert sent(endpoint.received[0], b"tracestate") == [b"vendor=1"]


async def test_what_is_malformed_is_replaced_by_a_trace_of_our_own() -> None:
    async with traced() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        await bench.ask(get(b"traceparent: 00-nonsense-01\r\n", STATE))
        server, (client,) = split(bench.spans.all)
        assert (server.parent_id, server.state) == (None, b"")
        assert sent(endpoint.received[0]) == [f"00-{server.trace_id:032x}-{client.span_id:016x}-01".encode()]
        assert sent(endpoint.received[0], b"tracestate") == []


@pytest.mark.parametrize(
    ("sample", "lines"),
    [
        pytest.param("100%", (NOT_SAMPLED, STATE), id="the caller does not record"),
        pytest.param("0%", (), id="no trace"),
        pytest.param("0%", (b"TraceParent: nonsense\r\n", STATE), id="a malformed trace"),
    ],
)
async def test_what_is_not_recorded_goes_on_untouched_and_says_nothing(sample: str, lines: tuple[bytes, ...]) -> None:
    async with traced(sample) as bench, Bench() as plain:
        with_tracing, without = await bench.endpoint(), await plain.endpoint()
        heads = []
        for each, endpoint in ((bench, with_tracing), (plain, without)):
            await each.publish()
            await each.ask(get(*lines))
            heads.append(endpoint.received[0].partition(b"X-Forwarded-For")[0])
        assert heads[0] == heads[1]
        assert all(line in heads[0] for line in lines)
        assert bench.spans.all == []


async def test_nothing_is_recorded_where_tracing_is_off_and_a_reload_turns_it_on_and_off() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        async with bench.client() as client:
            for is_on in (False, True, False):
                bench.settings["document"] = {"observability": {"tracing": {"enabled": is_on, "sample": "100%"}}}
                await bench.publish()
                await client.send(get())
                await client.reply()
        assert [bool(sent(head)) for head in endpoint.received] == [False, True, False]
        assert len(bench.spans.all) == 2


async def test_without_propagation_nobody_hears_and_nobody_is_heard() -> None:
    async with traced(tracing={"propagation": []}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        await bench.ask(get(SAMPLED))
        server, _ = split(bench.spans.all)
        assert server.parent_id is None
        assert sent(endpoint.received[0]) == [SAMPLED[13:-2]]


async def test_a_retry_is_a_client_span_of_its_own_and_the_first_one_says_what_went_wrong() -> None:
    async with traced(service=IN_TURN) as bench:
        dead = bench.dead_address()
        endpoint = await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(get())).status == 200
        server, (first, second) = split(bench.spans.all)
        assert first.attributes["tidegate.endpoint"] == dead
        assert (first.attributes["error.type"], first.fault) == ("connection_refused", "connection refused")
        assert first.attributes["tidegate.reason"] == "connect_failure"
        assert not {"http.response.status_code", "http.request.resend_count", "url.full"} & first.attributes.keys()
        assert (second.attributes["http.request.resend_count"], second.fault) == (1, None)
        assert second.attributes["http.response.status_code"] == 200
        assert {first.parent_id, second.parent_id} == {server.span_id}
        assert first.ended_ns <= second.started_ns
        assert server.fault is None
        assert sent(endpoint.received[0]) == [f"00-{server.trace_id:032x}-{second.span_id:016x}-01".encode()]


async def test_each_attempt_sends_a_parent_of_its_own() -> None:
    async def refuse(connection: Connection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    retries = {"retry_on": [503], "max_retries": 1}
    async with traced(service={**IN_TURN, "retries": retries}) as bench:
        endpoints = [await bench.endpoint(refuse) for _ in range(2)]
        await bench.publish()
        assert (await bench.ask(get())).status == 503
        server, clients = split(bench.spans.all)
        heard = [sent(head)[0] for endpoint in endpoints for head in endpoint.received]
        assert sorted(heard) == sorted(f"00-{s.trace_id:032x}-{s.span_id:016x}-01".encode() for s in clients)
        assert [(s.attributes["http.response.status_code"], s.attributes["error.type"]) for s in clients] == [
            (503, "503"),
            (503, "503"),
        ]
        assert (server.attributes["error.type"], server.fault) == ("503", "status 503")


async def test_of_two_copies_the_one_that_lost_was_abandoned_without_a_fault() -> None:
    async def hang(connection: Connection) -> None:
        await connection.head()
        await connection.rest()

    async with traced(service={**IN_TURN, "retries": {"hedge_after": "20ms"}}) as bench:
        await bench.endpoint(hang)
        await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(get())).status == 200
        _, (lost, won) = split(bench.spans.all)
        assert (lost.attributes["tidegate.reason"], lost.fault) == (ABANDONED, None)
        assert "error.type" not in lost.attributes
        assert won.attributes["http.request.resend_count"] == 1


async def test_half_an_answer_is_a_fault_of_both() -> None:
    async def half(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        connection.close()

    async with traced() as bench:
        await bench.endpoint(half)
        await bench.publish()
        async with bench.client() as client:
            await client.send(get())
            with pytest.raises(ConnectionError):
                await client.rest()
        await until(lambda: bool(bench.spans.all), "the request is over")
        server, (attempt,) = split(bench.spans.all)
        assert attempt.attributes["http.response.status_code"] == server.attributes["http.response.status_code"] == 200
        assert attempt.attributes["error.type"] == "connection_terminated"
        assert (server.attributes["error.type"], server.attributes["tidegate.reason"]) == ("reset", "reset")


async def test_nobody_to_serve_is_told_with_its_reason() -> None:
    async with traced() as bench:
        bench.dead_address()
        await bench.publish()
        assert (await bench.ask(get())).status == 502
        server, clients = split(bench.spans.all)
        assert server.attributes["tidegate.reason"] == server.attributes["error.type"] == "connect_failure"
        assert server.fault is not None
        assert "connection refused" in server.fault
        assert {span.fault for span in clients} == {"connection refused"}


@pytest.mark.parametrize(
    ("request_bytes", "name", "status", "reason"),
    [
        pytest.param(get(target=b"/none"), "GET", 404, "no_route", id="no route"),
        pytest.param(get(target=b"/x/1"), "GET /x/*", 403, "address_denied", id="refused at the door"),
        pytest.param(b"nonsense\r\n\r\n", "HTTP", 400, "malformed_request", id="no usable head"),
    ],
)
async def test_a_refused_request_has_a_span_with_the_reason(
    request_bytes: bytes, name: str, status: int, reason: str
) -> None:
    route = {"id": "x", "match": {"path": "/x/*"}, "service": "api", "access": {"deny": ["127.0.0.0/8"]}}
    async with traced(routes=[route]) as bench:
        await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(request_bytes)).status == status
        server, clients = split(bench.spans.all)
        assert (server.name, server.attributes["tidegate.reason"]) == (name, reason)
        assert server.attributes["http.response.status_code"] == status
        assert server.attributes["tidegate.detail"]
        assert (server.fault, clients) == (None, [])
        assert "error.type" not in server.attributes  # the client's own doing


async def test_a_refused_request_belongs_to_its_callers_trace() -> None:
    async with traced("0%", routes=[{"id": "x", "match": {"path": "/x"}, "service": "api"}]) as bench:
        await bench.endpoint()
        await bench.publish()
        await bench.ask(get(SAMPLED, target=b"/none"))
        server, _ = split(bench.spans.all)
        assert (f"{server.trace_id:032x}", f"{server.parent_id:016x}") == (TRACE, SPAN)


async def test_a_client_that_leaves_is_told_and_is_no_fault() -> None:
    async def hang(connection: Connection) -> None:
        await connection.head()
        await connection.rest()

    async with traced() as bench:
        endpoint = await bench.endpoint(hang)
        await bench.publish()
        async with bench.client() as client:
            await client.send(get())
            await until(lambda: bool(endpoint.received), "the endpoint has the request")
            client.reset()
        await until(lambda: bool(bench.spans.all), "the request is over")
        server, (attempt,) = split(bench.spans.all)
        assert (server.attributes["tidegate.reason"], server.fault) == ("client_left", None)
        assert (attempt.attributes["tidegate.reason"], attempt.fault) == (ABANDONED, None)


@pytest.mark.parametrize(("listener", "recorded"), [({}, STRANGERS_PER_S), (TRUSTING, 40)])
async def test_strangers_cannot_have_everything_recorded(listener: dict[str, Any], recorded: int) -> None:
    async with traced("0%", listener=listener) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        started = bench.plane.now()
        async with bench.client() as client:
            await client.send(get(SAMPLED) * 40)
            for _ in range(40):
                assert (await client.reply()).status == 200
        more = STRANGERS_PER_S * (bench.plane.now() - started) if not listener else 0
        servers = [span for span in bench.spans.all if span.kind == "server"]
        assert recorded <= len(servers) <= recorded + more
        untouched = [head for head in endpoint.received if sent(head) == [SAMPLED[13:-2]]]
        assert len(untouched) == 40 - len(servers)


async def test_another_gateway_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOP_KEY", "k" * 32)
    regions = [
        {"id": "eu", "reach": "gateway", "gateway": "http://127.0.0.1:9", "priority": 2},
        {"id": "us", "reach": "gateway", "gateway": "http://127.0.0.1:1", "priority": 1},
    ]
    document = {"secrets": {"signing_keys": ["env:HOP_KEY"]}}
    async with traced("0%", regions=regions, document=document) as bench:
        await bench.endpoint()
        await bench.publish()
        for nonce in range(STRANGERS_PER_S * 2):
            hop = Hop(
                at=bench.wall,
                nonce=nonce,
                source="gw-us-1",
                destination="eu",
                route="all",
                service="api",
                client_ip="192.0.2.7",
                country="DE",
                is_copy=False,
                bound_to=bound_to("GET", b"/a", b""),
            )
            line = field_line(Signer([b"k" * 32]), hop)
            assert (await bench.ask(get(SAMPLED, line, target=b"/a"))).status == 200
        servers = [span for span in bench.spans.all if span.kind == "server"]
        assert len(servers) == STRANGERS_PER_S * 2
        assert {span.attributes["client.address"] for span in servers} == {"192.0.2.7"}
