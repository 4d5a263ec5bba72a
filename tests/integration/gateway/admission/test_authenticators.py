"""Basic, API keys and their files, on a real data plane."""

from __future__ import annotations

import asyncio
import base64
import ssl
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from tests.harness.certificates import Authority
from tests.harness.dataplane import Bench, until

HASHED = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


def access(**authentication: Any) -> dict[str, Any]:
    return {"access": {"authentication": authentication}}


def get(*fields: bytes) -> bytes:
    return b"\r\n".join((b"GET / HTTP/1.1", b"Host: h", *fields, b"", b""))


def basic(content: bytes) -> bytes:
    return get(b"Authorization: Basic " + base64.b64encode(content))


@pytest.fixture
def users(tmp_path: Path) -> Path:
    file = tmp_path / "users"
    file.write_text(f"alice:{HASHED}\n")
    return file


async def test_a_password_is_verified_once_and_then_remembered(users: Path) -> None:
    async with Bench(route=access(kind="basic", users=f"file:{users}")) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        async with bench.client() as client:
            for _ in range(3):
                await client.send(basic(b"alice:secret"))
                assert (await client.reply()).status == 200
        for wrong in (b"alice:wrong", b"bob:secret", b"alice:", b"alice:" + b"x" * 100, b"nocolon"):
            reply = await bench.ask(basic(wrong))
            assert reply.status == 401
            assert reply.field(b"www-authenticate") == b'Basic realm="tidegate", charset="UTF-8"'
            assert reply.field(b"content-type") == b"application/problem+json"
        assert (await bench.ask(basic(b"alice:secret"))).status == 200, "the next client is served"
        assert len(endpoint.received) == 4


async def test_a_body_that_comes_while_the_password_is_verified_reaches_the_endpoint_whole(users: Path) -> None:
    async def count(connection: Any) -> None:
        await connection.head()
        assert await connection.exactly(200_000) == b"x" * 200_000
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench(route=access(kind="basic", users=f"file:{users}")) as bench:
        await bench.endpoint(count)
        await bench.publish()
        head = b"POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic %b\r\nContent-Length: 200000\r\n\r\n"
        async with bench.client() as client:
            await client.send(head % base64.b64encode(b"alice:secret") + b"x" * 200_000)
            assert (await client.reply()).status == 200
        reply = await bench.ask(head % base64.b64encode(b"alice:no") + b"x" * 100)
        assert (reply.status, reply.field(b"connection")) == (401, b"close")


async def test_pipelined_requests_are_answered_in_order_though_the_first_waits(users: Path) -> None:
    async with Bench(route=access(kind="basic", users=f"file:{users}")) as bench:
        await bench.endpoint()
        await bench.publish()
        async with bench.client() as client:
            await client.send(basic(b"alice:secret") + get() + basic(b"alice:secret"))
            assert [(await client.reply()).status for _ in range(3)] == [200, 401, 200]


async def test_a_client_that_leaves_while_it_is_held_costs_nothing_and_is_logged(users: Path) -> None:
    await asyncio.to_thread(users.write_text, f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(10)).decode()}\n")
    async with Bench(route=access(kind="basic", users=f"file:{users}")) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(basic(b"alice:wrong"))
        await asyncio.sleep(0.02)
        client.reset()
        await until(lambda: bool(bench.log), "the request is logged")
        assert (bench.log[0]["status"], bench.log[0]["reason"]) == (0, "client_left")
        assert (await bench.ask(basic(b"alice:secret"))).status == 200
        assert len(endpoint.received) == 1


async def test_a_half_closed_client_that_is_held_gets_its_answer(users: Path) -> None:
    async with Bench(route=access(kind="basic", users=f"file:{users}")) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(basic(b"alice:secret"))
        client.writer.write_eof()
        assert (await client.reply()).status == 200
        assert await client.rest() == b""


