"""An endpoint that answers worse than the others, as control sees in all workers' counts, is asked no more by any."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from tests.harness.node import Backend, Node


async def test_the_worst_of_five_is_ejected_on_all_workers_and_asked_again_afterwards(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        backends = [await stack.enter_async_context(Backend(f"b{number}")) for number in range(5)]
        node = await stack.enter_async_context(Node(tmp_path, backends[0].address, workers=2))
        service = node.config["services"][0]
        service["endpoints"] = [{"region": "eu", "address": backend.address} for backend in backends]
        service["load_balancing"] = {"algorithm": "round_robin"}
        service["retries"] = {"max_retries": 0}
        service["outlier_detection"] = {
            "interval": "2s",
            "consecutive_errors": 1_000_000,  # only the comparison can eject
            "success_rate_deviations": 1.5,
            "min_hosts": 5,
            "min_requests": 10,
            "base_ejection": "5s",
        }
        await node.start()
        bad = backends[2]
        bad.status = 500

        async def is_spared() -> bool:
            """Whether sixty requests, each on a connection of its own and so on either worker, all went elsewhere."""
            before = len(bad.requests())
            for _ in range(60):
                await node.get("/x")
            return len(bad.requests()) == before

        async def is_asked() -> bool:
            before = len(bad.requests())
            for _ in range(20):
                await node.get("/x")
            return len(bad.requests()) > before

        assert await is_asked()
        await node.until(is_spared, "nobody asks the one that fails", within_s=30)
        endpoints = (await node.status())["endpoints"]
        assert [one["health"] for one in endpoints] == ["up"] * 5, "its probes are well: only the comparison tells"
        bad.status = 200
        await node.until(is_asked, "it is asked again when its time is over", within_s=30)
