"""One order lets go of a dead member everywhere, on real nodes; a third region was never built."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.harness.node import Node, ports
from tests.integration.tidegate.commands.test_upkeep import SECRETS, run, told
from tests.integration.tidegate.node.test_replication import put_until_done, reads, two_regions


def with_a_region_that_was_never_built(node: Node, port: int) -> None:
    node.config["admin"]["tokens"] = [{"name": "ops", "role": "operator", "token": "env:OPS"}]
    node.config["regions"].append({"id": "ap", "peers": [f"http://127.0.0.1:{port}"]})


async def test_a_member_is_evicted_on_every_node_that_is_reached_and_again_does_no_harm(tmp_path: Path) -> None:
    edit = partial(with_a_region_that_was_never_built, port=ports(1)[0])
    async with two_regions(tmp_path, workers=0, secrets=SECRETS, edit=edit) as (eu, us):
        await put_until_done(eu, "notes/k", b"v")
        await us.until(partial(reads, us, "notes/k", b"v"), "the note in us", within_s=60)
        alive = await run(eu, "evict", "us")
        assert (alive.exit_code, "gw-" in alive.stderr) == (4, True), alive.output
        for outcome in ("evicted", "already"):
            nodes = {one["node"]: one for one in (await told(eu, "evict", "ap"))["nodes"]}
            assert [nodes[f"gw-{name}"]["outcome"] for name in ("eu", "us")] == [outcome, outcome]
            assert [one["outcome"] for one in nodes.values() if one["region"] == "ap"] == ["not_reached"]
        for node in (eu, us):
            members = (await told(node, "members"))["members"]
            assert {one["member"] for one in members if one["evicted"] is not None} == {"ap"}
        await us.stop()
        left = await run(eu, "evict", "ap", "--reason", "never built")
        assert (left.exit_code, "(us): was not reached" in left.stdout) == (1, True), left.output
        assert "once it is back" in left.stderr
