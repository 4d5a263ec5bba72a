"""A mesh of three real nodes: a drain reaches all, a dead region loses its role, a lone node acts for itself only."""

from __future__ import annotations

from pathlib import Path

from tests.harness.mesh_of_nodes import Mesh, ask, told


async def test_orders_reach_all_nodes_a_dead_region_loses_its_role_and_a_lone_node_acts_for_itself_only(
    tmp_path: Path,
) -> None:
    async with Mesh(tmp_path) as mesh:
        await mesh.start()
        eu, us, asia = mesh.nodes.values()

        # Through any node, for all.
        assert (await ask(eu, "POST", "/v1/regions/asia/drain", {"reason": "patching"})).status == 202

        async def is_drained_everywhere() -> bool:
            shown = [await told(node, "/v1/regions/asia/drain") for node in mesh.nodes.values()]
            return all(one.get("state") == "drained" and len(one["nodes"]) == 3 for one in shown)

        await eu.until(is_drained_everywhere, "asia is drained on all nodes, and each knows of all", within_s=60)
        assert (await asia.get("/from-asia")).status == 200
        assert mesh.backends["asia"].requests() == []
        seen = (await told(us, "/v1/decisions"))["decisions"]
        assert [(one["what"], one["node"], one["outcome"]) for one in seen] == [("drain", "gw-eu", "done")]

        # The first region dies with its node: the others vote, whoever leads them acts.
        await mesh.kill("eu")
        assert (await ask(us, "DELETE", "/v1/regions/asia/drain?over=0s")).status == 202

        async def has_moved() -> bool:
            return {(await told(node, "/v1/failover")).get("primary") for node in (us, asia)} == {"us"}

        await us.until(has_moved, "us leads instead of eu, on both nodes", within_s=40)
        row = (await told(asia, "/v1/failover"))["promotion"]
        assert (row["instead_of"], row["author"]) == ("eu", "leader")
        assert (await us.get("/after")).status == 200

        # Alone: nothing can be agreed on, traffic goes on, and only this node can be told.
        assert us.supervisor is not None
        us.supervisor.kill()

        async def is_frozen() -> bool:
            return (await ask(asia, "POST", "/v1/regions/us/drain", {"reason": "alone"})).status == 503

        await asia.until(is_frozen, "no majority is left", within_s=30)
        local = await ask(asia, "POST", "/v1/regions/us/drain", {"reason": "alone", "local": True})
        assert (local.status, local.json()["local"]) == (202, True)
        assert (await asia.get("/alone")).status == 200
