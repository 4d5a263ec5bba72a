"""Real TLS clients at a real listener."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import socket
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
import websockets
from websockets.asyncio.server import ServerConnection, serve

from tests.harness.certificates import Authority
from tests.harness.dataplane import Bench, Connection, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


def listener(*pairs: dict[str, str], **tls: Any) -> dict[str, Any]:
    return {"tls": {"certificates": list(pairs), **tls}}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def started(bench: Bench) -> Bench:
    await bench.endpoint()
    await bench.publish()
    return bench


def first_certificate(file: str) -> bytes:
    pem, end, _ = Path(file).read_text().partition(ssl.PEM_FOOTER)
    return ssl.PEM_cert_to_DER_cert(pem + end)


def names_shown(connection: Connection) -> list[str]:
    shown = connection.writer.get_extra_info("ssl_object").getpeercert()
    return [name for kind, name in shown["subjectAltName"] if kind == "DNS"]


async def test_a_request_over_tls_is_answered_and_forwarded_as_https(authority: Authority) -> None:
    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(GET, tls=authority.client())
        assert (reply.status, reply.body) == (200, b"ok")
        assert b"\r\nX-Forwarded-Proto: https\r\n" in endpoint.received[0]
        assert b"proto=https" in endpoint.received[0]


async def test_http_1_1_is_agreed_on_by_alpn(authority: Authority) -> None:
    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        await started(bench)
        context = authority.client()
        context.set_alpn_protocols(["h2", "http/1.1"])
        client = await bench.connect(tls=context)
        assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_the_scheme_of_an_absolute_target_must_be_https(authority: Authority) -> None:
    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        await started(bench)
        tls = authority.client()
        assert (await bench.ask(b"GET https://h/a HTTP/1.1\r\nHost: h\r\n\r\n", tls=tls)).status == 200
        assert (await bench.ask(b"GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", tls=tls)).status == 400


async def test_the_certificate_is_chosen_by_the_name_asked_for(authority: Authority) -> None:
    pairs = [authority.issue("first.test", "localhost"), authority.issue("a.test"), authority.issue("*.a.test")]
    async with Bench(listener=listener(*pairs)) as bench:
        await started(bench)
        tls = authority.client()
        for name, expected in (
            ("a.test", ["a.test"]),
            ("A.TEST", ["a.test"]),
            ("x.a.test", ["*.a.test"]),
            ("first.test", ["first.test", "localhost"]),
        ):
            assert names_shown(await bench.connect(tls=tls, server_name=name)) == expected
        tls.check_hostname = False
        for unknown in ("b.test", "x.y.a.test"):
            shown = names_shown(await bench.connect(tls=tls, server_name=unknown))
            assert shown == ["first.test", "localhost"], unknown


async def test_two_kinds_of_key_for_one_name_serve_each_client_with_its_own(authority: Authority) -> None:
    pairs = [authority.issue("localhost"), authority.issue("localhost", key=trustme.KeyType.RSA)]
    async with Bench(listener=listener(*pairs)) as bench:
        await started(bench)
        for ciphers, expected in (("ECDHE-ECDSA-AES128-GCM-SHA256",) * 2, ("ECDHE-RSA-AES128-GCM-SHA256",) * 2):
            tls = authority.client(newest=ssl.TLSVersion.TLSv1_2)
            tls.set_ciphers(ciphers)
            client = await bench.connect(tls=tls)
            assert client.writer.get_extra_info("cipher")[0] == expected


async def test_older_versions_than_the_oldest_allowed_are_refused_with_an_alert(authority: Authority) -> None:
    async with Bench(listener=listener(authority.issue("localhost"), min_version="TLSv1.3")) as bench:
        await started(bench)
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            await bench.connect(tls=authority.client(newest=ssl.TLSVersion.TLSv1_2))
        await until(lambda: bool(bench.log), "the handshake is logged")
        assert bench.log[0]["reason"] == "tls_handshake_failed"


async def test_only_the_ciphers_that_are_named_are_spoken(authority: Authority) -> None:
    ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"
    async with Bench(listener=listener(authority.issue("localhost"), ciphers=ciphers)) as bench:
        await started(bench)
        tls = authority.client(newest=ssl.TLSVersion.TLSv1_2)
        client = await bench.connect(tls=tls)
        assert client.writer.get_extra_info("cipher")[0] == ciphers
        tls.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
            await bench.connect(tls=tls)


# -- client certificates


def demanding(authority: Authority, mode: str) -> dict[str, Any]:
    return listener(authority.issue("localhost"), client_certificate=mode, client_ca=str(authority.file))


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_required_certificate_that_is_missing_or_foreign_is_refused_with_its_alert(
    authority: Authority, tmp_path: Path, newest: ssl.TLSVersion
) -> None:
    foreign = Authority(tmp_path, "foreign").issue("mallory.test")
    async with Bench(listener=demanding(authority, "require")) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        missing = "CERTIFICATE_REQUIRED" if newest == ssl.TLSVersion.TLSv1_3 else "HANDSHAKE_FAILURE"
        for certificate, alert in ((None, missing), (foreign, "UNKNOWN_CA")):
            with pytest.raises(ssl.SSLError, match=alert):
                # With TLS 1.3 the client's side of the handshake ends before its certificate is looked at.
                await bench.ask(GET, tls=authority.client(certificate=certificate, newest=newest))
        assert endpoint.connections == 0
        assert {line["reason"] for line in bench.log} == {"tls_handshake_failed"}


async def test_an_expired_client_certificate_is_refused(authority: Authority) -> None:
    expired = authority.issue("alice.test", expired=True)
    async with Bench(listener=demanding(authority, "require")) as bench:
        await started(bench)
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_EXPIRED"):
            await bench.ask(GET, tls=authority.client(certificate=expired))


async def test_the_verified_identity_goes_upstream_with_every_request(authority: Authority) -> None:
    alice = authority.issue("alice.test", common_name="Alice, of Example")
    der = first_certificate(alice["certificate"])
    async with Bench(listener=demanding(authority, "require")) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        await bench.ask(GET, tls=authority.client(certificate=alice))
        head = endpoint.received[0]
        assert b"\r\nClient-Cert: :" + base64.b64encode(der) + b":\r\n" in head
        assert b"\r\nX-Client-Cert-Subject: CN=Alice\\, of Example," in head


async def test_where_certificates_are_optional_a_client_without_one_has_no_identity_and_cannot_invent_one(
    authority: Authority, tmp_path: Path
) -> None:
    forged = (
        b"GET /a HTTP/1.1\r\nHost: h\r\nClient-Cert: :QQ==:\r\nclient-cert-chain: :QQ==:\r\n"
        b"X-Client-Cert-Subject: CN=root\r\nX-Forwarded-Client-Cert: Subject=root\r\nX-Kept: 1\r\n\r\n"
    )
    foreign = Authority(tmp_path, "foreign").issue("mallory.test")
    async with Bench(listener=demanding(authority, "optional")) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(forged, tls=authority.client())).status == 200
        assert b"ert" not in endpoint.received[0].lower().replace(b"x-forwarded", b"")
        assert b"X-Kept: 1" in endpoint.received[0]
        with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
            await bench.ask(GET, tls=authority.client(certificate=foreign))


async def test_a_name_with_an_underscore_for_the_identity_is_refused() -> None:
    async with Bench() as bench:
        await started(bench)
        assert (await bench.ask(b"GET / HTTP/1.1\r\nHost: h\r\nClient_Cert: :QQ==:\r\n\r\n")).status == 400


# -- what is no TLS, or never becomes it


async def test_plain_http_at_a_tls_port_is_told_so_in_plain_http(authority: Authority) -> None:
    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        await started(bench)
        reply = await bench.ask(GET)
        assert (reply.status, reply.problem["reason"]) == (400, "plain_http")


async def test_tls_at_a_plain_port_is_refused() -> None:
    async with Bench() as bench:
        await started(bench)
        with pytest.raises(ssl.SSLError):
            await bench.connect(tls=ssl.create_default_context())


async def test_nonsense_at_a_tls_port_is_cut_and_logged_once(authority: Authority) -> None:
    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        await started(bench)
        client = await bench.connect()
        await client.send(b"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff")
        with contextlib.suppress(ConnectionError):
            await client.rest()
        await until(lambda: bool(bench.log), "it is logged")
        assert [line["reason"] for line in bench.log] == ["tls_handshake_failed"]


async def test_a_client_that_leaves_before_its_first_byte_is_not_worth_a_line(authority: Authority) -> None:
    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        await started(bench)
        for _ in range(3):
            (await bench.connect()).close()
        await bench.ask(GET, tls=authority.client())
        await until(lambda: bench.plane.clients.handshakes == 0, "all handshakes have ended")
        assert [line["status"] for line in bench.log] == [200]


async def test_a_slow_handshake_is_cut(authority: Authority) -> None:
    slow = {**listener(authority.issue("localhost")), "timeouts": {"tls_handshake": "100ms"}}
    async with Bench(listener=slow) as bench:
        await started(bench)
        client = await bench.connect()
        await client.send(b"\x16\x03")
        assert await client.rest() == b""
        await until(lambda: bool(bench.log), "it is logged")
        assert bench.log[0]["reason"] == "tls_handshake_timeout"
        assert (await bench.ask(GET, tls=authority.client())).status == 200


async def test_handshakes_beyond_the_connection_limit_are_not_begun(authority: Authority) -> None:
    narrow = {**listener(authority.issue("localhost")), "limits": {"max_connections": 2}}
    async with Bench(listener=narrow) as bench:
        await started(bench)
        waiting = [await bench.connect() for _ in range(2)]
        await until(lambda: bench.plane.clients.handshakes == 2, "both handshakes have begun")
        with contextlib.suppress(ConnectionError):
            assert await (await bench.connect()).rest() == b""
        for client in waiting:
            client.close()
        await until(lambda: bench.plane.clients.handshakes == 0, "they have left")
        assert (await bench.ask(GET, tls=authority.client())).status == 200


# -- PROXY headers come before the first byte of TLS


async def test_a_proxy_header_in_pieces_then_tls_in_the_same_segment(authority: Authority) -> None:
    behind = {
        **listener(authority.issue("localhost")),
        "proxy_protocol": True,
        "trusted_proxies": ["127.0.0.1/32"],
    }
    async with Bench(listener=behind) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()

        def ask() -> bytes:
            with socket.create_connection(("127.0.0.1", bench.port)) as sock:
                sock.settimeout(10)
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = authority.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
                header = b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n"
                sock.sendall(header[:9])
                unsent = header[9:]
                answer = b""
                is_asked = False
                while not answer:
                    try:
                        if not is_asked:
                            tls.do_handshake()
                            tls.write(GET)
                            is_asked = True
                        answer = tls.read()
                    except ssl.SSLWantReadError:
                        pass
                    sock.sendall(unsent + outgoing.read())
                    unsent = b""
                    if not answer:
                        incoming.write(sock.recv(65536))
                return answer

        answer = await asyncio.to_thread(ask)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"X-Forwarded-For: 192.0.2.7\r\n" in endpoint.received[0]


async def test_without_a_proxy_header_from_a_trusted_peer_no_handshake_begins(authority: Authority) -> None:
    pair = authority.issue("localhost")
    for trusted in ([], ["127.0.0.1/32"]):
        behind = {**listener(pair), "proxy_protocol": True, "trusted_proxies": trusted}
        async with Bench(listener=behind) as bench:
            await started(bench)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await bench.connect(tls=authority.client())


# -- the end of a connection


async def test_a_client_that_ends_its_side_has_left(authority: Authority) -> None:
    """No half-closed connections over TLS: close_notify counts as leaving."""
    left = asyncio.Event()

    async def never(connection: Connection) -> None:
        await connection.head()
        with contextlib.suppress(ConnectionError):
            await connection.rest()
        left.set()

    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        endpoint = await bench.endpoint(never)
        await bench.publish()

        client = await bench.connect(tls=authority.client())
        await client.send(GET)
        await until(lambda: bool(endpoint.received), "the request is in flight")
        client.close()
        async with asyncio.timeout(10):
            await left.wait()
        assert endpoint.connections == 1
        await until(lambda: bool(bench.log), "it is logged")
        assert bench.log[0]["reason"] == "client_left"


async def test_a_body_that_is_not_read_still_gets_its_answer(authority: Authority) -> None:
    request = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400_000
    narrow = {**listener(authority.issue("localhost")), "limits": {"max_body": "1KiB"}}
    async with Bench(listener=narrow) as bench:
        await started(bench)
        client = await bench.connect(tls=authority.client())
        client.writer.write(request)
        reply = await client.reply()
        assert (reply.status, reply.field(b"connection")) == (413, b"close")


async def test_a_drain_waits_for_a_handshake_under_way(authority: Authority) -> None:
    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        await started(bench)
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
        await until(lambda: bench.plane.clients.handshakes == 1, "the handshake has begun")
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(bench.plane.drain(10.0))
            await until(lambda: bench.plane.is_draining, "the drain has begun")
            await writer.start_tls(authority.client(), server_hostname="localhost")
            client = Connection(reader, writer)
            await client.send(GET)
            assert (await client.reply()).status == 200
        assert draining.result() == 0


# -- sessions


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_is_resumed_with_the_identity_that_it_was_made_with(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    alice = authority.issue("alice.test", common_name="alice")
    tls = authority.client(certificate=alice, newest=version)
    side = listener(
        authority.issue("first.test"),
        authority.issue("localhost"),
        client_certificate="require",
        client_ca=str(authority.file),
    )
    async with Bench(listener=side) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()

        def ask(session: ssl.SSLSession | None) -> tuple[bool | None, ssl.SSLSession | None]:
            sock = socket.create_connection(("127.0.0.1", bench.port))
            with tls.wrap_socket(sock, server_hostname="localhost", session=session) as wrapped:
                wrapped.sendall(GET)
                assert wrapped.recv(65536).startswith(b"HTTP/1.1 200")
                return wrapped.session_reused, wrapped.session

        reused, session = await asyncio.to_thread(ask, None)
        assert not reused
        reused, _ = await asyncio.to_thread(ask, session)
        assert reused
        assert all(b"X-Client-Cert-Subject: CN=alice" in head for head in endpoint.received)


# -- other people's clients


async def test_a_websocket_is_tunnelled_over_tls_on_both_sides(authority: Authority) -> None:
    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    pair = authority.issue("localhost")
    service = {"upstream_tls": {"ca": str(authority.file)}}
    async with (
        serve(echo, "127.0.0.1", 0, ssl=authority.server(pair)) as server,
        Bench(listener=listener(pair), service=service) as bench,
    ):
        bench.add_address(f"localhost:{server.sockets[0].getsockname()[1]}")
        await bench.publish()
        async with websockets.connect(f"wss://localhost:{bench.port}/a", ssl=authority.client(), proxy=None) as client:
            for message in ("hello", b"x" * 300_000):
                await client.send(message)
                assert await client.recv() == message


async def test_aiohttp_is_served(authority: Authority) -> None:
    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        await started(bench)
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.get(
                    f"https://localhost:{bench.port}/a", ssl=authority.client(), allow_redirects=False
                ) as response:
                    assert (response.status, await response.read()) == (200, b"ok")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_curl_is_served(authority: Authority, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"x" * 3_000_000)

    async def echo_length(connection: Connection) -> None:
        head = await connection.head()
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await connection.exactly(length)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench(listener=listener(authority.issue("localhost"))) as bench:
        await bench.endpoint(echo_length)
        await bench.publish()
        curl = await asyncio.create_subprocess_exec(
            *("curl", "-sS", "--http1.1", "--cacert", str(authority.file), "--data-binary", f"@{body}"),
            *("-w", " %{http_code} %{ssl_verify_result}", f"https://localhost:{bench.port}/a"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await curl.communicate()
        assert output == b"ok 200 0"
