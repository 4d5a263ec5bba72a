"""Requests that one gateway forwards to another: both sides through real data planes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from config.core.signing import Signer
from gateway.core.hops import Hop, bound_to, field_line
from tests.harness.certificates import Authority
from tests.harness.dataplane import Bench, Connection, free_port, until
from tests.harness.node import Backend, Node, fetch

KEY = "k" * 32
MESH: dict[str, Any] = {"secrets": {"signing_keys": ["env:HOP_KEY"]}}
RULES = {"rules": [{"data_type": "profile", "allowed_regions": ["us"]}], "audit": {}}
ONLY_DE = {"access": {"countries": {"allow": ["DE"], "unknown": "deny"}}, "request_headers": {"append": {"X-Hop": "1"}}}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOP_KEY", KEY)


def regions(port: int = 1, *, eu: str = "gateway") -> list[dict[str, Any]]:
    """`eu` is where the bench stands; `us` is behind a gateway on `port`."""
    return [
        {"id": "eu", "reach": eu, "gateway": "http://127.0.0.1:9", "priority": 2},
        {"id": "us", "reach": "gateway", "gateway": f"http://127.0.0.1:{port}", "priority": 1},
    ]


def hop(bench: Bench, path: bytes = b"/a", *, signer: Signer | None = None, **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "at": bench.wall,
        "nonce": random.getrandbits(60),
        "source": "gw-us-1",
        "destination": "eu",
        "route": "all",
        "service": "api",
        "client_ip": "192.0.2.7",
        "country": "DE",
        "is_copy": False,
        "bound_to": bound_to("GET", path, b""),
    }
    return field_line(signer or Signer([KEY.encode()]), Hop(**(fields | changes)))


def get(*lines: bytes, path: bytes = b"/a") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n" + b"".join(lines) + b"\r\n"


def receiving(**settings: Any) -> Bench:
    return Bench(regions=regions(), document=MESH, **{"route": ONLY_DE, **settings})


# -- the gateway that forwards


async def test_a_request_for_a_region_behind_its_gateway_goes_there_with_the_decision_signed() -> None:
    listener = {"trusted_proxies": ["127.0.0.0/8"]}
    async with Bench(route={"region_routing": {"prefer_local": False}}, document=MESH, listener=listener) as bench:
        gateway = await bench.endpoint(region="us")
        bench.settings["regions"] = regions(gateway.port, eu="direct")
        hidden = bench.dead_address(region="us")
        await bench.endpoint(region="eu")
        await bench.publish()
        forged = b"Tidegate-Hop: forged\r\n"
        for _ in range(2):
            assert (await bench.ask(get(b"X-Forwarded-For: 192.0.2.7\r\n", forged))).status == 200
        assert bench.log[0]["endpoint"] == f"api/us/127.0.0.1:{gateway.port}"
        assert hidden not in {line["endpoint"] for line in bench.log}
        sealed = [head.partition(b"Tidegate-Hop: ")[2].partition(b"\r\n")[0] for head in gateway.received]
        assert len(set(sealed)) == 2
        assert all(head.count(b"idegate-") == 1 for head in gateway.received)
        ledger_of_us = bench.plane.hops._ledger
        found = ledger_of_us.open(
            Signer([KEY.encode()]),
            sealed[0].decode(),
            region="us",
            request=bound_to("GET", b"/a", b""),
            now=bench.wall,
        )
        assert isinstance(found, Hop)
        assert (found.source, found.route, found.service, found.client_ip) == ("gw-test", "all", "api", "192.0.2.7")


@pytest.mark.parametrize(("is_trusted", "status"), [(True, 200), (False, 502)])
async def test_a_gateway_whose_certificate_is_by_an_authority_of_its_own(
    tmp_path: Path, is_trusted: bool, status: int
) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    async with Bench(route={"region_routing": {"prefer_local": False}}, document=MESH) as bench:
        tls = authority.server(authority.issue("127.0.0.1"))
        gateway = await bench.endpoint(region="us", tls=tls)
        ca = authority if is_trusted else stranger
        bench.settings["regions"] = regions(gateway.port, eu="direct")
        bench.settings["regions"][1] |= {
            "gateway": f"https://127.0.0.1:{gateway.port}",
            "gateway_tls": {"ca": str(ca.file)},
        }
        await bench.publish()
        assert (await bench.ask(get())).status == status
        assert len(gateway.received) == (1 if is_trusted else 0)


async def test_a_gateway_that_is_gone_is_followed_by_the_next_region() -> None:
    async with Bench(route={"region_routing": {"prefer_local": False}}, document=MESH) as bench:
        bench.settings["regions"] = regions(free_port())
        bench.add_address("127.0.0.1:1", region="us")
        await bench.endpoint(region="eu")
        await bench.publish()
        assert (await bench.ask(get())).status == 200
        assert bench.log[0]["region"] == "eu"
        assert bench.log[0]["attempts"] == 2


async def test_a_transfer_through_a_gateway_is_on_record_and_residency_holds_before_it() -> None:
    for allowed, status in ((["eu", "us"], 200), (["eu"], 503)):
        rules = {"rules": [{"data_type": "profile", "allowed_regions": allowed}], "audit": {}}
        async with Bench(route={"data_types": ["profile"]}, document={**MESH, "residency": rules}) as bench:
            gateway = await bench.endpoint(region="us")
            bench.settings["regions"] = regions(gateway.port)
            await bench.publish()
            assert (await bench.ask(get())).status == status
            assert len(gateway.received) == (status == 200)
            assert [record["kind"] for record in bench.audited] == ["transfer" if status == 200 else "denied"]


# -- the gateway that is forwarded to


async def test_the_other_gateways_client_and_decision_are_believed() -> None:
    async with receiving() as bench:
        endpoint = await bench.endpoint(region="eu")
        await bench.publish()
        client = await bench.connect()
        await client.send(get(hop(bench), b"X-Forwarded-For: 192.0.2.7\r\nX-Request-Id: their-id\r\n"))
        reply = await client.reply()
        assert (reply.status, reply.field(b"x-request-id")) == (200, b"their-id")
        assert (bench.log[0]["client"], bench.log[0]["route"], bench.log[0]["region"]) == ("192.0.2.7", "all", "eu")
        sent = endpoint.received[0]
        assert b"X-Hop" not in sent  # what the route changes, the other gateway has changed already
        assert b"Tidegate-Hop" not in sent
        assert b"\r\nX-Forwarded-For: 192.0.2.7, 127.0.0.1\r\n" in sent
        # The next request on the connection brings none, and is the peer's own again.
        await client.send(get())
        refused = await client.reply()
        assert (refused.status, refused.problem["reason"]) == (403, "country_denied")
        assert bench.log[1]["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    "changes",
    [
        {"destination": "us"},
        {"at": 0.0},
        {"at": 1_700_000_016.0},
        {"bound_to": bound_to("GET", b"/b", b"")},
    ],
)
async def test_what_is_not_for_us_now_is_refused_and_reaches_nobody(changes: dict[str, Any]) -> None:
    async with receiving() as bench:
        endpoint = await bench.endpoint(region="eu")
        await bench.publish()
        refused = await bench.ask(get(hop(bench, **changes)))
        assert (refused.status, refused.problem["reason"]) == (403, "hop_refused")
        assert endpoint.received == []
        assert (await bench.ask(get(hop(bench)))).status == 200
        counted = {(count.status, count.reason) for count in bench.plane.report().routes}
        assert (403, "hop_refused") in counted


async def test_forged_doubled_and_repeated_hops_are_refused() -> None:
    async with receiving() as bench:
        endpoint = await bench.endpoint(region="eu")
        await bench.publish()
        once = hop(bench)
        forged = hop(bench, signer=Signer([b"x" * 32]))
        assert (await bench.ask(get(once))).status == 200
        for lines in ((once,), (forged,), (hop(bench), hop(bench)), (b"Tidegate-Hop: \xff\xfe\r\n",)):
            assert (await bench.ask(get(*lines))).problem["reason"] == "hop_refused"
        underscored = await bench.ask(get(hop(bench).replace(b"Tidegate-Hop", b"Tidegate_Hop")))
        assert underscored.status == 400
        assert len(endpoint.received) == 1


async def test_a_node_that_nobody_reaches_that_way_drops_the_field() -> None:
    async with Bench(regions=regions(eu="direct"), document=MESH) as bench:
        endpoint = await bench.endpoint(region="eu")
        await bench.publish()
        assert (await bench.ask(get(hop(bench)))).status == 200
        assert bench.log[0]["client"] == "127.0.0.1"
        assert b"Tidegate" not in endpoint.received[0]


async def test_it_goes_no_further_than_here() -> None:
    route = {"region_routing": {"prefer_local": False}}
    async with Bench(document=MESH, route=route) as bench:
        elsewhere = await bench.endpoint(region="us")
        bench.settings["regions"] = regions(elsewhere.port)
        bench.dead_address(region="eu")
        await bench.publish()
        assert (await bench.ask(get(hop(bench)))).status == 502
        assert elsewhere.connections == 0
        # Without a hop the very same request goes there.
        assert (await bench.ask(get())).status == 200


@pytest.mark.parametrize("changes", [{"route": "gone"}, {"service": "gone"}, {"service": "other"}])
async def test_a_decision_that_this_configuration_does_not_know_is_given_back(changes: dict[str, Any]) -> None:
    async with receiving() as bench:
        await bench.endpoint(region="eu")
        await bench.service("other")
        await bench.publish()
        refused = await bench.ask(get(hop(bench, **changes)))
        assert (refused.status, refused.problem["reason"]) == (503, "hop_refused")
        assert refused.field(b"retry-after") is not None


async def test_residency_is_asked_here_too() -> None:
    async with Bench(
        regions=regions(), document={**MESH, "residency": RULES}, route={"data_types": ["profile"]}
    ) as bench:
        endpoint = await bench.endpoint(region="eu")
        await bench.endpoint(region="us")
        await bench.publish()
        refused = await bench.ask(get(hop(bench)))
        assert (refused.status, refused.problem["rule"]) == (421, "profile")
        assert endpoint.connections == 0
        assert [record["kind"] for record in bench.audited] == ["denied"]


async def test_a_copy_is_marked_again_behind_the_gateway() -> None:
    async with receiving(route={"mirror": {"service": "shadow", "percent": "100%"}}) as bench:
        await bench.endpoint(region="eu")
        shadow = await bench.service("shadow")
        await bench.publish()
        assert (await bench.ask(get(hop(bench, service="shadow", is_copy=True)))).status == 200
        assert b"\r\nTidegate-Mirror: all\r\n" in shadow.received[0]
        assert len(shadow.received) == 1  # and what was copied is not copied again


async def test_a_websocket_goes_through_both() -> None:
    async def accepting(connection: Connection) -> None:
        head = await connection.head()
        accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" in head
        await connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await connection.send(await connection.exactly(4))

    async with receiving() as bench:
        await bench.endpoint(accepting, region="eu")
        await bench.publish()
        client = await bench.connect()
        upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        await client.send(get(hop(bench), upgrade, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await client.send(b"ping")
        assert await client.exactly(4) == b"ping"
        client.close()
        await until(lambda: bool(bench.log), "the tunnel ends")


# -- both, as real nodes of two regions


def placed(node: Node, region: str, gateways: dict[str, str], backends: dict[str, Backend]) -> None:
    """The same file for both, but for who it is."""
    service = node.config["services"][0]
    service["endpoints"] = [{"region": name, "address": backend.address} for name, backend in backends.items()]
    service["health_check"] = {"interval": "5s", "timeout": "4s"}  # a busy machine is no dead endpoint
    away = {
        "region_routing": {"strategy": "failover", "prefer_local": False},
        "access": {"countries": {"deny": ["KP"]}},
    }
    node.config |= {
        "node": node.config["node"] | {"id": f"gw-{region}", "region": region},
        "regions": [
            {"id": "eu", "priority": 2, "reach": "gateway", "gateway": gateways["eu"]},
            {"id": "us", "priority": 1, "reach": "gateway", "gateway": gateways["us"]},
        ],
        "routes": [
            {"id": "bound", "match": {"path": "/profile/*"}, "service": "api", "data_types": ["profile"]},
            {"id": "all", "match": {"path": "/*"}, "service": "api", **away},
        ],
        "residency": {"rules": [{"data_type": "profile", "allowed_regions": ["us"]}]},
        **MESH,
    }


async def explained(node: Node, path: str) -> dict[str, Any]:
    body = json.dumps({"method": "GET", "url": f"http://h{path}"}).encode()
    answer = await fetch("POST", f"{node.admin}/v1/explain", body=body)
    document: dict[str, Any] = answer.json()
    return document


async def sees_up(node: Node, region: str) -> bool:
    return any(one["region"] == region and one["health"] == "up" for one in (await node.status())["regions"])


async def test_two_nodes_reach_each_others_regions_through_each_other(tmp_path: Path) -> None:
    environ = {"HOP_KEY": KEY}
    folders = {name: tmp_path / name for name in ("eu", "us")}
    for folder in folders.values():
        folder.mkdir()
    async with (
        Backend("eu") as of_eu,
        Backend("us") as of_us,
        Node(folders["eu"], of_eu.address, workers=0, environ=environ) as eu,
        Node(folders["us"], of_us.address, workers=0, environ=environ) as us,
    ):
        gateways = {"eu": eu.url, "us": us.url}
        for node, region in ((eu, "eu"), (us, "us")):
            placed(node, region, gateways, {"eu": of_eu, "us": of_us})
        for node in (us, eu):
            node.write()
            node.launch()
        await us.ready()
        await eu.ready()
        await eu.until(lambda: sees_up(eu, "us"), "each node sees both regions", within_s=60)
        await us.until(lambda: sees_up(us, "us"), "each node sees both regions", within_s=60)

        async def crosses() -> bool:
            """Control has the verdict first; its data plane follows a moment later."""
            return (await eu.get("/x?y=1")).body == b"us /x\n"

        await eu.until(crosses, "the region with the higher priority is used")
        (asked,) = of_us.requests()
        assert asked.headers["Via"] == "1.1 gw-eu"  # the first of two fields
        assert "Tidegate-Hop" not in asked.headers
        assert asked.headers["X-Forwarded-For"] == "127.0.0.1, 127.0.0.1"

        # Who prefers the other region on both sides still crosses once only.
        assert (await us.get("/x")).body == b"us /x\n"

        # What may not be held here is not even forwarded: the client is sent there.
        sent_on = await eu.get("/profile/1")
        assert (sent_on.status, sent_on.headers["Location"]) == (308, f"{us.url}/profile/1")

        # Only the region's own node asks its endpoints how they are.
        probed_by = {
            asked.headers["User-Agent"].partition("(")[2] for asked in of_us.asked if "User-Agent" in asked.headers
        }
        assert "gw-eu)" not in probed_by
        verdicts = {one["endpoint"] for one in (await eu.status())["endpoints"]}
        assert verdicts == {f"api/eu/{of_eu.address}", f"api/us/127.0.0.1:{us.port}"}

        told = await explained(eu, "/x")
        chosen = next(one for one in told["candidates"] if one["chosen"])
        assert chosen["endpoint"] == f"api/us/127.0.0.1:{us.port}"
        assert "through the region's gateway" in chosen["reason"]

        await us.stop()
        assert (await eu.get("/x")).body == b"eu /x\n"
