"""Data planes of two nodes that count together, over a real Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.harness.dataplane import Bench, until
from tests.harness.redis import RedisServer

REGIONS = [{"id": "eu", "peers": ["http://a:1", "http://b:1"]}, {"id": "us"}]


def get(client: str) -> bytes:
    return f"GET / HTTP/1.1\r\nHost: h\r\nX-Client: {client}\r\n\r\n".encode()


def bench(url: str, *, scope: str = "region", **limit: Any) -> Bench:
    limits = {"kind": "redis", "region": url, "global": url}
    asked = {"key": ["header:X-Client"], "rate": "1/m", "burst": 8, "scope": scope, **limit}
    return Bench(route={"rate_limit": [asked]}, document={"stores": {"limits": limits}}, regions=REGIONS)


def stores_of(one: Bench) -> dict[str, str]:
    """Why nodes do not count together, by scope."""
    return one.plane.report().admission.stores


def is_shared(one: Bench) -> bool:
    return bool(stores_of(one)) and not any(stores_of(one).values())


async def begin(one: Bench) -> None:
    await one.endpoint()
    await one.publish()
    await until(lambda: is_shared(one), "nodes count together")


async def test_what_one_node_has_admitted_another_refuses(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", durable=False)
    burst, most_over = 40, 10  # max(burst / 4, 4 * holders) of gateway/core/leases.py
    try:
        async with bench(server.url, burst=burst) as one, bench(server.url, burst=burst) as other:
            await begin(one)
            await begin(other)
            first = [(await one.ask(get("a"))).status for _ in range(burst + most_over + 5)].count(200)
            second = [(await other.ask(get("a"))).status for _ in range(burst)].count(200)
            assert first > burst / 2, "more than the half that it would have if each node counted for itself"
            assert second < burst / 2, "less than the half: the other node's were counted"
            assert burst - most_over <= first + second <= burst + most_over
            assert (await other.ask(get("a"))).status == 429
            assert (await other.ask(get("b"))).status == 200, "another client"
    finally:
        server.kill()


async def test_a_dead_server_is_told_and_leaves_each_node_its_share(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", durable=False)
    try:
        async with bench(server.url) as one:
            await begin(one)
            server.kill()
            await until(lambda: all(stores_of(one).values()), "it is told")
            assert set(stores_of(one)) == {"region", "global"}
            assert "ConnectionError" in stores_of(one)["region"]
            statuses = [(await one.ask(get("a"))).status for _ in range(8)]
            assert statuses.count(200) == 4, "a half: two nodes stand in this region"
    finally:
        server.kill()


async def test_a_reload_keeps_the_line_unless_it_names_another_server(tmp_path: Path) -> None:
    first, second = (RedisServer(tmp_path / name, durable=False) for name in ("first", "second"))
    try:
        async with bench(first.url) as one:
            await begin(one)
            line = one.plane.door.counters.stores["region"]
            await one.publish()
            assert one.plane.door.counters.stores["region"] is line
            one.settings["document"] = {"stores": {"limits": {"kind": "redis", "region": second.url}}}
            await one.publish()
            assert set(one.plane.door.counters.stores) == {"region"}
            assert one.plane.door.counters.stores["region"] is not line
            await until(lambda: is_shared(one), "it counts on the second")
            one.settings["document"] = {"stores": {"limits": {"kind": "redis", "region": "env:NOT_SET"}}}
            await one.publish()
            assert (await one.ask(get("a"))).status == 200, "a secret that is not there costs the sharing only"
            assert one.plane.door.counters.stores == {}
    finally:
        first.kill()
        second.kill()
