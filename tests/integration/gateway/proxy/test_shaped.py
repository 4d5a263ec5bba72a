"""What a route does on the way, through a real data plane: what the endpoint got, and what the client."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import zlib
from typing import Any

import brotli
import pytest
import zstandard

from tests.harness.dataplane import Bench, Connection, Reply, always_ok, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
PAGE = b"<p>see http://old.example/</p>\n" * 200


def get(path: bytes = b"/a", *lines: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    fields = b"".join(line + b"\r\n" for line in (b"Host: h", *lines))
    return method + b" " + path + b" HTTP/" + version + b"\r\n" + fields + b"\r\n"


def answering(body: bytes, *lines: bytes, status: bytes = b"200 OK", framing: str = "length") -> Any:
    """An endpoint that answers everything with this."""

    async def script(connection: Connection) -> None:
        while True:
            head = await connection.head()
            fields = b"".join(line + b"\r\n" for line in lines)
            if framing == "length":
                fields += b"Content-Length: %d\r\n" % len(body)
                sent = b"" if head.startswith(b"HEAD") else body
            else:
                fields += b"Transfer-Encoding: chunked\r\n"
                sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            await connection.send(b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n" + sent)

    return script


HTML = b"Content-Type: text/html; charset=utf-8"
COMPRESSED = {"compression": {"min_size": "1KiB"}}
REPLACED = {
    "response_body": {"content_types": ["text/html"], "replace": [{"pattern": "http://", "replacement": "https://"}]}
}


def plain(reply: Reply) -> bytes:
    """The body, whatever its coding."""
    coding = reply.field(b"content-encoding")
    if coding == b"zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(reply.body)
    if coding == b"br":
        data: bytes = brotli.decompress(reply.body)
        return data
    return gzip.decompress(reply.body) if coding == b"gzip" else reply.body


# -- requests


async def test_path_and_host_are_rewritten_after_routing_and_logged_as_they_came() -> None:
    rewrite = {"path": {"pattern": "^/v1/([^/]+)/(.*)$", "replacement": "/\\2?kind=\\1"}, "host": "inner.example"}
    async with Bench(route={"match": {"path": "/v1/*"}, "rewrite": rewrite}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(get(b"/v1/users/7/x?b=2"))).status == 200
        assert endpoint.received[0].startswith(b"GET /7/x?kind=users&b=2 HTTP/1.1\r\n")
        assert endpoint.received[0].count(b"\r\nHost: ") == 1
        assert b"\r\nHost: inner.example\r\n" in endpoint.received[0]
        assert b"\r\nX-Forwarded-Host: h\r\n" in endpoint.received[0]
        assert bench.log[0]["path"] == "/v1/users/7/x"


async def test_a_request_without_host_gets_exactly_the_one_of_the_route() -> None:
    async with Bench(route={"rewrite": {"host": "inner.example"}}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.reply()).status == 200
        assert [line for line in endpoint.received[0].split(b"\r\n") if line.lower().startswith(b"host:")] == [
            b"Host: inner.example"
        ]


@pytest.mark.parametrize(
    ("rewrite", "path", "status", "reason"),
    [
        ({"pattern": "^/(.*)/x/(.*)$", "replacement": "/\\1"}, b"/" + b"a" * 3000, 414, "path_not_rewritable"),
        ({"pattern": "^/(.)-(.)$", "replacement": "/\\1\\2"}, b"/.-.", 400, "malformed_request"),
    ],
)
async def test_a_path_that_cannot_be_rewritten_safely_is_refused_and_the_next_client_served(
    rewrite: dict[str, str], path: bytes, status: int, reason: str
) -> None:
    async with Bench(route={"rewrite": {"path": rewrite}}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        refused = await bench.ask(get(path))
        assert (refused.status, refused.problem["reason"]) == (status, reason)
        assert (await bench.ask(GET)).status == 200
        assert len(endpoint.received) == 1


async def test_request_fields_are_set_appended_and_removed() -> None:
    changes = {"set": {"X-Tier": "gold", "X-Debug": None}, "append": {"X-Hop": "gw"}, "remove": ["x-internal"]}
    async with Bench(route={"request_headers": changes}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        lines = (b"x-tier: lead", b"X-Debug: 1", b"X-Hop: lb", b"X_Internal: yes", b"X-Internal: yes", b"Accept: */*")
        assert (await bench.ask(get(b"/", *lines))).status == 200
        sent = endpoint.received[0].lower()
        assert sent.count(b"x-tier: gold") == sent.count(b"x-tier") == 1
        assert b"x-debug" not in sent
        assert b"internal" not in sent
        assert b"x-hop: lb\r\n" in sent
        assert b"x-hop: gw\r\n" in sent
        assert b"accept: */*\r\n" in sent


async def test_a_body_above_the_routes_limit_is_refused_before_and_while_it_comes() -> None:
    async with Bench(route={"limits": {"max_request": "10B"}}) as bench:
        await bench.endpoint()
        await bench.publish()
        refused = await bench.ask(get(b"/", b"Content-Length: 11", method=b"POST") + b"x" * 11)
        assert (refused.status, refused.problem["reason"]) == (413, "body_too_large")
        chunked = get(b"/", b"Transfer-Encoding: chunked", method=b"POST") + b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n"
        assert (await bench.ask(chunked)).status == 413
        assert (await bench.ask(get(b"/", b"Content-Length: 10", method=b"POST") + b"x" * 10)).status == 200


# -- answered here


async def test_a_redirect_names_the_same_path_and_query_and_cannot_be_split() -> None:
    route = {"id": "old", "redirect": {"status": 308, "to": "https://app.example.com${path}"}}
    async with Bench(routes=[route]) as bench:
        await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(get(b"/a//b/../c?x=1&y=<>"))
        assert (reply.status, reply.field(b"location")) == (308, b"https://app.example.com/a/c?x=1&y=%3C%3E")
        assert (await bench.ask(get(b"//evil.example/"))).field(b"location") == b"https://app.example.com/evil.example/"
        injected = await bench.ask(get(b"/%0d%0aSet-Cookie:x"))
        assert injected.status == 400 or b"\r" not in (injected.field(b"location") or b"")
        assert injected.field(b"set-cookie") is None
        assert (await bench.ask(GET)).status == 308
        assert bench.log[0]["reason"] == "redirected"


CORS = {
    "allowed_origins": ["https://app.example.com"],
    "allowed_methods": ["GET", "PUT"],
    "allowed_headers": ["Authorization"],
    "expose_headers": ["ETag"],
    "credentials": True,
    "max_age": "10m",
}
PAGE_OF_APP = b"Origin: https://app.example.com"
WANTS_PUT = b"Access-Control-Request-Method: PUT"


async def test_a_preflight_is_answered_before_anybody_is_asked_who_they_are(tmp_path: Any) -> None:
    users = tmp_path / "keys"
    users.write_text("client: secret-of-the-client-0123456789\n")
    route = {
        "id": "api",
        "match": {"path": "/*", "methods": ["GET", "PUT"]},
        "service": "api",
        "cors": CORS,
        "access": {"authentication": {"kind": "api_key", "keys": f"file:{users}"}, "deny": ["127.0.0.2/32"]},
    }
    async with Bench(routes=[route]) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        async with bench.client() as client:
            wants = (PAGE_OF_APP, WANTS_PUT, b"Access-Control-Request-Headers: authorization")
            await client.send(get(b"/a", *wants, method=b"OPTIONS"))
            head = (await client.head()).lower()
            assert head.startswith(b"http/1.1 204 ")
            assert b"\r\naccess-control-allow-origin: https://app.example.com\r\n" in head
            assert b"\r\naccess-control-allow-methods: get, put\r\n" in head
            assert b"\r\naccess-control-allow-headers: authorization\r\n" in head
            assert b"\r\naccess-control-allow-credentials: true\r\n" in head
            assert b"\r\naccess-control-max-age: 600\r\n" in head
            assert b"\r\nvary: origin, " in head
            assert b"content-length" not in head
            # The same connection goes on; and who is refused may still be read by the page.
            await client.send(get(b"/a", PAGE_OF_APP))
            refused = await client.reply()
            assert refused.status == 401
            assert refused.field(b"access-control-allow-origin") == b"https://app.example.com"
            assert refused.field(b"vary") == b"Origin"
        assert endpoint.received == []


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((b"Origin: https://evil.example", WANTS_PUT), "cors_origin_denied"),
        ((b"Origin: null", WANTS_PUT), "cors_origin_denied"),
        ((b"Origin: \xff\xfe", WANTS_PUT), "cors_origin_denied"),
        ((PAGE_OF_APP, b"Access-Control-Request-Method: DELETE"), "cors_method_denied"),
        ((PAGE_OF_APP, WANTS_PUT, b"Access-Control-Request-Headers: x-other"), "cors_header_denied"),
        ((PAGE_OF_APP, WANTS_PUT, b'Access-Control-Request-Headers: a b;"c'), "cors_header_denied"),
        ((PAGE_OF_APP, WANTS_PUT, b"Access-Control-Request-Headers: " + b"a," * 500), "cors_header_denied"),
    ],
)
async def test_a_page_that_may_not_call_is_told_so(lines: tuple[bytes, ...], reason: str) -> None:
    async with Bench(route={"cors": CORS}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        refused = await bench.ask(get(b"/a", *lines, method=b"OPTIONS"))
        assert (refused.status, refused.problem["reason"]) == (403, reason)
        assert refused.field(b"access-control-allow-origin") is None
        assert endpoint.received == []
        assert (await bench.ask(GET)).status == 200


async def test_answers_are_decorated_in_place_of_what_the_endpoint_says() -> None:
    async with Bench(route={"cors": CORS}) as bench:
        await bench.endpoint(answering(b"ok", b"Access-Control-Allow-Origin: *", b"Vary: Cookie"))
        await bench.publish()
        reply = await bench.ask(get(b"/", PAGE_OF_APP))
        assert [value for name, value in reply.fields if name == b"access-control-allow-origin"] == [
            b"https://app.example.com"
        ]
        assert reply.field(b"access-control-expose-headers") == b"ETag"
        assert [value for name, value in reply.fields if name == b"vary"] == [b"Cookie", b"Origin"]
        stranger = await bench.ask(get(b"/", b"Origin: https://evil.example"))
        assert stranger.field(b"access-control-allow-origin") is None
        assert (b"vary", b"Origin") in stranger.fields
        no_page = await bench.ask(get(b"/"))
        assert (b"vary", b"Origin") in no_page.fields


async def test_an_options_request_that_is_no_preflight_goes_to_the_endpoint() -> None:
    async with Bench(route={"cors": CORS}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(get(b"/", PAGE_OF_APP, method=b"OPTIONS"))).status == 200
        assert len(endpoint.received) == 1


async def test_errors_of_the_gateways_own_carry_the_routes_fields() -> None:
    fields = {"set": {"Strict-Transport-Security": "max-age=1", "Content-Type": "text/plain"}}
    async with Bench(route={"response_headers": fields, "cors": CORS}) as bench:
        bench.add_address("127.0.0.1:1")
        await bench.publish()
        reply = await bench.ask(get(b"/", PAGE_OF_APP))
        assert reply.status in (502, 503)
        assert reply.field(b"strict-transport-security") == b"max-age=1"
        assert reply.field(b"access-control-allow-origin") == b"https://app.example.com"
        assert [value for name, value in reply.fields if name == b"content-type"] == [b"application/problem+json"]


# -- answers


async def test_answers_fields_are_set_appended_and_removed() -> None:
    changes = {"set": {"X-Frame-Options": "DENY"}, "append": {"X-Via": "gw"}, "remove": ["Server"]}
    async with Bench(route={"response_headers": changes}) as bench:
        await bench.endpoint(answering(b"ok", b"Server: apache", b"x-frame-options: ALLOW", b"X-Via: app"))
        await bench.publish()
        for _ in range(2):  # the second head is the same to the byte, and remembered as it came
            reply = await bench.ask(GET)
            assert (reply.field(b"server"), reply.field(b"x-frame-options"), reply.body) == (None, b"DENY", b"ok")
            assert [value for name, value in reply.fields if name == b"x-via"] == [b"app", b"gw"]


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("coding", [b"zstd", b"br", b"gzip"])
async def test_an_answer_is_compressed_as_the_client_likes_it(coding: bytes, framing: str) -> None:
    async with Bench(route=COMPRESSED) as bench:
        await bench.endpoint(answering(PAGE, HTML, b'ETag: "v1"', b"Accept-Ranges: bytes", framing=framing))
        await bench.publish()
        async with bench.client() as client:
            for _ in range(2):
                await client.send(get(b"/", b"Accept-Encoding: " + coding + b", identity;q=0.5"))
                reply = await client.reply()
                assert (reply.field(b"content-encoding"), reply.field(b"vary")) == (coding, b"Accept-Encoding")
                assert plain(reply) == PAGE
                assert len(reply.body) < len(PAGE) / 4
                assert (reply.field(b"etag"), reply.field(b"accept-ranges")) == (b'W/"v1"', None)
                assert reply.field(b"content-length") is None
            await client.send(get(b"/"))
            reply = await client.reply()
            assert (reply.field(b"content-encoding"), reply.body, reply.field(b"etag")) == (None, PAGE, b'"v1"')
            assert reply.field(b"vary") == b"Accept-Encoding"


@pytest.mark.parametrize(
    ("status", "lines", "request_lines", "method"),
    [
        (b"200 OK", (b"Content-Type: image/png",), (), b"GET"),
        (b"200 OK", (HTML, b"Content-Encoding: gzip"), (), b"GET"),
        (b"200 OK", (HTML, b"Cache-Control: max-age=1, No-Transform"), (), b"GET"),
        (b"206 Partial Content", (HTML, b"Content-Range: bytes 0-1/2"), (b"Range: bytes=0-1",), b"GET"),
        (b"200 OK", (HTML,), (), b"HEAD"),
        (b"200 OK", (), (), b"GET"),
    ],
)
async def test_what_is_not_ours_to_compress_passes_as_it_is(
    status: bytes, lines: tuple[bytes, ...], request_lines: tuple[bytes, ...], method: bytes
) -> None:
    async with Bench(route=COMPRESSED) as bench:
        await bench.endpoint(answering(PAGE, *lines, status=status))
        await bench.publish()
        client = await bench.connect()
        await client.send(get(b"/", b"Accept-Encoding: gzip", *request_lines, method=method))
        head = (await client.head()).lower()
        assert b"content-length: %d\r\n" % len(PAGE) in head
        if method != b"HEAD":
            assert await client.exactly(len(PAGE)) == PAGE


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answers_without_a_body_stay_without(status: bytes) -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\n\r\n")

    async with Bench(route={**COMPRESSED, **REPLACED}) as bench:
        await bench.endpoint(script)
        await bench.publish()
        async with bench.client() as client:
            for _ in range(2):
                await client.send(get(b"/", b"Accept-Encoding: gzip"))
                head = await client.head()
                assert head.startswith(b"HTTP/1.1 " + status[:3])
                assert b"ncoding" not in head


async def test_a_small_answer_is_not_worth_it() -> None:
    async with Bench(route=COMPRESSED) as bench:
        await bench.endpoint(answering(b"x" * 1023, HTML))
        await bench.publish()
        reply = await bench.ask(get(b"/", b"Accept-Encoding: gzip"))
        assert (reply.field(b"content-encoding"), len(reply.body)) == (None, 1023)


@pytest.mark.parametrize(
    "written", [b"gzip;q=1.5", b"gzip;q=", b";;;,,,", b"\xff\xfe", b"gzip;q=0", b"deflate", b"gz\tip"]
)
async def test_a_malformed_accept_encoding_gets_a_plain_answer(written: bytes) -> None:
    async with Bench(route=COMPRESSED) as bench:
        await bench.endpoint(answering(PAGE, HTML))
        await bench.publish()
        reply = await bench.ask(get(b"/", b"Accept-Encoding: " + written))
        assert (reply.field(b"content-encoding"), reply.body) == (None, PAGE)
        assert (await bench.ask(get(b"/", b"Accept-Encoding: gzip"))).field(b"content-encoding") == b"gzip"


async def test_an_event_stream_is_compressed_event_by_event() -> None:
    go_on = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        await connection.send(b"7\r\ndata: 1\r\n")
        await go_on.wait()
        await connection.send(b"7\r\ndata: 2\r\n0\r\n\r\n")

    async with Bench(route=COMPRESSED) as bench:
        await bench.endpoint(script)
        await bench.publish()
        client = await bench.connect()
        await client.send(get(b"/", b"Accept-Encoding: gzip"))
        await client.head()
        reader = zlib.decompressobj(31)
        seen = b""
        while seen != b"data: 1":
            seen += reader.decompress(await client.exactly(int(await client.exactly_line(), 16)))
            await client.exactly(2)
        go_on.set()
        while size := int(await client.exactly_line(), 16):
            seen += reader.decompress(await client.exactly(size))
            await client.exactly(2)
        assert seen == b"data: 1data: 2"
        assert reader.eof


async def test_an_old_client_gets_its_compressed_answer_until_the_close() -> None:
    async with Bench(route=COMPRESSED) as bench:
        await bench.endpoint(answering(PAGE, HTML))
        await bench.publish()
        client = await bench.connect()
        await client.send(get(b"/", b"Accept-Encoding: gzip", version=b"1.0"))
        await client.head()
        assert gzip.decompress(await client.rest()) == PAGE


async def test_a_large_body_is_compressed_in_order_and_a_slow_client_holds_its_endpoint() -> None:
    body = os.urandom(1 << 20) * 24 + PAGE * 100
    sent = 0

    async def script(connection: Connection) -> None:
        nonlocal sent
        if b"GET /small" in await connection.head():
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return
        await connection.send(b"HTTP/1.1 200 OK\r\n" + HTML + b"\r\nContent-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 1 << 16):
            await connection.send(body[start : start + (1 << 16)])
            sent = start

    async with Bench(route=COMPRESSED) as bench:
        await bench.endpoint(script)
        await bench.publish()
        client = await bench.connect()
        await client.send(get(b"/big", b"Accept-Encoding: gzip"))
        await client.head()
        assert (await bench.ask(get(b"/small"))).body == b"ok"
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < len(body) - (4 << 20)  # nobody reads: the endpoint has to wait
        reader, got = zlib.decompressobj(31), bytearray()
        while size := int(await client.exactly_line(), 16):
            got += reader.decompress(await client.exactly(size))
            await client.exactly(2)
        assert bytes(got) == body
        assert reader.eof


async def test_a_client_that_leaves_in_the_middle_of_a_large_body_leaves_nothing_behind() -> None:
    body = os.urandom(8 << 20)
    async with Bench(route=COMPRESSED) as bench:
        await bench.endpoint(answering(body, HTML))
        await bench.publish()
        for _ in range(5):
            client = await bench.connect()
            await client.send(get(b"/", b"Accept-Encoding: br"))
            await client.head()
            client.reset()
        await until(lambda: bench.plane.door.in_flight == 0, "every exchange has ended")
        assert sum(load.in_flight for load in bench.plane.book.loads.values()) == 0
        assert plain(await bench.ask(get(b"/", b"Accept-Encoding: zstd"))) == body


async def test_an_endpoint_that_dies_in_the_middle_is_never_a_whole_compressed_answer() -> None:
    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.send(
            b"HTTP/1.1 200 OK\r\n" + HTML + b"\r\nContent-Length: 1000000\r\n\r\n" + os.urandom(300_000)
        )
        connection.reset()

    async with Bench(route=COMPRESSED, service={"retries": {"max_retries": 0}}) as bench:
        await bench.endpoint(script)
        await bench.publish()
        client = await bench.connect()
        await client.send(get(b"/", b"Accept-Encoding: gzip"))
        try:
            got = await client.rest()
        except ConnectionError:
            got = b""
        assert not got.endswith(b"0\r\n\r\n") or b" 502 " in got


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("times", [1, 100])
async def test_a_body_is_replaced_in_and_asked_for_unencoded(framing: str, times: int) -> None:
    page = PAGE * times
    async with Bench(route={**REPLACED, **COMPRESSED}) as bench:
        endpoint = await bench.endpoint(answering(page, HTML, b'ETag: "v1"', framing=framing))
        await bench.publish()
        reply = await bench.ask(get(b"/", b"Range: bytes=0-1"))
        wanted = page.replace(b"http://", b"https://")
        assert (reply.body, reply.field(b"content-length")) == (wanted, b"%d" % len(wanted))
        assert reply.field(b"etag") == b'W/"v1"'
        reply = await bench.ask(get(b"/", b"Accept-Encoding: br"))
        assert (reply.field(b"content-encoding"), plain(reply)) == (b"br", wanted)
        for sent in endpoint.received:
            assert sent.lower().count(b"accept-encoding: identity\r\n") == sent.lower().count(b"accept-encoding") == 1
            assert b"range:" not in sent.lower()


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_body_of_another_type_or_too_large_or_encoded_passes_as_it_is(framing: str) -> None:
    small = {"response_body": {**REPLACED["response_body"], "max_size": "6KiB"}}
    for lines, body in (
        ((b"Content-Type: text/plain",), PAGE[:100]),
        ((HTML,), PAGE),
        ((HTML, b"Content-Encoding: x-odd"), PAGE[:100]),
    ):
        async with Bench(route=small) as bench:
            await bench.endpoint(answering(body, *lines, framing=framing))
            await bench.publish()
            async with bench.client() as client:
                for _ in range(2):
                    await client.send(GET)
                    assert (await client.reply()).body == body


async def test_while_the_body_is_held_another_endpoint_may_still_answer() -> None:
    async def dying(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\n" + HTML + b"\r\nContent-Length: 1000\r\n\r\n<p>")
        connection.reset()

    async with Bench(route=REPLACED) as bench:
        await bench.endpoint(dying)
        await bench.endpoint(answering(PAGE, HTML), backup=True)
        await bench.publish()
        for _ in range(3):
            assert (await bench.ask(GET)).body == PAGE.replace(b"http://", b"https://")


async def test_head_does_not_promise_a_length_that_a_get_would_not_have() -> None:
    async with Bench(route=REPLACED) as bench:
        await bench.endpoint(answering(PAGE, HTML))
        await bench.publish()
        client = await bench.connect()
        await client.send(get(method=b"HEAD"))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"ontent-" in head
        assert b"ontent-Length" not in head
        await client.send(GET)
        assert (await client.reply()).body == PAGE.replace(b"http://", b"https://")


@pytest.mark.parametrize("shaping", [{}, COMPRESSED, REPLACED])
async def test_an_answer_above_the_routes_limit_is_a_502_or_is_cut(shaping: dict[str, Any]) -> None:
    async with Bench(
        route={"limits": {"max_response": "1000B"}, **shaping}, service={"retries": {"max_retries": 0}}
    ) as bench:
        await bench.endpoint(answering(PAGE, HTML))
        await bench.publish()
        refused = await bench.ask(get(b"/", b"Accept-Encoding: gzip"))
        assert (refused.status, refused.problem["reason"]) == (502, "answer_too_large")
        assert refused.field(b"proxy-status") == b"gw-test; error=http_response_body_size"
        await until(lambda: len(bench.log) == 1, "logged")

    async def dripping(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            await connection.send(b"64\r\n" + b"x" * 100 + b"\r\n")
            await asyncio.sleep(0.01)
        await connection.send(b"0\r\n\r\n")

    async with Bench(route={"limits": {"max_response": "1000B"}, **shaping}) as bench:
        await bench.endpoint(dripping)
        await bench.publish()
        client = await bench.connect()
        await client.send(GET)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        with contextlib.suppress(ConnectionError):  # the cut is a reset
            assert not (await client.rest()).endswith(b"0\r\n\r\n")
        await until(lambda: bool(bench.log), "logged")
        assert bench.log[0]["reason"] == "answer_too_large"


# -- splits


def split(*weights: int, **fields: Any) -> dict[str, Any]:
    services = ["api", "canary"]
    parts = [{"service": name, "weight": weight} for name, weight in zip(services, weights, strict=True)]
    return {"id": "beta", "split": parts, **fields}


async def test_a_split_keeps_to_its_weights_and_its_clients(tmp_path: Any) -> None:
    async with Bench(document={"node": {"id": "gw-test", "region": "eu", "data_dir": str(tmp_path)}}) as bench:
        await bench.endpoint(answering(b"api"))
        await bench.service("canary", answering(b"canary"))
        bench.settings["routes"] = [split(0, 1)]
        await bench.publish()
        assert {(await bench.ask(GET)).body for _ in range(5)} == {b"canary"}
        bench.settings["routes"] = [split(1, 0, sticky_split="cookie")]
        await bench.publish()
        assert {(await bench.ask(GET)).body for _ in range(5)} == {b"api"}


async def test_a_sticky_client_keeps_its_service_and_a_forged_cookie_counts_for_nothing(tmp_path: Any) -> None:
    async with Bench(document={"node": {"id": "gw-test", "region": "eu", "data_dir": str(tmp_path)}}) as bench:
        await bench.endpoint(answering(b"api"))
        await bench.service("canary", answering(b"canary"))
        bench.settings["routes"] = [split(0, 1, sticky_split="cookie")]
        await bench.publish()
        first = await bench.ask(GET)
        cookie = first.field(b"set-cookie") or b""
        assert first.body == b"canary"
        assert cookie.startswith(b"tidegate_split_beta=")
        assert b"; HttpOnly; SameSite=Lax" in cookie
        assert b"Secure" not in cookie
        assert b"canary" not in cookie
        sent = b"Cookie: " + cookie.partition(b";")[0]
        again = await bench.ask(get(b"/", sent))
        assert (again.body, again.field(b"set-cookie")) == (b"canary", None)

        bench.settings["routes"] = [split(1_000_000, 1, sticky_split="cookie")]
        await bench.publish()
        assert (await bench.ask(get(b"/", sent))).body == b"canary"
        assert (await bench.ask(GET)).body == b"api"
        flipped = sent[:-1] + (b"A" if sent[-1:] != b"A" else b"B")
        for forged in (
            flipped,
            b"Cookie: tidegate_split_beta=",
            b"Cookie: tidegate_split_beta=\xff",
            sent[:-8],
            b"Cookie: =;;",
        ):
            reply = await bench.ask(get(b"/", forged))
            assert reply.body == b"api"
            assert (reply.field(b"set-cookie") or b"").startswith(b"tidegate_split_beta=")

        bench.settings["routes"] = [split(1, 0, sticky_split="cookie")]
        await bench.publish()
        assert (await bench.ask(get(b"/", sent))).body == b"api"  # its service takes nobody any more


async def test_a_route_that_asks_for_nothing_is_not_shaped() -> None:
    async with Bench() as bench:
        await bench.endpoint(always_ok)
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
        assert bench.plane.snapshot is not None
        assert bench.plane.snapshot.routing.table.routes[0].shaping is None
