"""Three nodes' peer listeners in one process, each with its embedded acceptor behind it, for who asks them as peers do.

async with listening_peers(tmp_path) as peers:
    acceptors = {url: PeerAcceptor(peers[0].client, url) for url in peers[0].urls}
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from health.peering.client import PeerUnreachable
from tests.harness.configuration import load
from tests.harness.node import ports
from tidegate.demo.waiting import until
from tidegate.node.logs import silent
from tidegate.node.peers import Peers

REGIONS = ("eu", "us", "asia")
ENVIRON = {"KEY": "key", "SECRET": "secret"}


def peers_of(region: str, at: dict[str, int], folder: Path) -> Peers:
    """Those of one region's node; `at` has the ports of all."""

    def edit(document: dict[str, Any]) -> None:
        document["node"] = {"id": f"gw-{region}", "region": region, "data_dir": str(folder / region)}
        document["peer"] = {"bind": f"127.0.0.1:{at[region]}", "secret": "env:SECRET"}
        document["secrets"] = {"signing_keys": ["env:KEY"]}
        document["regions"] = [{"id": name, "peers": [f"http://127.0.0.1:{port}"]} for name, port in at.items()]

    config = load(edit=edit, environ=ENVIRON).config
    assert config.peer is not None
    return Peers(config.peer, config, environ=ENVIRON, log=silent())


@contextlib.asynccontextmanager
async def listening_peers(folder: Path) -> AsyncIterator[list[Peers]]:
    """Each answers; in the order of REGIONS."""
    at = dict(zip(REGIONS, ports(len(REGIONS)), strict=True))
    made = []
    for region in REGIONS:
        (folder / region).mkdir()
        made.append(peers_of(region, at, folder))

    async def all_answer() -> bool:
        try:
            for url in made[0].urls:
                await made[0].client.call(url, "POST", "/peer/v1/hello", b"", timeout_s=2.0)
        except PeerUnreachable:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        serving = [group.create_task(one.serve(), name="peer listener") for one in made]
        await until(all_answer, within_s=20, what="all peers listen")
        try:
            yield made
        finally:
            for one in made:
                await one.close()
            for task in serving:
                task.cancel()
