"""TLS towards endpoints: whom we believe, what is told of failures, and which answers are whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.certificates import Authority
from tests.harness.dataplane import Bench, Connection, always_ok

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def service(authority: Authority, **tls: Any) -> dict[str, Any]:
    return {"upstream_tls": {"ca": str(authority.file), **tls}}


async def test_an_endpoint_is_spoken_to_by_its_name_and_over_one_connection(authority: Authority) -> None:
    asked: list[str | None] = []
    context = authority.server(authority.issue("localhost"))
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with Bench(service=service(authority)) as bench:
        endpoint = await bench.endpoint(name="localhost", tls=context)
        await bench.publish()
        async with bench.client() as client:
            for _ in range(3):
                await client.send(GET)
                assert (await client.reply()).body == b"ok"
        assert endpoint.connections == 1
        assert asked == ["localhost"]


async def test_an_endpoint_may_be_known_by_another_name_or_by_its_address(authority: Authority) -> None:
    async with Bench(service=service(authority, server_name="api.internal")) as bench:
        await bench.endpoint(tls=authority.server(authority.issue("api.internal")))
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
    async with Bench(service=service(authority)) as bench:
        await bench.endpoint(tls=authority.server(authority.issue("127.0.0.1")))
        await bench.publish()
        assert (await bench.ask(GET)).status == 200


@pytest.mark.parametrize("fault", ["expired", "untrusted", "other name"])
async def test_a_certificate_that_is_not_to_be_trusted_gets_no_byte_of_the_request(
    authority: Authority, tmp_path: Path, fault: str
) -> None:
    signer = Authority(tmp_path, "foreign") if fault == "untrusted" else authority
    pair = signer.issue("other" if fault == "other name" else "localhost", expired=fault == "expired")
    async with Bench(service=service(authority)) as bench:
        endpoint = await bench.endpoint(name="localhost", tls=signer.server(pair))
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.problem["reason"]) == (502, "tls_failure")
        assert reply.field(b"proxy-status") == b"gw-test; error=tls_certificate_error"
        assert endpoint.received == []


async def test_without_verification_any_certificate_will_do(authority: Authority, tmp_path: Path) -> None:
    foreign = Authority(tmp_path, "foreign")
    async with Bench(service={"upstream_tls": {"verify": False}}) as bench:
        await bench.endpoint(tls=foreign.server(foreign.issue("other", expired=True)))
        await bench.publish()
        assert (await bench.ask(GET)).status == 200


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_our_certificate_is_shown_and_its_refusal_told_by_the_alert(
    authority: Authority, tmp_path: Path, newest: ssl.TLSVersion
) -> None:
    foreign = Authority(tmp_path, "foreign")
    for pair, expected in ((authority.issue("gw.test"), 200), (foreign.issue("gw.test"), 502)):
        context = authority.server(authority.issue("localhost"), client_ca=authority.file)
        context.maximum_version = newest
        shown = {"client_certificate": pair["certificate"], "client_key": pair["private_key"]}
        async with _endpoint_with_alerts(context) as port, Bench(service=service(authority, **shown)) as bench:
            bench.add_address(f"localhost:{port}")
            await bench.publish()
            reply = await bench.ask(GET)
            assert reply.status == expected
            if expected == 502:
                assert reply.field(b"proxy-status") == b"gw-test; error=tls_alert_received"


@contextlib.asynccontextmanager
async def _endpoint_with_alerts(context: ssl.SSLContext) -> AsyncIterator[int]:
    """A blocking server: unlike the loop's TLS, it sends its alerts."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    accepted, _ = listening.accept()
                    accepted.settimeout(10)
                    with contextlib.suppress(ssl.SSLError), context.wrap_socket(accepted, server_side=True) as tls:
                        if tls.recv(65536):
                            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                            tls.recv(1)

        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(serve))
            try:
                yield listening.getsockname()[1]
            finally:
                listening.shutdown(socket.SHUT_RDWR)


async def test_an_endpoint_that_speaks_no_tls_is_told_from_one_that_is_not_there(authority: Authority) -> None:
    async def nonsense(connection: Connection) -> None:
        await connection.send(b"220 welcome to something else\r\n")
        await connection.rest()

    async with Bench(service={**service(authority), "retries": {"max_retries": 0}}) as bench:
        endpoint = await bench.endpoint(nonsense, name="localhost")
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.field(b"proxy-status")) == (502, b"gw-test; error=tls_protocol_error")
        assert bench.plane.book.load(f"api/eu/localhost:{endpoint.port}").connect_failures == 1


async def test_an_endpoint_that_cuts_the_handshake_is_a_failure_of_tls(authority: Authority) -> None:
    async def cut(connection: Connection) -> None:
        await connection.exactly(1)

    async with Bench(service={**service(authority), "retries": {"max_retries": 0}}) as bench:
        await bench.endpoint(cut, name="localhost")
        await bench.publish()
        assert (await bench.ask(GET)).field(b"proxy-status") == b"gw-test; error=tls_protocol_error"


