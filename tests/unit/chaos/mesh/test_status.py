"""Is all well, by the nodes' own words?"""

from __future__ import annotations

from typing import Any

from chaos.mesh.status import unsettled


def status(node: str, **changed: Any) -> dict[str, Any]:
    return {
        "node": node,
        "state": "ready",
        "degraded": [],
        "processes": {"children": [{"role": role, "ready": True} for role in ("control", "worker", "sync")]},
        "endpoints": [{"health": "up"}] * 12,
        "leadership": {"leader": "a", "frozen": None},
        **changed,
    }


NODES = [{"nodes": ["a", "b", "c"]}] * 3


def test_a_whole_mesh_misses_nothing() -> None:
    assert unsettled([status("a"), status("b"), status("c")], NODES) == []


def test_each_thing_that_is_missing_is_said() -> None:
    odd = status(
        "b",
        state="starting",
        processes={"children": [{"role": "worker", "ready": True}, {"role": "sync", "ready": False}]},
        endpoints=[{"health": "up"}] * 5 + [{"health": "down"}],
        leadership={"leader": None, "frozen": "no majority"},
    )
    missing = unsettled([status("a"), odd, status("c")], [*NODES[:2], {"nodes": ["a"]}])
    assert [one.split()[0] for one in missing] == ["b", "b", "b", "b", "leaders", "somebody"]
