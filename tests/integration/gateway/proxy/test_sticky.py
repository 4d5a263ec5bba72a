"""Sessions that stick, under a real data plane: cookies on the wire, failures, drains, what is counted and logged."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gateway.messages import EndpointState, OperatorState
from tests.harness.dataplane import Bench, Connection, Reply, ScriptedEndpoint


def service(**fields: Any) -> dict[str, Any]:
    return {"sticky_session": {}, "load_balancing": {"algorithm": "round_robin"}, **fields}


def bench_of(tmp_path: Path, document: dict[str, Any] | None = None, **fields: Any) -> Bench:
    node = {"id": "gw-test", "region": "eu", "data_dir": str(tmp_path)}
    return Bench(service=service(**fields), document={"node": node, **(document or {})})


async def ask(bench: Bench, cookie: bytes = b"", path: bytes = b"/") -> Reply:
    line = b"Cookie: mine=1; %b\r\n" % cookie if cookie else b""
    return await bench.ask(b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (path, line))


def cookie_of(reply: Reply) -> bytes:
    line = reply.field(b"set-cookie")
    assert line is not None
    return line.partition(b";")[0]


def id_of(endpoint: ScriptedEndpoint, region: str = "eu") -> str:
    return f"api/{region}/127.0.0.1:{endpoint.port}"


async def named(bench: Bench, name: bytes, **fields: Any) -> ScriptedEndpoint:
    async def script(connection: Connection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name))

    return await bench.endpoint(script, **fields)


async def test_a_client_comes_back_to_its_endpoint_which_never_sees_the_cookie(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        one, other = await named(bench, b"one"), await named(bench, b"other")
        await bench.publish()
        first = await ask(bench)
        cookie = cookie_of(first)
        for _ in range(5):
            again = await ask(bench, cookie)
            assert (again.body, again.field(b"set-cookie")) == (first.body, None)
        assert len(one.received) + len(other.received) == 6
        seen = one.received + other.received
        assert not any(b"tidegate_session" in head for head in seen)
        assert sum(b"\r\nCookie: mine=1\r\n" in head for head in seen) == 5
        assert {line["session"] for line in bench.log[1:]} == {"session_kept"}
        assert bench.log[0]["session"] == "session_begun: cookie_missing"
        attributes = first.field(b"set-cookie") or b""
        assert attributes.endswith(b"; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax")


async def test_a_wall_clock_that_jumps_ends_no_session(tmp_path: Path) -> None:
    async with bench_of(tmp_path, sticky_session={}) as bench:
        await named(bench, b"one")
        await bench.publish()
        cookie = cookie_of(await ask(bench))
        for off in (4000.0, -8000.0, 4000.0):
            bench.wall += off
            assert (await ask(bench, cookie)).field(b"set-cookie") is None


async def test_bad_cookies_are_refused_quietly_and_counted(tmp_path: Path) -> None:
    async with bench_of(tmp_path, sticky_session={"attributes": {"max_age": "1s"}}) as bench:
        await named(bench, b"one")
        await bench.publish()
        cookie = cookie_of(await ask(bench))
        flipped = cookie[:-1] + (b"A" if cookie[-1:] != b"A" else b"B")
        for bad in (
            b"tidegate_session=x",
            b"tidegate_session=",
            flipped,
            b"tidegate_session=" + b"A" * 5000,
            b"\xff=;;=",
        ):
            reply = await ask(bench, bad)
            assert reply.status == 200
            assert reply.field(b"set-cookie") is not None
        bench.wall += 1.9
        assert (await ask(bench, cookie)).field(b"set-cookie") is not None
        counts = {(count.outcome, count.reason): count.count for count in bench.plane.report().session_counts}
        assert counts == {
            ("session_begun", "cookie_missing"): 2,
            ("session_begun", "cookie_refused"): 4,
            ("session_begun", "cookie_expired"): 1,
        }


async def test_an_endpoint_that_dies_hands_its_sessions_over_for_good(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        one, other = await named(bench, b"one"), await named(bench, b"other")
        await bench.publish()
        cookie = cookie_of(await ask(bench))
        assert len(one.received) == 1
        bench.states = {id_of(one): EndpointState("down", "connection refused")}
        await bench.publish()
        moved = await ask(bench, cookie)
        assert moved.body == b"other"
        bench.states = {}
        await bench.publish()
        assert (await ask(bench, cookie_of(moved))).body == b"other"
        assert bench.log[1]["session"] == "session_moved: probe_down"
        level, sessions = 0, bench.plane.report().sessions
        assert level == 0
        assert {endpoint: len(numbers) for endpoint, numbers in sessions.items()} == {id_of(other): 1}


async def test_a_session_moves_when_its_endpoint_fails_under_its_request(tmp_path: Path) -> None:
    async def dies(connection: Connection) -> None:
        await connection.head()
        if len(first.received) == 1:
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
            await connection.head()

    async with bench_of(tmp_path) as bench:
        first = await bench.endpoint(dies)
        await named(bench, b"other")
        await bench.publish()
        cookie = cookie_of(await ask(bench))
        moved = await ask(bench, cookie)
        assert (moved.status, moved.body) == (200, b"other")
        assert cookie_of(moved) != cookie
        assert bench.log[1]["session"] == "session_moved: attempt_failed"
        assert bench.log[1]["attempts"] == 2


async def test_with_the_fallback_error_there_is_503_until_the_endpoint_is_back(tmp_path: Path) -> None:
    async with bench_of(tmp_path, sticky_session={"fallback": "error"}) as bench:
        one, other = await named(bench, b"one"), await named(bench, b"other")
        await bench.publish()
        cookie = cookie_of(await ask(bench))
        bench.states = {id_of(one): EndpointState("down", "http 503")}
        await bench.publish()
        away = await ask(bench, cookie)
        assert (away.status, away.problem["reason"]) == (503, "sticky_endpoint_away")
        assert away.field(b"proxy-status") == b"gw-test; error=destination_unavailable"
        assert away.field(b"retry-after") is not None
        assert b"127.0.0.1" not in away.body
        assert (await ask(bench)).body == b"other"
        bench.states = {}
        await bench.publish()
        assert (await ask(bench, cookie)).body == b"one"
        assert bench.log[1]["session"] == "session_away: probe_down"
        assert len(other.received) == 1


async def test_a_drain_moves_sessions_at_their_next_request_and_lets_none_begin(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        one, other = await named(bench, b"one"), await named(bench, b"other")
        await bench.publish()
        cookies = [cookie_of(await ask(bench)) for _ in range(6)]
        assert (len(one.received), len(other.received)) == (3, 3)
        bench.operator = {id_of(one): OperatorState(share=0.5, is_draining=True)}
        await bench.publish()
        moved = [await ask(bench, cookie) for cookie in cookies]
        assert {reply.body for reply in moved} == {b"other"}
        assert sum(reply.field(b"set-cookie") is not None for reply in moved) == 3
        assert {(await ask(bench)).body for _ in range(6)} == {b"other"}
        assert len(one.received) == 3


async def test_keys_rotate_without_moving_anybody(tmp_path: Path) -> None:
    for key in ("old", "new"):
        (tmp_path / key).write_text(f"key {key}\n")

    def keys(*names: str) -> dict[str, Any]:
        return {"secrets": {"signing_keys": [f"file:{tmp_path / name}" for name in names]}}

    async with bench_of(tmp_path, keys("old")) as bench:
        for name in (b"one", b"two", b"three"):
            await named(bench, name)
        await bench.publish()
        first = await ask(bench)
        bench.settings["document"].update(keys("new", "old"))
        await bench.publish()
        rotated = await ask(bench, cookie_of(first))
        assert rotated.body == first.body
        bench.settings["document"].update(keys("new"))
        await bench.publish()
        last = await ask(bench, cookie_of(rotated))
        assert (last.body, last.field(b"set-cookie")) == (first.body, None)
        assert cookie_of(await ask(bench, cookie_of(first))) != cookie_of(rotated)


async def test_a_cookie_leads_nowhere_that_residency_forbids(tmp_path: Path) -> None:
    document = {"residency": {"rules": [{"data_type": "profile", "allowed_regions": ["eu"]}]}}
    async with bench_of(tmp_path, document) as bench:
        home = await named(bench, b"eu")
        abroad = await named(bench, b"us", region="us")
        bench.settings["routes"] = [
            {"id": "free", "match": {"path": "/free/*"}, "service": "api"},
            {"id": "bound", "match": {"path": "/*"}, "service": "api", "data_types": ["profile"]},
        ]
        bench.states = {id_of(home): EndpointState("down", "http 503")}
        await bench.publish()
        cookie = cookie_of(await ask(bench, path=b"/free/x"))
        assert len(abroad.received) == 1
        bench.states = {}
        await bench.publish()
        assert (await ask(bench, cookie, b"/free/x")).body == b"us"
        assert (await ask(bench, cookie)).body == b"eu"
        assert bench.log[-1]["session"] == "session_moved: region_not_allowed"
        bench.states = {id_of(home): EndpointState("down", "http 503")}
        await bench.publish()
        assert (await ask(bench, cookie)).status == 503
        assert len(abroad.received) == 2


async def test_a_session_survives_a_restart_of_the_data_plane(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        one, other = await named(bench, b"one"), await named(bench, b"other")
        await bench.publish()
        first = await ask(bench)
        async with bench_of(tmp_path) as again:
            again.add_address(f"127.0.0.1:{one.port}")
            again.add_address(f"127.0.0.1:{other.port}")
            await again.publish()
            for _ in range(4):
                assert (await ask(again, cookie_of(first))).body == first.body


async def test_a_tunnel_s_handshake_carries_the_cookie(tmp_path: Path) -> None:
    async def agree(connection: Connection) -> None:
        await connection.head()
        await connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )
        await connection.rest()

    async with bench_of(tmp_path) as bench:
        await bench.endpoint(agree)
        await bench.publish()
        async with bench.client() as client:
            await client.send(
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert b"\r\nSet-Cookie: tidegate_session=" in await client.head()


async def test_a_hedge_is_not_another_session(tmp_path: Path) -> None:
    async def slow(connection: Connection) -> None:
        while True:
            await connection.head()
            if len(one.received) > 2:
                await asyncio.Event().wait()
            await asyncio.sleep(0.05)  # several times what a hedge waits for
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")

    async with bench_of(tmp_path, retries={"hedge_after": "10ms"}) as bench:
        one = await bench.endpoint(slow)
        await bench.publish()
        cookie = cookie_of(await ask(bench))
        other = await named(bench, b"other")
        await bench.publish()
        assert (await ask(bench, cookie)).body == b"one"
        assert (len(one.received), len(other.received)) == (2, 0)
        assert (await ask(bench)).body == b"other"
