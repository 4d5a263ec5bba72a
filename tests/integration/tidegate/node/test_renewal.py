"""Certificates that are replaced under listeners for people and peers, while they listen."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.models import Config
from health.peering.client import PeerUnreachable
from tests.harness.certificates import Authority
from tests.harness.configuration import document
from tests.harness.control import House
from tests.harness.node import ports
from tidegate.admin.app import serve_admin
from tidegate.commands.remote import CA_VARIABLE, NotReached, ask
from tidegate.demo.waiting import until
from tidegate.node.logs import Log
from tidegate.node.peers import Peers
from tidegate.node.tasks import Tasks


def put(pair: dict[str, str], at: Path) -> None:
    """The pair under names of its own; whoever reads them sees new files."""
    for kind in ("certificate", "private_key"):
        shutil.copy(pair[kind], at / f"{kind}.new")
        (at / f"{kind}.new").replace(at / f"{kind}.pem")


def named(at: Path) -> dict[str, str]:
    return {"certificate": str(at / "certificate.pem"), "private_key": str(at / "private_key.pem")}


async def shows(port: int, authority: Authority) -> bool:
    """Whether a handshake by somebody who trusts only that authority comes to its end."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=authority.client(), server_hostname="gw.test")
    except (ssl.SSLError, ConnectionError):
        return False
    writer.close()
    return True


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.tasks.close()


async def test_the_admin_api_shows_a_new_certificate_and_refuses_nobody_meanwhile(house: House, tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    put(old.issue("gw.test", "127.0.0.1"), tmp_path)
    house.document["admin"]["tls"] = {"certificates": [named(tmp_path)]}
    house.write()
    control = house.control()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = await serve_admin(control, listening, environ={}, log=Log(house.lines.append), tasks=house.tasks)
    admin, environ = f"https://127.0.0.1:{port}", {CA_VARIABLE: str(old.file)}
    told = await asyncio.to_thread(ask, admin, "GET", "/v1/status", token=None, environ=environ)
    assert told["node"] == "gw1"
    with pytest.raises(NotReached, match="certificate verify failed"):
        await asyncio.to_thread(ask, admin, "GET", "/v1/status", token=None, environ={CA_VARIABLE: str(new.file)})
    kept, writer = await asyncio.open_connection("127.0.0.1", port, ssl=old.client(), server_hostname="gw.test")

    (tmp_path / "certificate.pem").write_text("half a file")
    (tmp_path / "private_key.pem").write_text("half a file")
    await until(lambda: "kept as they were" in json.dumps(house.lines), within_s=60, what="a bad file is said")
    assert await shows(port, old)

    put(new.issue("gw.test", "127.0.0.1"), tmp_path)

    async def is_renewed() -> bool:
        # The old one is asked for first: where it is gone already, the new one is there from then on.
        is_old, is_new = await shows(port, old), await shows(port, new)
        assert is_new or is_old, "there is no moment without a listener"
        return is_new and not is_old

    await until(is_renewed, within_s=60, what="only the new one is shown")
    writer.write(b"GET /livez HTTP/1.1\r\nHost: gw.test\r\n\r\n")
    assert (await kept.readline()).startswith(b"HTTP/1.1 200"), "a connection that was open goes on"
    writer.close()

    house.document["admin"]["tls"] = None
    house.write()
    assert (await control.reload("a test")).ok

    async def is_plain() -> bool:
        try:
            await asyncio.to_thread(ask, f"http://127.0.0.1:{port}", "GET", "/v1/status", token=None)
        except NotReached:
            return False
        return True

    await until(is_plain, within_s=60, what="a reload without TLS is followed too")
    await server.cleanup()
    await control.close()


@asynccontextmanager
async def peers(folder: Path, node: str, region: str, urls: dict[str, str], authority: Path) -> AsyncIterator[Peers]:
    """One node's end of the peer channel."""
    made: dict[str, Any] = document()
    made["node"] = {"id": node, "region": region, "data_dir": str(folder)}
    made["regions"] = [{"id": name, "peers": [url]} for name, url in urls.items()]
    made["secrets"] = {"signing_keys": ["env:KEY"]}
    host, port = urls[region].removeprefix("https://").split(":")
    made["peer"] = {"bind": f"{host}:{port}", "tls": {**named(folder), "ca": str(authority)}}
    config = Config.model_validate_json(json.dumps(made), context={"folder": str(folder)})
    lines: list[dict[str, Any]] = []
    log = Log(lines.append)
    tasks = Tasks(log)
    channel = Peers(config.peer, config, environ={"KEY": "k"}, log=log)  # type: ignore[arg-type]  # there is one
    tasks.keep("peer listener", channel.serve)
    tasks.keep("peer certificates", channel.renewal.run)
    yield channel
    await tasks.close()
    await channel.close()


async def test_peers_change_their_authority_without_a_restart(tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(old.file.read_bytes())
    urls = {name: f"https://127.0.0.1:{port}" for name, port in zip(("eu", "us"), ports(2), strict=True)}
    for name in urls:
        (tmp_path / name).mkdir()
        put(old.issue("127.0.0.1", "gw.test", common_name=name), tmp_path / name)

    async with (
        peers(tmp_path / "eu", "gw-eu", "eu", urls, trusted) as eu,
        peers(tmp_path / "us", "gw-us", "us", urls, trusted) as us,
    ):

        async def is_heard(one: Peers, region: str) -> bool:
            try:
                await one.client.call(urls[region], "POST", "/peer/v1/hello", b"", timeout_s=5)
            except PeerUnreachable:
                return False
            return True

        await until(lambda: is_heard(eu, "us"), within_s=60, what="they know each other")
        trusted.write_bytes(new.file.read_bytes())
        for name in urls:
            put(new.issue("127.0.0.1", "gw.test", common_name=name), tmp_path / name)

        async def is_changed() -> bool:
            port = int(urls["us"].rpartition(":")[2])
            return await shows(port, new) and not await shows(port, old) and await is_heard(eu, "us")

        await until(is_changed, within_s=60, what="they know each other by the new one")
        assert await is_heard(us, "eu")