async def test_an_endpoint_that_never_finishes_the_handshake_is_a_connection_timeout(authority: Authority) -> None:
    async def silent(connection: Connection) -> None:
        await connection.rest()

    hasty = {**service(authority), "timeouts": {"connect": "100ms"}, "retries": {"max_retries": 0}}
    async with Bench(service=hasty) as bench:
        await bench.endpoint(silent, name="localhost")
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.field(b"proxy-status")) == (504, b"gw-test; error=connection_timeout")


async def test_a_failed_handshake_moves_even_a_post_to_the_next_endpoint(authority: Authority) -> None:
    post = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"

    async def take(connection: Connection) -> None:
        await connection.head()
        await connection.exactly(4)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench(service=service(authority)) as bench:
        expired = authority.server(authority.issue("localhost", expired=True))
        bad = await bench.endpoint(take, name="localhost", tls=expired, priority=0)
        await bench.endpoint(take, name="localhost", tls=authority.server(authority.issue("localhost")), backup=True)
        await bench.endpoint(take, region="us", name="localhost", tls=authority.server(authority.issue("localhost")))
        await bench.publish()
        assert (await bench.ask(post)).status == 200
        assert bad.received == []


# -- which answers are whole


def _until_close(*, with_notify: bool) -> Any:
    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\nhalf or whole")
        if not with_notify:
            descriptor = connection.writer.get_extra_info("socket").fileno()
            with socket.socket(fileno=os.dup(descriptor)) as below:
                below.shutdown(socket.SHUT_WR)  # FIN, without a word of TLS
            with contextlib.suppress(ConnectionError):
                await connection.rest()

    return script


async def test_a_body_that_ends_with_close_notify_is_whole(authority: Authority) -> None:
    async with Bench(service=service(authority)) as bench:
        tls = authority.server(authority.issue("localhost"))
        await bench.endpoint(_until_close(with_notify=True), name="localhost", tls=tls)
        await bench.publish()
        assert (await bench.ask(GET)).body == b"half or whole"
        assert bench.log[0].get("reason") is None


async def test_a_body_that_ends_without_close_notify_is_not_made_to_look_whole(authority: Authority) -> None:
    async with Bench(service=service(authority)) as bench:
        tls = authority.server(authority.issue("localhost"))
        await bench.endpoint(_until_close(with_notify=False), name="localhost", tls=tls)
        await bench.publish()
        async with bench.client() as client:
            await client.send(GET)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reply()
        assert bench.log[0]["reason"] == "reset"


async def test_an_answer_of_known_length_that_is_cut_is_not_made_to_look_whole(authority: Authority) -> None:
    async def cut(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async with Bench(service=service(authority)) as bench:
        await bench.endpoint(cut, name="localhost", tls=authority.server(authority.issue("localhost")))
        await bench.publish()
        async with bench.client() as client:
            await client.send(GET)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reply()


async def test_large_bodies_pass_both_ways_over_tls_on_both_sides(authority: Authority) -> None:
    size = 8 * 1024 * 1024

    async def echo(connection: Connection) -> None:
        await connection.head()
        body = await connection.exactly(size)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)

    pair = authority.issue("localhost")
    async with Bench(listener={"tls": {"certificates": [pair]}}, service=service(authority)) as bench:
        await bench.endpoint(echo, name="localhost", tls=authority.server(pair))
        await bench.publish()
        client = await bench.connect(tls=authority.client())
        body = bytes(range(256)) * (size // 256)
        client.writer.write(b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size + body)
        assert (await client.reply()).body == body


# -- what a pooled connection is good for


async def test_a_pooled_connection_is_not_used_under_other_tls_settings(authority: Authority) -> None:
    asked: list[str | None] = []
    context = authority.server(authority.issue("a.test", "b.test"))
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with Bench(service=service(authority, server_name="a.test")) as bench:
        endpoint = await bench.endpoint(always_ok, tls=context)
        await bench.publish()
        for name in ("a.test", "b.test"):
            bench.settings["service"] = service(authority, server_name=name)
            for _ in range(2):
                await bench.publish()  # one that changes nothing of it keeps the connection
                await bench.ask(GET)
        assert asked == ["a.test", "b.test"]
        assert endpoint.connections == 2


async def test_a_service_that_turns_to_tls_leaves_its_plain_connections_behind(authority: Authority) -> None:
    async with Bench(service={}) as bench:
        endpoint = await bench.endpoint(always_ok)
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
        bench.settings["service"] = {**service(authority), "timeouts": {"connect": "100ms"}}
        await bench.publish()
        assert (await bench.ask(GET)).status == 504, "a handshake that it does not understand"
        assert len(endpoint.received) == 1
