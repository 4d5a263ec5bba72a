"""Both ends of the way to a primary: real peers over TCP, a real data API on its Unix socket behind one of them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from config.models import Config
from health.peering.client import PeerClient, PeerRefused
from health.peering.forward import SyncForward
from health.peering.server import PeerServer
from sync.api.primary import Answered, Carried, PrimaryUnreachable
from tests.harness.configuration import document
from tests.harness.node import ports
from tests.harness.peering import SECRET, identity, serve_peers
from tidegate.node.carrying import WRITE, Carrier
from tidegate.node.handover import DataDirSockets
from tidegate.node.wall import wall

REGIONS = ("eu", "us")


def client(region: str) -> PeerClient:
    return PeerClient(identity(f"gw-{region}", region), signer=SECRET, tls=None, wall=wall)


def configured(region: str, port: int, data_dir: Path) -> Config:
    written = document()
    written["node"] |= {"id": f"gw-{region}", "region": region, "data_dir": str(data_dir)}
    written["regions"] = [{"id": "eu", "peers": [f"http://127.0.0.1:{port}"]}, {"id": "us"}]
    return Config.model_validate_json(json.dumps(written))


@dataclass
class Room:
    us: Carrier
    url: str
    seen: list[tuple[str, str, dict[str, str], bytes]]


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    (port,) = ports(1)
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def data(request: web.BaseRequest) -> web.Response:
        seen.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        return web.Response(status=201, headers={"ETag": '"1@eu"'}, body=b"done")

    directory = DataDirSockets(tmp_path)
    api = web.ServerRunner(web.Server(data))
    await api.setup()
    await web.SockSite(api, directory.listen("sync.sock")).start()
    eu = Carrier(configured("eu", port, tmp_path), client("eu"))
    inner = web.ServerRunner(web.Server(eu.handle))
    await inner.setup()
    await web.SockSite(inner, directory.listen("peer-sync.socket")).start()
    hosts = {region: frozenset({"127.0.0.1"}) for region in REGIONS}
    server = PeerServer(identity(), signer=SECRET, hosts=hosts, wall=wall, clock=time.monotonic)
    forward = SyncForward(tmp_path / "peer-sync.socket", streams_bodies=False)
    server.mount("/peer/v1/sync/", forward)
    outer = await serve_peers(server, host="127.0.0.1", port=port, tls=None)
    theirs = client("us")
    yield Room(Carrier(configured("us", port, tmp_path), theirs), f"http://127.0.0.1:{port}", seen)
    await theirs.close()
    await forward.close()
    await eu.close()
    for runner in (outer, inner, api):
        await runner.cleanup()
    directory.close()


async def test_a_write_arrives_as_it_was_asked_and_with_the_region_that_was_proven(room: Room) -> None:
    fields = (("Tidegate-Op-Id", "desk:1"), ("tidegate-carried-from", "a lie"))
    answered = await room.us.carry("eu", Carried("PUT", "/data/v1/catalog/a%2Fb?x=1", fields, b"value"))
    tag = {name.lower(): value for name, value in answered.headers}["etag"]
    assert (answered.status, tag, answered.body) == (201, '"1@eu"', b"done")
    ((method, path, headers, body),) = room.seen
    assert (method, path, body) == ("PUT", "/data/v1/catalog/a%2Fb?x=1", b"value")
    assert (headers["Tidegate-Op-Id"], headers["Tidegate-Carried-From"]) == ("desk:1", "us")


async def test_a_region_without_an_address_or_an_answer_is_unreachable(room: Room, tmp_path: Path) -> None:
    asked = Carried("PUT", "/data/v1/catalog/k", (), b"")
    with pytest.raises(PrimaryUnreachable, match="no address"):
        await room.us.carry("us", asked)
    nowhere = client("us")
    with pytest.raises(PrimaryUnreachable):
        await Carrier(configured("us", ports(1)[0], tmp_path), nowhere).carry("eu", asked)
    await nowhere.close()


@pytest.mark.parametrize(
    "asked",
    [
        Carried("GET", "/data/v1/catalog/k", (), b""),
        Carried("PUT", "/status", (), b""),
        Carried("PUT", "/data/../status", (), b""),
    ],
)
async def test_only_writes_to_the_data_api_are_taken(room: Room, asked: Carried) -> None:
    with pytest.raises(PrimaryUnreachable):
        await room.us.carry("eu", asked)
    assert room.seen == []


async def test_bytes_that_are_no_write_are_refused(room: Room) -> None:
    peer = client("us")
    for body in (b"\xff", msgspec.msgpack.encode(Answered(200, (), b""))):
        with pytest.raises(PeerRefused) as refused:
            await peer.call(room.url, "POST", WRITE, body, timeout_s=5)
        assert refused.value.reason == "malformed_frame"
    await peer.close()
