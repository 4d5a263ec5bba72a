"""Two real regions, and a wire between their stores that a test cuts: lag is seen, and decides about a promotion."""

from __future__ import annotations

import os
import random
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from chaos.toxiproxy import find_server, running
from tests.architecture.tree import REPOSITORY
from tests.harness.node import Backend, Node, fetch, ports

REGIONS = ("eu", "us")
RPO_S = 3


async def told(node: Node, path: str) -> Any:
    try:
        return (await node.ask(path)).json()
    except (OSError, TimeoutError):
        return {}


async def behind(node: Node, region: str, other: str) -> float | None:
    """Seconds, as the admin API says; None while nobody knows."""
    pairs = (await told(node, "/v1/sync/lag")).get("regions", ())
    return next((one["seconds"] for one in pairs if (one["region"], one["behind"]) == (region, other)), None)


async def put(node: Node, key: str) -> bool:
    try:
        # An answer that is lost on a busy machine: what is sent again is done once.
        once = {"Tidegate-Op-Id": f"{key}:1"}
        answer = await fetch("PUT", f"{node.url}/data/v1/notes/{key}", headers=once, body=b"v", within_s=5)
    except (OSError, TimeoutError):
        return False
    return answer.status in {200, 201}


def configure(node: Node, region: str, addresses: dict[str, str], bind: str, backends: dict[str, Backend]) -> None:
    node.config["node"] |= {"id": f"gw-{region}", "region": region}
    node.config["regions"] = [
        {"id": name, "priority": number, "peers": [f"http://{addresses[name]}"]} for number, name in enumerate(REGIONS)
    ]
    node.config["regions"][0]["role"] = "primary"
    service = node.config["services"][0]
    service["endpoints"] = [{"region": name, "address": backends[name].address} for name in REGIONS]
    service["health_check"] = {"interval": "200ms", "timeout": "1s"}
    node.config["peer"] = {"bind": bind, "secret": "env:MESH_SECRET"}
    node.config["secrets"] = {"signing_keys": ["env:MESH_KEY"]}
    node.config["election"] = {
        "lease": "2s",
        "renew": "500ms",
        "acceptors": [{"url": f"http://{addresses['us']}"}],
    }
    node.config["failover"] = {"trigger": "automatic", "detection": {"interval": "250ms", "timeout": "1s"}}
    node.config["disaster_recovery"] = {"rpo": f"{RPO_S}s"}
    node.config["sync"] = {
        "collections": [{"name": "notes", "data_type": "note", "conflict": "vector_clock"}],
        "lag": {"warning": "1s", "critical": "2s"},
    }
    node.config["residency"] = {"rules": [{"data_type": "note", "allowed_regions": "*"}]}
    node.config["routes"] = [
        {"id": "data", "match": {"path": "/data/v1/*"}, "service": "builtin:data"},
        *node.config["routes"],
    ]
    node.write()
    node.launch()