async def test_keys_are_read_anew_when_their_file_changes_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("first: first-key-of-all\n")
    async with Bench(route=access(kind="api_key", keys=f"file:{keys}")) as bench:
        await bench.endpoint()
        await bench.publish()
        first, second = get(b"X-Api-Key: first-key-of-all"), get(b"X-Api-Key: second-key-of-all")
        assert [(await bench.ask(one)).status for one in (first, second, get())] == [200, 401, 401]
        keys.write_text("second: second-key-of-all\n")
        async with asyncio.timeout(10):
            while (await bench.ask(second)).status != 200:  # noqa: ASYNC110 - asking is how a client would see it
                await asyncio.sleep(0.1)
        assert (await bench.ask(first)).status == 401
        keys.write_text("nonsense")
        await asyncio.sleep(2.5)
        assert (await bench.ask(second)).status == 200


async def test_a_route_whose_file_is_broken_refuses_everybody_and_other_routes_go_on(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("nonsense")
    routes = [
        {"id": "keyed", "match": {"path": "/keyed/*"}, "service": "api", **access(kind="api_key", keys=f"file:{keys}")},
        {"id": "open", "match": {"path": "/*"}, "service": "api"},
    ]
    async with Bench(routes=routes) as bench:
        await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(b"GET /keyed/a HTTP/1.1\r\nHost: h\r\nX-Api-Key: nonsense\r\n\r\n")
        assert (reply.status, reply.problem["reason"]) == (503, "credentials_unavailable")
        assert (await bench.ask(get())).status == 200


async def test_a_denied_address_is_refused_before_anything_else(tmp_path: Path) -> None:
    rules = {"access": {"deny": ["127.0.0.0/8"], "authentication": {"kind": "client_certificate"}}}
    async with Bench(route=rules) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(get())
        assert (reply.status, reply.problem["reason"]) == (403, "address_denied")
        assert not endpoint.connections


async def test_without_a_certificate_a_route_that_wants_one_is_closed() -> None:
    async with Bench(route=access(kind="client_certificate")) as bench:
        await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(get(b"Client-Cert: :MIIB:"))
        assert (reply.status, reply.problem["reason"]) == (401, "certificate_missing")


# -- client certificates


async def test_a_certificate_of_the_listeners_authority_is_let_in_and_nobody_else(tmp_path: Path) -> None:
    authority, foreign = Authority(tmp_path), Authority(tmp_path, "foreign")
    listener = {
        "tls": {
            "certificates": [authority.issue("localhost")],
            "client_certificate": "optional",
            "client_ca": str(authority.file),
        }
    }
    routes = [
        {"id": "closed", "match": {"path": "/"}, "service": "api", **access(kind="client_certificate")},
        {"id": "open", "match": {"path": "/open"}, "service": "api"},
    ]
    alice = authority.issue("alice.test", common_name="alice")
    stranger = foreign.issue("alice.test", common_name="alice")
    claimed = get(b"X-Client-Cert-Subject: CN=alice", b"Client-Cert: :QUJD:")
    async with Bench(listener=listener, routes=routes) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(get(), tls=authority.client(certificate=alice))).status == 200
        for request in (get(), claimed):
            refused = await bench.ask(request, tls=authority.client())
            assert (refused.status, refused.field(b"content-type")) == (401, b"application/problem+json")
            assert refused.field(b"www-authenticate") is not None
        with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
            await bench.ask(get(), tls=authority.client(certificate=stranger))
        assert len(endpoint.received) == 1, "only the certificate that was verified got there"
        assert b"\r\nX-Client-Cert-Subject: CN=alice," in endpoint.received[0]
        without = await bench.ask(b"GET /open HTTP/1.1\r\nHost: h\r\n\r\n", tls=authority.client())
        assert without.status == 200, "another route asks for no proof"


async def test_a_certificate_does_not_speak_for_another_request_without_tls() -> None:
    async with Bench(route=access(kind="client_certificate")) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        refused = await bench.ask(get(b"X-Client-Cert-Subject: CN=alice"))
        assert (refused.status, endpoint.connections) == (401, 0)