async def test_a_region_too_far_behind_is_not_promoted_and_one_that_has_caught_up_is(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        backends = {name: await stack.enter_async_context(Backend(name)) for name in REGIONS}
        toxiproxy = await stack.enter_async_context(
            running(find_server(REPOSITORY), log=tmp_path / "toxiproxy.log", rng=random.Random())
        )
        binds = {name: f"127.0.0.1:{port}" for name, port in zip(REGIONS, ports(2), strict=True)}
        wire = await toxiproxy.link("eu", upstream=binds["eu"])
        mesh: dict[str, Node] = {}
        for region in REGIONS:
            (tmp_path / region).mkdir()
            environ = {"MESH_KEY": "key", "MESH_SECRET": "secret"}
            node = Node(tmp_path / region, backends[region].address, workers=0, environ=environ)
            mesh[region] = await stack.enter_async_context(node)
            addresses = binds | ({"eu": wire.listen} if region == "us" else {})
            configure(node, region, addresses, binds[region], backends)
        eu, us = mesh.values()

        async def knows() -> bool:
            found = await behind(us, "us", "eu")
            return found is not None and found < 2.0

        await us.until(lambda: put(eu, "first"), "eu takes writes", within_s=60)
        await us.until(knows, "us has all that eu has", within_s=40)
        assert await us.metric("tidegate_sync_up") == 1
        assert (await told(us, "/v1/failover"))["plan"]["candidates"][0]["may"]

        # us no longer hears of eu's data; eu lives on, and its clients write.
        await wire.cut()
        assert await put(eu, "unseen")

        async def is_far() -> bool:
            return (await behind(us, "us", "eu") or 0.0) > RPO_S + 1

        await us.until(is_far, "the lag grows", within_s=60)
        labels = f'{{collection="notes",peer="http://{wire.listen}",region="eu"}}'
        assert await us.metric(f"tidegate_sync_lag_seconds{labels}") > RPO_S
        assert await us.metric(f"tidegate_sync_lag_level{labels}") == 2
        assert any(line["collection"] == "notes" for line in us.log("behind"))

        # Then it dies: what it wrote unseen would be lost.
        await backends["eu"].stop()
        assert eu.supervisor is not None
        eu.supervisor.kill()

        async def asks() -> bool:
            found = await told(us, "/v1/failover")
            return "disaster_recovery.rpo" in (found.get("asks") or "")

        await us.until(asks, "a person is asked, with the reason", within_s=60)
        found = await told(us, "/v1/failover")
        assert found["primary"] == "eu"
        assert "s of writes (node gw-us is" in found["plan"]["candidates"][0]["would_lose"]

        # It comes back, us catches up; and when it dies again, nothing would be lost.
        await wire.restore()
        await backends["eu"].start()
        eu.launch()
        await us.until(lambda: put(eu, "again"), "eu takes writes again", within_s=60)
        await us.until(knows, "us has caught up", within_s=60)
        await backends["eu"].stop()
        eu.supervisor.kill()

        async def has_moved() -> bool:
            return bool((await told(us, "/v1/failover")).get("primary") == "us")

        await us.until(has_moved, "us leads", within_s=60)
        assert (await told(us, "/v1/failover"))["promotion"]["author"] == "leader"


async def test_a_frozen_sync_process_is_told_and_its_old_word_is_not_taken_for_the_present(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address, workers=1) as node:
        node.config["sync"] = {"collections": [{"name": "notes", "data_type": "note", "conflict": "vector_clock"}]}
        node.config["residency"] = {"rules": [{"data_type": "note", "allowed_regions": "*"}]}
        node.config["routes"] = [
            {"id": "data", "match": {"path": "/data/v1/*"}, "service": "builtin:data"},
            *node.config["routes"],
        ]
        node.write()
        node.launch()
        await node.until(lambda: put(node, "a"), "data is served", within_s=60)

        async def has_counted() -> bool:
            found = (await told(node, "/v1/sync/lag")).get("collections", ())
            return [(one["collection"], one["written"], one["keys"]) for one in found] == [("notes", 1, 1)]

        await node.until(has_counted, "the write is counted")
        assert await node.metric('tidegate_sync_written_operations_total{collection="notes"}') == 1
        pid = await node.pid("sync")
        os.kill(pid, signal.SIGSTOP)
        try:

            async def is_said() -> bool:
                return await node.metric("tidegate_sync_up") == 0

            await node.until(is_said, "its silence is said", within_s=40)
            found = await told(node, "/v1/sync/lag")
            assert not found["fresh"]
            assert "no answer in 2 s" in found["problem"]
            assert (await node.ask("/readyz")).status == 200, "traffic is not concerned"
            assert "tidegate_sync_written" not in (await node.ask("/metrics")).body.decode()
        finally:
            os.kill(pid, signal.SIGCONT)

        async def is_back() -> bool:
            return await node.metric("tidegate_sync_up") == 1

        await node.until(is_back, "it is heard again", within_s=40)
